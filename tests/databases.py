"""PostgreSQL databases for tests, each of them empty and at the newest schema."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
from psycopg import sql

from connector.store import Store, schema

# What a test could change of a schema: tables, columns, indexes, constraints, its version.
SHAPE = """
SELECT md5(string_agg(part, ';' ORDER BY part)) FROM (
  SELECT oid || relname AS part FROM pg_class WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT a::text FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
    WHERE t.relnamespace = 'public'::regnamespace
  UNION ALL SELECT oid || conname FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT version_num FROM alembic_version
) AS parts
"""
USED = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
  AND relname <> 'alembic_version'
"""
LEAVE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


class Databases:
    """Those of one server, for one test after the other.

    To copy a database takes the server ten times as long as to empty one. So the last one is
    emptied and handed out again, under another name: whoever still writes to the old URL, such as
    a process that a test has left, finds nothing there. One whose schema was changed is dropped.
    """

    def __init__(self, server: str) -> None:
        """`server`: the URL of a database on it that nobody else works in."""
        self._base = server.rpartition("/")[0]
        self._asking = psycopg.connect(_plain(server), autocommit=True)
        self._template = self._create("CREATE DATABASE {}")
        migrated = Store(self._url(self._template))
        schema.upgrade(migrated)
        migrated.close()
        with self._connected(self._template) as inside:
            assert inside.execute(USED).fetchall() == [], "migrations fill it: it is never empty"
            self._shape = _shape(inside)
        self._left: str | None = None

    def take(self) -> str:
        """The URL of an empty one. One at a time: the one before is taken away."""
        left, self._left = self._left, None
        made = self._again(left) if left is not None else None
        self._left = made or self._create("CREATE DATABASE {} TEMPLATE {}", self._template)
        return self._url(self._left)

    def is_as_made(self, url: str) -> bool:
        """Whether its schema is that of the template."""
        with self._connected(url.rpartition("/")[2]) as inside:
            return _shape(inside) == self._shape

    def close(self) -> None:
        for name in (self._left, self._template):
            if name is not None:
                self._drop(name)
        self._asking.close()

    def _again(self, left: str) -> str | None:
        """It under its new name; None where it had to be dropped."""
        self._asking.execute(LEAVE, [left])
        made = f"t{uuid.uuid4().hex}"
        try:
            self._say("ALTER DATABASE {} RENAME TO {}", left, made)
        except psycopg.errors.ObjectInUse:  # somebody comes back again and again
            self._drop(left)
            return None
        if self._emptied(made):
            return made
        self._drop(made)
        return None

    def _emptied(self, name: str) -> bool:
        """Whether it is like a new one now."""
        with self._connected(name) as inside:
            if _shape(inside) != self._shape:
                return False
            used = [sql.Identifier(table) for (table,) in inside.execute(USED)]
            if used:
                again = sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE")
                inside.execute(again.format(sql.SQL(", ").join(used)))
            return True

    def _create(self, statement: str, *names: str) -> str:
        made = f"t{uuid.uuid4().hex}"
        self._say(statement, made, *names)
        return made

    def _drop(self, name: str) -> None:
        self._say("DROP DATABASE {} WITH (FORCE)", name)

    def _say(self, statement: Any, *names: str) -> None:
        self._asking.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connected(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(_plain(self._url(name)), autocommit=True)

    def _url(self, name: str) -> str:
        return f"{self._base}/{name}"


def _shape(inside: psycopg.Connection[Any]) -> str | None:
    """None where it cannot even be asked."""
    try:
        return str(inside.execute(SHAPE).fetchone())
    except psycopg.errors.UndefinedTable:
        return None


def _plain(url: str) -> str:
    """As libpq knows it, without SQLAlchemy's name of the driver."""
    return url.replace("postgresql+psycopg:", "postgresql:", 1)
