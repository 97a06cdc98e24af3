"""Named queries for whether anything went missing: records, their decisions, and their actions,
counted by source and day (UTC). What waits is `late` where it should have moved on before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from connector.store.counting import Period, day_of, text_at
from connector.store.tables import actions, decisions, inbox, revisions

if TYPE_CHECKING:
    from collections.abc import Iterator


class Records(NamedTuple):
    """Records of one source and day in one state; `repeats`: how often they came in again, byte by
    byte, and were only counted."""

    source: str
    day: str
    state: str
    late: bool
    records: int
    repeats: int


class Decided(NamedTuple):
    """Records that became a revision. `history` is None where there is no decision; `matches` is a
    JSON list of the rules that matched, None where the person was erased."""

    source: str
    day: str
    history: bool | None
    matches: str | None
    records: int


class Made(NamedTuple):
    """Actions of one source that were made on a day. `receipt`: the far side has confirmed it."""

    source: str
    day: str
    state: str
    receipt: bool
    late: bool
    actions: int


_SLACK = timedelta(hours=1)  # ids are given out in order of arrival, but for what overlaps


def _since(connection: Connection, period: Period) -> ColumnElement[bool]:
    """What was received in the period. Nothing before the newest record that is clearly older is
    looked at: there is no index of the times."""
    older = select(inbox.c.id).where(inbox.c.received_at < period.since - _SLACK)
    first = connection.scalar(older.order_by(inbox.c.id.desc()).limit(1))
    return and_(inbox.c.id > (first or 0), period.holds(inbox.c.received_at))


def records(connection: Connection, period: Period, late: datetime) -> Iterator[Records]:
    """By the day on which they were received. `late`: what came before and is undecided is."""
    day = day_of(inbox.c.received_at, connection.dialect.name).label("day")
    is_late = _flag(and_(inbox.c.state == "new", inbox.c.received_at < late))
    repeats = func.sum(inbox.c.seen) - func.count()
    statement = select(inbox.c.source, day, inbox.c.state, is_late, func.count(), repeats)
    statement = statement.where(_since(connection, period))
    for row in connection.execute(statement.group_by(inbox.c.source, "day", inbox.c.state, "flag")):
        yield Records(row[0], row[1], row[2], bool(row[3]), row[4], int(row[5]))


def decided(connection: Connection, period: Period) -> Iterator[Decided]:
    """What was said first about each revision, by the day on which its record was received."""
    dialect = connection.dialect.name
    day = day_of(inbox.c.received_at, dialect).label("day")
    mine = and_(revisions.c.response_id == inbox.c.response_id, revisions.c.inbox_id == inbox.c.id)
    about = and_(
        decisions.c.response_id == revisions.c.response_id,
        decisions.c.revision == revisions.c.number,
    )
    first = select(func.min(decisions.c.number)).where(about).correlate(revisions).scalar_subquery()
    matches = text_at(decisions.c.verdict, ("matches",), dialect).label("matches")
    statement = (
        select(inbox.c.source, day, decisions.c.history, matches, func.count())
        .select_from(
            inbox.outerjoin(revisions, mine).outerjoin(decisions, decisions.c.number == first)
        )
        .where(inbox.c.state == "decided", _since(connection, period))
        .group_by(inbox.c.source, "day", decisions.c.history, "matches")
    )
    for row in connection.execute(statement):
        yield Decided(*row)


def made(connection: Connection, period: Period, late: datetime) -> Iterator[Made]:
    """By the day on which they were made; messages about alarms have no source and do not count.
    `late`: what was due before and is not sent is."""
    day = day_of(actions.c.created_at, connection.dialect.name).label("day")
    receipt = case((actions.c.remote_id.is_not(None), 1), else_=0).label("receipt")
    unsent = or_(actions.c.state == "waiting", actions.c.state == "sending")
    is_late = _flag(and_(unsent, actions.c.due_at < late))
    statement = (
        select(actions.c.source, day, actions.c.state, receipt, is_late, func.count())
        .where(actions.c.source.is_not(None), period.holds(actions.c.created_at))
        .group_by(actions.c.source, "day", actions.c.state, "receipt", "flag")
    )
    for row in connection.execute(statement):
        yield Made(row[0], row[1], row[2], bool(row[3]), bool(row[4]), row[5])


def _flag(condition: ColumnElement[Any]) -> Any:
    return case((condition, 1), else_=0).label("flag")
