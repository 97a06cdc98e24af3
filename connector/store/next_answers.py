"""Named queries of what a customer answered next, after their case was closed."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, union, update

from connector.store import horizons, remembered
from connector.store.cases import Change, Event, change
from connector.store.horizons import Place
from connector.store.tables import case_events, cases, decisions, responses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_LOOKED = "next_answers_looked"  # when, and how far the decisions had been seen
_MOST = 200  # of one transaction: webhooks wait for it on SQLite
_OVERLAP = timedelta(minutes=10)  # what is written last may have been noticed earlier
# Whether a case is closed is asked of what was found: SQLite would begin with all that ever were.
_NEXT = (
    select(
        cases.c.action_id,
        cases.c.state,
        responses.c.id,
        responses.c.score,
        responses.c.segment,
        func.coalesce(responses.c.answered_at, responses.c.received_at).label("given"),
    )
    .join_from(responses, cases, cases.c.customer_id == responses.c.customer_id)
    .where(
        cases.c.next_response_id.is_(None),
        cases.c.response_id != responses.c.id,
        func.coalesce(responses.c.answered_at, responses.c.received_at) > cases.c.closed_at,
    )
)


def link(connection: Connection, now: datetime) -> int:
    """The first answer after the closing of each case belongs to it from now on; returns how many
    were found among the answers that were decided, however late, and the cases whose closing was
    told, since the last look: `_MOST` at a time, and the others when it looks again."""
    seen = remembered.get(connection, _LOOKED)
    horizon = horizons.horizon(connection)
    place = Place(*seen["place"]) if seen else Place()
    since = datetime.fromisoformat(seen["at"]) if seen else None
    first: dict[int, Any] = {}
    for row in _found(connection, place, since):
        if row.state == "closed":
            first.setdefault(row.action_id, row)
    for case, row in itertools.islice(first.items(), _MOST):
        mine = update(cases).where(cases.c.action_id == case)
        connection.execute(mine.values(next_response_id=row.id))
        what = "no score" if row.score is None else f"{row.score} {row.segment or ''}".strip()
        event = Event("answered", f"answered {row.id}", row.given, detail=what)
        change(connection, [Change(case, {}, [event])], now)
    if len(first) <= _MOST:
        looked = {"at": now.isoformat(), "place": list(horizons.further(place, horizon))}
        remembered.put(connection, _LOOKED, looked)
    return min(len(first), _MOST)


def _found(connection: Connection, place: Place, since: datetime | None) -> Sequence[Any]:
    """The earliest first. An answer is there from its decision on, which may come long after it;
    the first look is at all of them."""
    if since is None:
        return connection.execute(_NEXT.order_by("given", responses.c.id)).all()
    fresh = select(decisions.c.response_id).where(decisions.c.number > place.number)
    closings = (case_events.c.kind == "closed") & (case_events.c.noticed_at > since - _OVERLAP)
    told = select(case_events.c.action_id).where(closings)
    either = union(_NEXT.where(responses.c.id.in_(fresh)), _NEXT.where(cases.c.action_id.in_(told)))
    return connection.execute(either.order_by("given", "id")).all()
