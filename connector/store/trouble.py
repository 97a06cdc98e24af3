"""What goes wrong with a database, told apart from what is wrong with what was asked of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from connector.errors import TryLater

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLLISION_STATES = ("40P01", "40001", "23503", "23505")


class StoreDown(TryLater):
    """The database cannot be reached or written; nothing was stored."""


class Collided(StoreDown):
    """Two processes waited for each other; the database undid what this one had begun."""


def is_down(error: BaseException) -> bool:
    """Is this the database's trouble, and not that of what was asked of it?"""
    gone = (OperationalError, InterfaceError, InternalError, NoConnectionFree)
    if isinstance(error, gone) or type(error) is DatabaseError:  # SQLite: the file is damaged
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def has_collided(error: Exception) -> bool:
    """Did another process come in between? Deadlock, serialization failure, a row that it removed
    while we referred to it or made while we did: PostgreSQL undid the whole transaction."""
    return getattr(getattr(error, "orig", None), "sqlstate", "") in _COLLISION_STATES


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """What the driver raises while the database is down becomes StoreDown or Collided."""
    try:
        yield
    except Exception as error:
        if not is_down(error):
            raise
        kind = type(getattr(error, "orig", None) or error).__name__
        down = Collided if has_collided(error) else StoreDown
        raise down(f"the database cannot be used ({kind})") from error
