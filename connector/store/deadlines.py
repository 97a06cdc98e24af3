"""How long one look at the database may take, for those who ask it on behalf of others."""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_most: ContextVar[float | None] = ContextVar("_most", default=None)
_STEPS = 100_000  # of SQLite's machine, some milliseconds: so often it looks at the clock
_STOPPED = ("57014", "SQLITE_INTERRUPT")


class TooSlow(Exception):
    """What was asked takes the database too long; it was stopped."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """For every `read()` of this thread meanwhile."""
    before = _most.set(seconds)
    try:
        yield
    finally:
        _most.reset(before)


@contextlib.contextmanager
def bounded(connection: Connection) -> Iterator[None]:
    """Raises TooSlow. PostgreSQL bounds each statement, SQLite all of them together."""
    seconds = _most.get()
    if seconds is None:
        yield
        return
    with _watched(connection, seconds):
        try:
            yield
        except OperationalError as error:
            told = {getattr(error.orig, name, "") for name in ("sqlstate", "sqlite_errorname")}
            if told.isdisjoint(_STOPPED):
                raise
            raise TooSlow(f"the database was stopped after {seconds:g} s") from error


@contextlib.contextmanager
def _watched(connection: Connection, seconds: float) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
        yield
        return
    driver, ends = connection.connection.driver_connection, time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)  # type: ignore[union-attr]
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)  # type: ignore[union-attr]
