"""Named queries of tallies: counts per day, survey, dimension, value and score. Each week is
counted once more as a whole, so that a year need not be read day by day."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal_column,
    select,
    text,
    union_all,
)

from connector.store.arrivals import insert_ignoring
from connector.store.counting import Counted
from connector.store.tables import tallies, tally_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Select

MOST_VALUES = 200  # of one dimension that are counted apart
OTHER = "…"  # all others together
SURVEY = "survey"  # the dimension of every answer; its value is empty
LONGEST = 200
WEEK = "week:"  # before a dimension: its tallies of whole weeks, under their Mondays

Pair = tuple[str, str]  # dimension and value
Times = Literal["day", "week"]


class Key(NamedTuple):
    """In the order of the table's key."""

    dimension: str
    day: str
    survey: str
    value: str
    score: str
    segment: str


_ADD = {
    "sqlite": text(
        "INSERT INTO tallies (dimension, day, survey, value, score, segment, n) "
        "VALUES (:dimension, :day, :survey, :value, :score, :segment, :n) "
        "ON CONFLICT (dimension, day, survey, value, score, segment) "
        "DO UPDATE SET n = tallies.n + excluded.n"
    ),
    "postgresql": text(
        "INSERT INTO tallies (dimension, day, survey, value, score, segment, n) "
        "SELECT * FROM unnest(CAST(:dimension AS text[]), CAST(:day AS text[]), "
        "CAST(:survey AS text[]), CAST(:value AS text[]), CAST(:score AS text[]), "
        "CAST(:segment AS text[]), CAST(:n AS integer[])) "
        "ON CONFLICT (dimension, day, survey, value, score, segment) "
        "DO UPDATE SET n = tallies.n + excluded.n"
    ),
}

_mine = tally_values.c.dimension == bindparam("gone"), tally_values.c.value == bindparam("its")
_FORGET_VALUE = delete(tally_values).where(
    *_mine,
    ~exists().where(
        tallies.c.dimension == tally_values.c.dimension, tallies.c.value == tally_values.c.value
    ),
)


def keys(row: Mapping[str, Any]) -> Iterator[Key]:
    """Where a row of `readings` is counted."""
    score = "" if row["score"] is None else str(row["score"])
    given = row["given"].date()
    for span, day in (("", given.isoformat()), (WEEK, _monday(given).isoformat())):
        for dimension, value in row["counted"]:
            yield Key(span + dimension, day, row["survey"], value, score, row["segment"] or "")


def add(connection: Connection, changes: Counter[Key]) -> None:
    """Add to what is counted, or take away from it."""
    rows = sorted((key, n) for key, n in changes.items() if n)
    if not rows:
        return
    names = (*Key._fields, "n")
    if connection.dialect.name == "sqlite":
        given: Any = [dict(zip(names, (*key, n), strict=True)) for key, n in rows]
    else:
        columns = zip(*((*key, n) for key, n in rows), strict=True)
        given = {name: list(column) for name, column in zip(names, columns, strict=True)}
    connection.execute(_ADD[connection.dialect.name], given)
    if any(n < 0 for _, n in rows):
        connection.execute(delete(tallies).where(tallies.c.n == 0, _among(rows)))
        less = {(key.dimension, key.value) for key, n in rows if n < 0}
        _forget_values(connection, [pair for pair in less if comes_from_outside(pair[0])])


def comes_from_outside(dimension: str) -> bool:
    """All others have the values that the files of this installation name."""
    return dimension == "language" or dimension.startswith("customer.")


def _forget_values(connection: Connection, pairs: Iterable[Pair]) -> None:
    """Those that nobody has any more: they may say who somebody was."""
    if rows := [{"gone": dimension, "its": value} for dimension, value in sorted(pairs)]:
        connection.execute(_FORGET_VALUE, rows)


def _among(rows: Sequence[tuple[Key, int]]) -> Any:
    less = [key for key, n in rows if n < 0]
    return (
        tallies.c.dimension.in_({key.dimension for key in less})
        & tallies.c.day.in_({key.day for key in less})
        & tallies.c.survey.in_({key.survey for key in less})
    )


def limited(connection: Connection, wanted: Iterable[Pair]) -> set[Pair]:
    """Those of these values that are counted apart: the first so many of each dimension."""
    asked: dict[str, set[str]] = {}
    for dimension, value in wanted:
        asked.setdefault(dimension, set()).add(value)
    found: set[Pair] = set()
    for dimension, values in asked.items():
        mine = tally_values.c.dimension == dimension
        chosen = select(tally_values.c.value).where(mine, tally_values.c.value.in_(values))
        known = set(connection.scalars(chosen))
        new = sorted(values - known)
        if new:
            count = connection.scalar(select(func.count()).select_from(tally_values).where(mine))
            new = new[: max(MOST_VALUES - (count or 0), 0)]
        if new:
            rows = [{"dimension": dimension, "value": value} for value in new]
            connection.execute(insert_ignoring(connection, tally_values), rows)
        found |= {(dimension, value) for value in (*known, *new)}
    return found


def empty(connection: Connection) -> None:
    connection.execute(delete(tallies))
    connection.execute(delete(tally_values))


def values(connection: Connection, dimension: str, since: date, most: int) -> list[str]:
    """What was counted in a dimension in the week of `since` or later; not what is not known."""
    found = select(tallies.c.value).where(
        tallies.c.dimension == WEEK + dimension,
        tallies.c.day >= _monday(since).isoformat(),
        tallies.c.value != "",
    )
    return sorted(connection.scalars(found.distinct().limit(most)))


def scores(
    connection: Connection,
    since: date,
    until: date,
    dimension: str = SURVEY,
    survey: str | None = None,
    times: Times | None = None,
) -> list[Counted]:
    """Answers of the days from `since` up to, but not including, `until`, by survey, value, score
    and segment. With `times` the group is the day, or the Monday of its week (`2026-11-23`)."""
    spans = _spans(since, until, by_day=times == "day")
    parts = [_part(connection, span, dimension, survey, times) for span in spans]
    counted = union_all(*parts).subquery()
    names = (counted.c.survey, counted.c.grouped, counted.c.score, counted.c.segment)
    statement = select(*names, func.sum(counted.c.n)).group_by(*names)
    return [
        Counted(survey, group or None, int(score) if score else None, segment or None, answers)
        for survey, group, score, segment, answers in connection.execute(statement)
        if answers
    ]


class _Span(NamedTuple):
    """Days from `begin` up to `end`, or the Mondays of whole weeks."""

    begin: date
    end: date
    weeks: bool = False


def _spans(since: date, until: date, by_day: bool) -> list[_Span]:
    """What to read: whole weeks in the place of their days."""
    first, last = _monday(since + timedelta(days=6)), _monday(until)
    if by_day or first >= last:
        return [_Span(since, until)]
    around = (_Span(since, first), _Span(last, until))
    return [_Span(first, last, weeks=True), *(days for days in around if days.begin < days.end)]


def _part(
    connection: Connection, span: _Span, dimension: str, survey: str | None, times: Times | None
) -> Select[Any]:
    group: ColumnElement[str] = tallies.c.value
    if times is not None:
        by_monday = times == "week" and not span.weeks
        group = _monday_of_day(connection.dialect.name) if by_monday else tallies.c.day
    columns = (tallies.c.survey, group.label("grouped"), tallies.c.score, tallies.c.segment)
    statement = select(*columns, tallies.c.n).where(
        tallies.c.dimension == (WEEK + dimension if span.weeks else dimension),
        tallies.c.day >= span.begin.isoformat(),
        tallies.c.day < span.end.isoformat(),
    )
    return statement if survey is None else statement.where(tallies.c.survey == survey)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _monday_of_day(dialect: str) -> ColumnElement[str]:
    """https://www.sqlite.org/lang_datefunc.html#modifiers"""
    if dialect == "sqlite":
        return func.date(tallies.c.day, literal_column("'-6 days'"), literal_column("'weekday 1'"))
    week = func.date_trunc(literal_column("'week'"), cast(tallies.c.day, Date))
    return func.to_char(week, literal_column("'YYYY-MM-DD'"))
