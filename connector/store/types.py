"""Column types that behave the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, DateTime, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

# SQLite gives out row ids by itself only for a column declared exactly INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite drops the zone; this puts it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone must not reach the store")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class SecondsBetween(FunctionElement[int]):
    """Whole seconds from the first of two times to the second."""

    type = Integer()
    size = "INTEGER"
    inherit_cache = True


class ManySecondsBetween(SecondsBetween):
    """The same where they may be more than 68 years."""

    type = BigInteger()
    size = "BIGINT"
    inherit_cache = True


@compiles(SecondsBetween)
def _subtracted(between: SecondsBetween, compiler: Any, **options: Any) -> str:
    begin, end = (compiler.process(one, **options) for one in between.clauses)
    return f"CAST(round(EXTRACT(epoch FROM {end} - {begin})) AS {between.size})"


@compiles(SecondsBetween, "sqlite")
def _subtracted_by_sqlite(between: SecondsBetween, compiler: Any, **options: Any) -> str:
    begin, end = (compiler.process(one, **options) for one in between.clauses)
    return f"CAST(round((julianday({end}) - julianday({begin})) * 86400) AS INTEGER)"
