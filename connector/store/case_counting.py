"""Queries that count cases one by one, by group and day of the answer. The database does the
counting.

A first touch is the first contact, or the closing where that is all that is known. A case that was
deleted at the far side stops no clock: its customer has heard from nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from connector.store.counting import Period, day_of, text_at
from connector.store.tables import cases, decisions
from connector.store.types import ManySecondsBetween

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from sqlalchemy import Select

    from connector.store.counting import By

WITHIN_DAYS = (2, 7, 30)  # closed within so many days of the answer
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STREAMED = 2_000  # rows that are held at once
_MINUTE, _QUARTER, _HOUR, _DAY = 60, 900, 3_600, 86_400
_TOUCHED_AT = func.coalesce(cases.c.contacted_at, cases.c.closed_at, type_=cases.c.closed_at.type)
_IS_TOUCHED = cases.c.touched_after.is_not(None)
_IS_OPEN = cases.c.state.in_(("open", "contacted"))
_IS_CLOSED = cases.c.state == "closed"
_WAS_CLOSED = or_(_IS_CLOSED, cases.c.reopened > 0)


class Chosen(NamedTuple):
    """Which cases are counted, by the time of their answer and their survey; and what by. `apart`:
    `day` and `survey`, where they are too."""

    spans: Sequence[Period]
    by: By
    survey: str | None = None
    apart: Sequence[str] = ()


def figures(connection: Connection, chosen: Chosen, now: datetime) -> Generator[Any]:
    """(*apart, group, how many of them are...), in the order of `looping.Measured`. Streamed; the
    same group may come more than once, here and below."""
    is_due = cases.c.respond_by <= now
    in_time = cases.c.respond_by >= _TOUCHED_AT
    cause, action = _is_told(cases.c.cause), _is_told(cases.c.action_taken)
    counts = (
        _TOUCHED_AT.is_(None) & _IS_OPEN,
        cases.c.respond_by.is_(None),
        is_due,
        is_due & in_time,
        is_due & _TOUCHED_AT.is_(None),
        _IS_OPEN,
        _IS_CLOSED,
        cases.c.state == "gone",
        _WAS_CLOSED,
        cases.c.reopened > 0,
        _IS_CLOSED & cause,
        _IS_CLOSED & action,
        _IS_CLOSED & cause & action,
        *(_IS_CLOSED & (cases.c.closed_after <= days * _DAY) for days in WITHIN_DAYS),
    )
    columns = (func.count(), *(func.count().filter(one) for one in counts))
    return _grouped(connection, chosen, {}, columns)


def waits(connection: Connection, chosen: Chosen) -> Generator[Any]:
    """(*apart, group, over, seconds, cases): from the answer to the first touch, by the customer's
    clock, rounded down; of those that still wait, from `EPOCH` to the answer. Streamed."""
    began = ManySecondsBetween(literal(EPOCH, cases.c.answered_at.type), cases.c.answered_at)
    names = {
        "over": case((_IS_TOUCHED, 1), else_=0),
        "seconds": case((_IS_TOUCHED, _rounded(cases.c.touched_after)), else_=began),
    }
    return _grouped(connection, chosen, names, (func.count(),))


def working_waits(connection: Connection, chosen: Chosen, now: datetime) -> Generator[Any]:
    """(*apart, group, seconds, cases) by the working clock, of due cases: None for those that
    nobody has touched. Streamed."""
    told = _rounded(cast(cases.c.working_seconds, Integer))
    known = or_(~_IS_TOUCHED, cases.c.working_seconds.is_not(None))
    names = {"seconds": case((_IS_TOUCHED, told))}
    return _grouped(connection, chosen, names, (func.count(),), cases.c.respond_by <= now, known)


def endings(connection: Connection, chosen: Chosen) -> Generator[Any]:
    """(*apart, group, cause, action, cases) of closed ones. Streamed."""
    # Said so that SQLite does not look through all closed cases by their state.
    is_closed = case((_IS_CLOSED, 1), else_=0) == 1
    told = {"of_cause": cases.c.cause, "of_action": cases.c.action_taken}
    names = {name: func.coalesce(column, "") for name, column in told.items()}
    return _grouped(connection, chosen, names, (func.count(),), is_closed)


def rounded_down(seconds: int) -> int:
    """To the minute within a day, to the quarter of an hour within a week, then to the hour."""
    unit = _MINUTE if seconds < _DAY else _QUARTER if seconds < 7 * _DAY else _HOUR
    return seconds // unit * unit


def _rounded(seconds: ColumnElement[int]) -> ColumnElement[int]:
    return case(
        (seconds < _DAY, seconds // _MINUTE * _MINUTE),
        (seconds < 7 * _DAY, seconds // _QUARTER * _QUARTER),
        else_=seconds // _HOUR * _HOUR,
    )


def _is_told(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(column.is_not(None), column != "")


def _grouped(
    connection: Connection,
    chosen: Chosen,
    names: Mapping[str, ColumnElement[Any]],
    numbers: Sequence[ColumnElement[int]],
    *conditions: ColumnElement[bool],
) -> Generator[Any]:
    dialect = connection.dialect.name
    known = {"day": day_of(cases.c.answered_at, dialect), "survey": cases.c.survey}
    apart = {name: known[name] for name in chosen.apart}
    # Grouped by these names: parameters would make two different expressions on PostgreSQL.
    named = {f"by_{name}": column for name, column in apart.items()}
    named |= {"grouped": _group(chosen.by, dialect), **names}
    columns = (column.label(name) for name, column in named.items())
    statement = _joined(select(*columns, *numbers), chosen.by).where(*conditions)
    if chosen.survey is not None:
        statement = statement.where(cases.c.survey == chosen.survey)
    streaming = connection.execution_options(yield_per=_STREAMED)
    for where, values in _given_in(chosen.spans, dialect):
        asked = statement.where(where).group_by(*named)
        for one in values:
            with streaming.execute(asked, one) as found:
                yield from found


def _given_in(
    spans: Sequence[Period], dialect: str
) -> Iterator[tuple[ColumnElement[bool], list[dict[str, datetime]]]]:
    """Of many spans SQLite guesses that it is quicker to look at all there is: one at a time."""
    if dialect == "sqlite":
        time = cases.c.answered_at
        since, until = (bindparam(name, type_=time.type) for name in Period._fields)
        yield (time >= since) & (time < until), [span._asdict() for span in spans]
    elif spans:
        yield or_(*(span.holds(cases.c.answered_at) for span in spans)), [{}]


def _joined(statement: Select[Any], by: By) -> Select[Any]:
    if by.kind != "fact":
        return statement
    others = decisions.alias()
    mine = others.c.response_id == cases.c.response_id
    newest = select(func.max(others.c.number)).where(mine).correlate(cases).scalar_subquery()
    return statement.select_from(cases.outerjoin(decisions, decisions.c.number == newest))


def _group(by: By, dialect: str) -> ColumnElement[Any]:
    if by.kind == "case":
        return cases.c[by.path[0]]
    if by.kind == "fact":
        return text_at(decisions.c.facts, by.path, dialect)
    return literal(None, Text)
