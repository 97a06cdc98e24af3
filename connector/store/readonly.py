"""The database opened so that nothing can be written through it: it refuses, whatever is tried."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from connector.store.trouble import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY_SECONDS = 30.0


class ReadOnlyStore:
    """The same tables as `Store`, for looking only. Close it when done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection; one snapshot for as long as it is held.

        Raises:
            StoreDown: when the database cannot be read.
        """
        with translated(), self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(parsed.database or "").resolve()
        engine = create_engine("sqlite://", creator=lambda: _open(path), hide_parameters=True)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(
        parsed,
        connect_args={"connect_timeout": 5, "options": "-c default_transaction_read_only=on"},
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
        hide_parameters=True,
    )


def _open(path: Path) -> Any:
    """https://www.sqlite.org/uri.html#urimode, https://www.sqlite.org/pragma.html#pragma_query_only"""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA query_only=ON")
    return connection
