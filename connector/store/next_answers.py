"""Named queries of what a customer answered next, after their case was closed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, or_, select, update

from connector.store import remembered
from connector.store.cases import Change, Event, change
from connector.store.tables import case_events, cases, responses

if TYPE_CHECKING:
    from typing import Any

_SEEN = "next_answers_seen_until"
_OVERLAP = timedelta(minutes=10)  # what is written last may have been received earlier


def link(connection: Connection, now: datetime) -> int:
    """The first answer after the closing of each case belongs to it from now on; returns how many
    were found among the answers that have come in, and the cases whose closing was told, since the
    last look."""
    seen = remembered.get(connection, _SEEN)
    since = datetime.fromisoformat(seen) if seen else None
    given = func.coalesce(responses.c.answered_at, responses.c.received_at)
    statement = (
        select(cases.c.action_id, responses.c.id, responses.c.score, responses.c.segment, given)
        .join_from(responses, cases, cases.c.customer_id == responses.c.customer_id)
        .where(
            cases.c.state == "closed",
            cases.c.next_response_id.is_(None),
            cases.c.response_id != responses.c.id,
            given > cases.c.closed_at,
        )
        .order_by(given, responses.c.id)
    )
    if since is not None:
        lately = since - _OVERLAP
        told = (case_events.c.kind == "closed") & (case_events.c.noticed_at > lately)
        known_late = cases.c.action_id.in_(select(case_events.c.action_id).where(told))
        statement = statement.where(or_(responses.c.received_at > lately, known_late))
    first: dict[int, Any] = {}
    for row in connection.execute(statement):
        first.setdefault(row.action_id, row)
    for case, row in first.items():
        mine = update(cases).where(cases.c.action_id == case)
        connection.execute(mine.values(next_response_id=row.id))
        what = "no score" if row.score is None else f"{row.score} {row.segment or ''}".strip()
        event = Event("answered", f"answered {row.id}", row[4], detail=what)
        change(connection, [Change(case, {}, [event])], now)
    remembered.put(connection, _SEEN, now.isoformat())
    return len(first)
