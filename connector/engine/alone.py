"""At most one engine on an SQLite file: a lock beside it, held for as long as the engine runs."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO, TYPE_CHECKING

from connector.domain import Problem
from connector.errors import Invalid

if TYPE_CHECKING:
    from connector.store import Store


def take_lock(store: Store) -> IO[str] | None:
    """Closing it lets go; None where the database is no file.

    Raises:
        Invalid: another engine works on the same file.
    """
    path = store.engine.url.database
    if not store.is_sqlite or not path or path == ":memory:":
        return None
    lock = Path(f"{path}.lock").open("w")  # noqa: SIM115 - held for as long as we run
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        message = "another `connector run` works on this database; stop it first"
        raise Invalid([Problem(file=path, message=message)]) from error
    return lock
