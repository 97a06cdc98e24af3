"""Named queries of how well the loop is closed: cases counted by group and day of the answer, and
how long they waited. The database does the counting.

A first touch is the first contact, or the closing where that is all that is known. A case that was
deleted at the far side stops no clock: its customer has heard from nobody.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from connector.store.counting import Period, day_of, text_at
from connector.store.tables import cases, decisions
from connector.store.types import SecondsBetween

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sqlalchemy import Select

    from connector.store.counting import By

_STREAMED = 2_000  # rows that are held at once
WITHIN_DAYS = (2, 7, 30)  # closed within so many days of the answer
_MINUTE, _QUARTER, _HOUR, _DAY = 60, 900, 3_600, 86_400
_TOUCHED_AT = func.coalesce(cases.c.contacted_at, cases.c.closed_at, type_=cases.c.closed_at.type)
_IS_TOUCHED = case((cases.c.touched_after.is_not(None), 1), else_=0)
_IS_OPEN = cases.c.state.in_(("open", "contacted"))
_IS_CLOSED = cases.c.state == "closed"
_WAS_CLOSED = or_(_IS_CLOSED, cases.c.reopened > 0)


class Measured(NamedTuple):
    """Cases of one group whose answer was given on one day (UTC).

    `due` have had the time that was promised, `on_time` of them were touched in it, `overdue` of
    them were never touched. `unpromised` have no promise. `closed_in_2` and so on: closed within
    so many days; `old_2`: that long ago were they answered. `was_closed`: closed now or once.
    """

    group: str | None
    day: str
    cases: int
    untouched: int
    unpromised: int
    due: int
    on_time: int
    overdue: int
    open: int
    closed: int
    gone: int
    was_closed: int
    reopened: int
    with_cause: int
    with_action: int
    with_both: int
    closed_in_2: int
    closed_in_7: int
    closed_in_30: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """All that is counted, in the order of `names`."""
        return self[2:]

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return cls._fields[2:]


class Wait(NamedTuple):
    """So many cases of a group took so many seconds, or, with `over` false, still wait."""

    group: str | None
    seconds: int | None
    over: bool
    cases: int


class Ending(NamedTuple):
    """So many closed cases have this cause and this action; empty where nothing was told."""

    cause: str
    action: str
    cases: int


def measured(
    connection: Connection, period: Period, by: By, now: datetime, survey: str | None = None
) -> Generator[Measured]:
    """Every case whose answer was given in this time, as it stands now. Streamed."""
    dialect = connection.dialect.name
    group, day = _group(by, dialect), day_of(cases.c.answered_at, dialect)
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
        *(_closed_within(days) for days in WITHIN_DAYS),
    )
    columns = (group.label("grouped"), day.label("day"), func.count(), *map(_counted, counts))
    statement = _chosen(select(*columns), period, by, survey).group_by("grouped", "day")
    for row in _streamed(connection, statement):
        yield Measured(_name(row[0]), row[1], *(int(number) for number in row[2:]))


def waits(
    connection: Connection, period: Period, by: By, now: datetime, survey: str | None = None
) -> Iterator[Wait]:
    """From the answer to the first touch, by the customer's clock, which never pauses. To the
    minute within a day, to the quarter of an hour within a week, then to the hour."""
    until_now = SecondsBetween(cases.c.answered_at, literal(now, cases.c.closed_at.type))
    seconds = _rounded(func.coalesce(cases.c.touched_after, until_now))
    return _waited(connection, seconds, _IS_TOUCHED, period, by, survey)


def working_waits(
    connection: Connection, period: Period, by: By, now: datetime, survey: str | None = None
) -> Iterator[Wait]:
    """The same by the working clock, of due cases: `seconds` is None for those that nobody has
    touched, which have waited longer than was promised."""
    told = _rounded(cast(cases.c.working_seconds, Integer))
    seconds = case((cases.c.touched_after.is_not(None), told))
    known = or_(cases.c.touched_after.is_(None), cases.c.working_seconds.is_not(None))
    return _waited(
        connection, seconds, _IS_TOUCHED, period, by, survey, (cases.c.respond_by <= now) & known
    )


def endings(
    connection: Connection, period: Period, survey: str | None = None, most: int = 2_000
) -> list[Ending]:
    """Causes and actions of the closed cases of this time, the most frequent first."""
    cause, action = (func.coalesce(c, "") for c in (cases.c.cause, cases.c.action_taken))
    columns = (cause.label("of_cause"), action.label("of_action"), func.count().label("many"))
    # Said so that SQLite does not look through all closed cases by their state.
    is_closed = case((_IS_CLOSED, 1), else_=0) == 1
    statement = select(*columns).where(period.holds(cases.c.answered_at), is_closed)
    if survey is not None:
        statement = statement.where(cases.c.survey == survey)
    grouped = statement.group_by("of_cause", "of_action")
    ordered = grouped.order_by(func.count().desc(), "of_cause", "of_action")
    return [Ending(*row) for row in connection.execute(ordered.limit(most))]


def _waited(
    connection: Connection,
    seconds: ColumnElement[Any],
    over: ColumnElement[int],
    period: Period,
    by: By,
    survey: str | None,
    also: ColumnElement[bool] | None = None,
) -> Iterator[Wait]:
    group = _group(by, connection.dialect.name)
    columns = (group.label("grouped"), seconds.label("seconds"), over.label("over"), func.count())
    statement = _chosen(select(*columns), period, by, survey)
    if also is not None:
        statement = statement.where(also)
    for row in _streamed(connection, statement.group_by("grouped", "seconds", "over")):
        yield Wait(_name(row[0]), row[1], bool(row[2]), row[3])


def _chosen(statement: Select[Any], period: Period, by: By, survey: str | None) -> Select[Any]:
    if by.kind == "fact":
        others = decisions.alias()
        mine = others.c.response_id == cases.c.response_id
        newest = select(func.max(others.c.number)).where(mine).correlate(cases).scalar_subquery()
        statement = statement.select_from(cases.outerjoin(decisions, decisions.c.number == newest))
    if survey is not None:
        statement = statement.where(cases.c.survey == survey)
    return statement.where(period.holds(cases.c.answered_at))


def _group(by: By, dialect: str) -> ColumnElement[Any]:
    if by.kind == "case":
        return cases.c[by.path[0]]
    if by.kind == "fact":
        return text_at(decisions.c.facts, by.path, dialect)
    return literal(None, Text)


def _name(group: Any) -> str | None:
    return None if group is None or group == "" else str(group)


def _counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)


def _is_told(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(column.is_not(None), column != "")


def _closed_within(days: int) -> ColumnElement[bool]:
    return _IS_CLOSED & (cases.c.closed_after <= days * _DAY)


def _rounded(seconds: ColumnElement[int]) -> ColumnElement[int]:
    return case(
        (seconds < _DAY, seconds // _MINUTE * _MINUTE),
        (seconds < 7 * _DAY, seconds // _QUARTER * _QUARTER),
        else_=seconds // _HOUR * _HOUR,
    )


def _streamed(connection: Connection, statement: Select[Any]) -> Generator[Any]:
    streaming = connection.execution_options(yield_per=_STREAMED)
    with streaming.execute(statement) as found:
        yield from found
