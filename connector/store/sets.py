"""One statement for many rows: PostgreSQL gets arrays and goes through them itself, SQLite gets the
same prepared statement once for each row, which costs it nothing."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ARRAY, bindparam, func

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Dialect
    from sqlalchemy.engine.interfaces import Compiled
    from sqlalchemy.sql.dml import UpdateBase
    from sqlalchemy.types import TypeEngine

    Columns = Mapping[str, ColumnElement[Any]]


T = TypeVar("T")
_MOST = 10_000  # PostgreSQL takes 65,535 values in a statement


def in_chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as one statement takes."""
    for start in range(0, len(values), _MOST):
        yield values[start : start + _MOST]


class ForEach:
    """A statement over rows of values, built once and run for many rows at a time.

    `types` are the values that differ from row to row. `build` is called with them as columns, for
    each kind of database; whatever else it binds is the same for all rows.
    """

    def __init__(
        self, types: Mapping[str, TypeEngine[Any]], build: Callable[[Columns], UpdateBase]
    ) -> None:
        self._types = types
        self._compiled: Compiled | None = None
        self._each = build({name: bindparam(name, type_=kind) for name, kind in types.items()})
        arrays = [bindparam(name, type_=ARRAY(kind)) for name, kind in types.items()]
        given = func.unnest(*arrays).table_valued(*types, name="given").render_derived()
        self._all = build({name: given.c[name] for name in types})

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]], **same: Any) -> int:
        """`rows` hold the values in the order of `types`; returns how many rows were changed."""
        if not rows:
            return 0
        columns = dict(zip(self._types, zip(*rows, strict=True), strict=True))
        if connection.dialect.name == "sqlite":
            return self._run_each(connection, columns, same)
        arrays: dict[str, Any] = {name: list(values) for name, values in columns.items()}
        return int(connection.execute(self._all, arrays | same).rowcount)

    def _run_each(
        self,
        connection: Connection,
        columns: Mapping[str, Sequence[Any]],
        same: Mapping[str, Any],
    ) -> int:
        """The driver gets its tuples ready made: what is the same for all is translated once."""
        dialect = connection.dialect
        if self._compiled is None:
            self._compiled = self._each.compile(dialect=dialect)
        compiled: Any = self._compiled
        constants = {**compiled.params, **same}
        values: list[Iterable[Any]] = []
        for name in compiled.positiontup:
            kind = compiled.binds[name].type
            if name in columns:
                values.append(_translated(kind, dialect, columns[name]))
            else:
                values.append(repeat(_translated(kind, dialect, [constants[name]])[0]))
        tuples = list(zip(*values, strict=False))
        return int(connection.exec_driver_sql(str(compiled), tuples).rowcount)


def _translated(kind: TypeEngine[Any], dialect: Dialect, values: Sequence[Any]) -> Sequence[Any]:
    """As the driver takes them."""
    process = kind.dialect_impl(dialect).bind_processor(dialect)
    return values if process is None else [process(value) for value in values]
