"""Named queries of days: cases counted by the day of their answer. Nothing counted here depends on
the clock, once all that was promised is due; a day whose cases have changed is counted anew.

Triggers note each change (`case_changes`) in its own transaction. Counting reads all notes of a day
first, then its cases; what is counted is kept only if these are still its notes, and takes them
away. So what was changed meanwhile has a note that stays, and of two who count the same day at
once, one keeps nothing. Whoever reads does so in one snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, union

from connector.store import case_counting
from connector.store.case_counting import Chosen
from connector.store.counting import NOTHING, By, Period, day_of
from connector.store.sets import in_chunks
from connector.store.tables import case_changes, case_days, cases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

OF_ALL = ""
DIMENSIONS = (OF_ALL, "team", "owner", "rule_id", "source", "segment")
_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)  # all that was promised is due
_FIRST = "1970-01-01"  # what was answered before, or is still to come, is counted case by case

Entry = list[Any]  # survey, group, ..., and a list of what was counted


class Counted(NamedTuple):
    """Days that have been counted, with the notes of changes that led to it."""

    notes: Mapping[str, Sequence[int]]
    rows: Sequence[dict[str, Any]]


def noted(connection: Connection, today: date) -> int:
    """How many days are to be counted."""
    days = func.count(case_changes.c.day.distinct())
    return connection.scalar(select(days).where(*_is_over(today))) or 0


def count(connection: Connection, today: date, most: int) -> Counted | None:
    """Count those days before today that have waited longest; None where nothing has changed."""
    waiting = select(case_changes.c.day).where(*_is_over(today)).group_by(case_changes.c.day)
    oldest = waiting.order_by(func.min(case_changes.c.id)).limit(most)
    notes = _notes(connection, connection.scalars(oldest).all())
    return Counted(notes, list(_rows(connection, notes))) if notes else None


def keep(connection: Connection, counted: Counted) -> int:
    """In place of what was counted before; returns of how many days. Of a day that has changed
    since, or that another process was faster with, nothing is kept."""
    there = _notes(connection, counted.notes, lock=True)
    mine = {day for day, notes in counted.notes.items() if there.get(day) == notes}
    connection.execute(delete(case_days).where(case_days.c.day.in_(mine)))
    if rows := [row for row in counted.rows if row["day"] in mine]:
        connection.execute(insert(case_days), rows)
    for some in in_chunks([id for day in sorted(mine) for id in counted.notes[day]]):
        connection.execute(delete(case_changes).where(case_changes.c.id.in_(some)))
    return len(mine)


def _is_over(today: date) -> tuple[ColumnElement[bool], ...]:
    return case_changes.c.day >= _FIRST, case_changes.c.day < today.isoformat()


def _notes(
    connection: Connection, days: Collection[str], lock: bool = False
) -> dict[str, list[int]]:
    statement = select(case_changes).where(case_changes.c.day.in_(days)).order_by(case_changes.c.id)
    found: dict[str, list[int]] = {}
    for id, day in connection.execute(statement.with_for_update() if lock else statement):
        found.setdefault(day, []).append(id)
    return found


def forget(connection: Connection, days: Collection[date]) -> None:
    """What was counted may quote somebody who is erased; the cases have changed, and say so."""
    gone = case_days.c.day.in_([day.isoformat() for day in days])
    connection.execute(delete(case_days).where(gone))


def dimension_of(by: By) -> str | None:
    """Where cases are counted by it; None where they are not, as by what their customers are."""
    if by.kind == "case":
        (name,) = by.path
        name = OF_ALL if name == "survey" else name  # which each entry names
        return name if name in DIMENSIONS else None
    return OF_ALL if by == NOTHING else None


def uncounted(connection: Connection, since: date, until: date, now: datetime) -> set[date]:
    """Days from `since` up to, but not including, `until` that have changed since they were
    counted, or some of whose cases have time left."""
    first, end = since.isoformat(), until.isoformat()
    changed = select(case_changes.c.day).where(
        case_changes.c.day >= first, case_changes.c.day < end
    )
    early = select(case_days.c.day).where(
        case_days.c.dimension == OF_ALL,
        case_days.c.day >= first,
        case_days.c.day < end,
        case_days.c.due_by > now,
    )
    return {date.fromisoformat(day) for day in connection.scalars(union(changed, early))}


def runs(days: Iterable[date]) -> list[Period]:
    """The same days, those that follow each other as one."""
    found: list[Period] = []
    for day in sorted(days):
        begin = datetime.combine(day, time(), UTC)
        since = found.pop().since if found and found[-1].until == begin else begin
        found.append(Period(since, begin + timedelta(days=1)))
    return found


def entries(
    connection: Connection, what: str, dimension: str, since: date, until: date
) -> Iterator[tuple[date, list[Entry]]]:
    """What was counted of each day: `figures`, `waits`, `working_waits` or `endings`."""
    statement = select(case_days.c.day, case_days.c[what]).where(
        case_days.c.dimension == dimension,
        case_days.c.day >= since.isoformat(),
        case_days.c.day < until.isoformat(),
    )
    for day, said in connection.execute(statement):
        yield date.fromisoformat(day), from_json(said)


def count_again(connection: Connection) -> None:
    """Forget what is kept; every day has changed."""
    connection.execute(delete(case_days))
    days = select(day_of(cases.c.answered_at, connection.dialect.name)).distinct()
    connection.execute(insert(case_changes).from_select(["day"], days))


def _rows(connection: Connection, days: Collection[str]) -> Iterator[dict[str, Any]]:
    spans = runs(map(date.fromisoformat, days))
    where = or_(*(span.holds(cases.c.answered_at) for span in spans))
    day = day_of(cases.c.answered_at, connection.dialect.name).label("day")
    last_due = select(day, func.max(cases.c.respond_by)).where(where).group_by("day")
    due_by = connection.execute(last_due).all()
    for dimension in DIMENSIONS:
        by = By("case", (dimension,)) if dimension else NOTHING
        counted = _counted(connection, Chosen(spans, by, apart=("day", "survey")))
        for one, due in due_by:
            said = {what: to_json(of.get(one, [])).decode() for what, of in counted.items()}
            yield {"dimension": dimension, "day": one, "due_by": due, **said}


def _counted(connection: Connection, chosen: Chosen) -> dict[str, dict[str, list[Entry]]]:
    """What is counted, by day. Of waits and endings each case's own: counting them is quicker than
    adding up counts of one."""
    figures = case_counting.figures(connection, chosen, _FOREVER)
    waits = case_counting.waits(connection, chosen)
    working_waits = case_counting.working_waits(connection, chosen, _FOREVER)
    endings = case_counting.endings(connection, chosen) if chosen.by == NOTHING else ()
    return {
        "figures": _packed((one[:3], one[3:]) for one in figures),
        "waits": _packed((one[:4], one[4:5] * one[5]) for one in waits),
        "working_waits": _packed((one[:3], one[3:4] * one[4]) for one in working_waits),
        "endings": _packed((one[:4], one[4:5] * one[5]) for one in endings),
    }


def _packed(rows: Iterable[tuple[Sequence[Any], Sequence[Any]]]) -> dict[str, list[Entry]]:
    """By day, which each row begins with: the rest of the same head in one list."""
    found: dict[str, dict[tuple[Any, ...], list[Any]]] = defaultdict(lambda: defaultdict(list))
    for (day, *head), rest in rows:
        found[day][tuple(head)] += rest
    return {day: [[*head, rest] for head, rest in of.items()] for day, of in found.items()}
