"""Named queries of what waits for a person now: cases, and actions by sink and state. Each reads an
index from its end that is wanted, whatever the size of the tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, func, literal_column, or_, select

from connector.store.tables import accounts, actions, cases, customers, followed, responses, sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select

MOST_COUNTED = 1_000  # what is more is said as "more than"
_FOR_A_PERSON = ("parked", "in_doubt", "held")
_ON_THEIR_WAY = ("waiting", "sending", "gathering")
_CASE = (
    *(c for c in cases.c if c.name not in ("source", "told_at", "next_response_id")),
    customers.c.name.label("customer_name"),
    responses.c.content,
)
_WHOLE = cases.join(responses, responses.c.id == cases.c.response_id).outerjoin(
    customers, customers.c.id == cases.c.customer_id
)
# Written out, not bound: else the databases do not see that the index of these will do.
_UNTOUCHED = and_(cases.c.state == literal_column("'open'"), cases.c.contacted_at.is_(None))
_DETRACTORS = and_(_UNTOUCHED, cases.c.segment == "detractor")


def _overdue(now: datetime) -> ColumnElement[bool]:
    return and_(_UNTOUCHED, cases.c.respond_by < now)


def _unfinished(begun_before: datetime) -> ColumnElement[bool]:
    stuck = or_(cases.c.missing.is_not(None), cases.c.contacted_at < begun_before)
    return and_(cases.c.state == "contacted", stuck)


def _listed(where: ColumnElement[bool], order: Any, limit: int) -> Select[Any]:
    """The few are chosen before anything is joined to them."""
    few = select(cases.c.action_id).where(where).order_by(order, cases.c.action_id).limit(limit)
    chosen = cases.c.action_id.in_(select(few.subquery().c.action_id))
    return select(*_CASE).select_from(_WHOLE).where(chosen).order_by(order, cases.c.action_id)


def untouched_detractors(connection: Connection, limit: int) -> Sequence[Any]:
    """Those who have waited longest first."""
    return connection.execute(_listed(_DETRACTORS, cases.c.answered_at, limit)).all()


def overdue_cases(connection: Connection, now: datetime, limit: int) -> Sequence[Any]:
    """Nobody has begun, and a person should have; the longest overdue first."""
    return connection.execute(_listed(_overdue(now), cases.c.respond_by, limit)).all()


def unfinished_cases(connection: Connection, begun_before: datetime, limit: int) -> Sequence[Any]:
    """Somebody began long ago, or closed it without saying what has to be said."""
    statement = _listed(_unfinished(begun_before), cases.c.contacted_at, limit)
    return connection.execute(statement).all()


def counts(connection: Connection, now: datetime, begun_before: datetime) -> tuple[int, int, int]:
    """How many each of these has, counted up to a little more than MOST_COUNTED."""
    found = []
    for where in (_DETRACTORS, _overdue(now), _unfinished(begun_before)):
        some = select(cases.c.action_id).where(where).limit(MOST_COUNTED + 1).subquery()
        found.append(connection.scalar(select(func.count()).select_from(some)) or 0)
    return found[0], found[1], found[2]


def without_ticket(connection: Connection) -> dict[str, int]:
    """State -> how many answers of detractors have a ticket or task to come that is not there yet,
    each counted up to a little more than MOST_COUNTED."""
    first = actions.c.amends.is_(None) | actions.c.reopens
    wanted = actions.c.sink.in_(_sinks(connection)) & actions.c.opens_case & first
    wanted &= responses.c.segment == "detractor"
    joined = actions.join(responses, responses.c.id == actions.c.response_id)
    found: dict[str, int] = {}
    for state in (*_ON_THEIR_WAY, *_FOR_A_PERSON):
        mine = select(actions.c.id).select_from(joined).where(wanted, actions.c.state == state)
        some = mine.limit(MOST_COUNTED + 1).subquery()
        if count := connection.scalar(select(func.count()).select_from(some)):
            found[state] = count
    return found


def _sinks(connection: Connection) -> list[str]:
    """All that actions were ever made for, also those that are not configured any more; each is one
    step in an index that begins with them."""
    found: list[str] = []
    step = select(func.min(actions.c.sink))
    sink = connection.scalar(step)
    while sink is not None:
        found.append(sink)
        sink = connection.scalar(step.where(actions.c.sink > sink))
    return found


def waiting_actions(connection: Connection, sink: str) -> dict[str, int]:
    """State -> how many of this sink's actions are on their way or wait for a person."""
    mine = (actions.c.sink == sink) & actions.c.state.in_((*_FOR_A_PERSON, *_ON_THEIR_WAY))
    statement = select(actions.c.state, func.count()).where(mine).group_by(actions.c.state)
    return {row[0]: row[1] for row in connection.execute(statement)}


def source_rows(connection: Connection) -> dict[str, Any]:
    return {row.id: row for row in connection.execute(select(sources))}


def followed_rows(connection: Connection) -> dict[str, Any]:
    return {row.sink: row for row in connection.execute(select(followed))}


def account_rows(connection: Connection) -> dict[str, Any]:
    return {row.account: row for row in connection.execute(select(accounts))}


def long_ago(now: datetime) -> datetime:
    """A case that was begun before then and is not closed is worth a look."""
    return now - timedelta(days=7)
