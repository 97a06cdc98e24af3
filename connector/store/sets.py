"""One statement for many rows: PostgreSQL gets arrays and goes through them itself, SQLite gets the
same prepared statement once for each row, which costs it nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, bindparam, func

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection
    from sqlalchemy.sql.dml import UpdateBase
    from sqlalchemy.types import TypeEngine

    Columns = Mapping[str, ColumnElement[Any]]


class ForEach:
    """A statement over rows of values, built once and run for many rows at a time.

    `types` are the values that differ from row to row. `build` is called with them as columns, for
    each kind of database; whatever else it binds is the same for all rows.
    """

    def __init__(
        self, types: Mapping[str, TypeEngine[Any]], build: Callable[[Columns], UpdateBase]
    ) -> None:
        self._names = list(types)
        self._each = build({name: bindparam(name, type_=kind) for name, kind in types.items()})
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in types.items()]
        given = func.unnest(*arrays).table_valued(*types, name="given").render_derived()
        self._all = build({name: given.c[name] for name in types})

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]], **same: Any) -> int:
        """`rows` hold the values in the order of `types`; returns how many rows were changed."""
        if not rows:
            return 0
        if connection.dialect.name == "sqlite":
            values = [dict(zip(self._names, row, strict=True)) | same for row in rows]
            return int(connection.execute(self._each, values).rowcount)
        arrays = dict(zip(self._names, map(list, zip(*rows, strict=True)), strict=True))
        return int(connection.execute(self._all, {**arrays, **same}).rowcount)
