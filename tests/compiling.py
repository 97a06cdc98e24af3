"""SQL for tests: the same statement is compiled once for all databases of one kind."""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.util import LRUCache

MOST_STATEMENTS = 4000


class Remembered(LRUCache[Any, Any]):
    """Each test has a database and so an engine of its own; to compile their statements anew took
    a fifth of the whole suite. Of the engine only its kind says how SQL is written.

    https://docs.sqlalchemy.org/en/20/core/connections.html#using-a-custom-compiled-cache
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_by_kind(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_by_kind(key), value)


def _by_kind(key: Any) -> Any:
    dialect, *rest = key
    return (dialect.name, dialect.driver, *rest)


REMEMBERED = Remembered(MOST_STATEMENTS)


@functools.wraps(create_engine)
def engine(*given: Any, execution_options: Any = None, **options: Any) -> Any:
    known = {"compiled_cache": REMEMBERED, **(execution_options or {})}
    return create_engine(*given, execution_options=known, **options)
