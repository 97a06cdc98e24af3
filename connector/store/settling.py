"""Named queries for what a person ends: choosing actions, and saying what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from connector.store import cases, outbox
from connector.store.alarms import end_about
from connector.store.sets import in_chunks
from connector.store.tables import actions, attempts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SETTLED = ("parked", "in_doubt", "held")  # what a person may end


def choose(
    connection: Connection,
    states: Sequence[str],
    sink: str | None = None,
    since: datetime | None = None,
) -> Sequence[int]:
    """Actions in one of these states, of one sink or of all, made since then; the oldest first."""
    statement = select(actions.c.id).where(actions.c.state.in_(states)).order_by(actions.c.id)
    if sink is not None:
        statement = statement.where(actions.c.sink == sink)
    if since is not None:
        statement = statement.where(actions.c.created_at >= since)
    return connection.scalars(statement).all()


def resolve(
    connection: Connection,
    ids: Sequence[int],
    said: str,
    now: datetime,
    remote_id: str | None = None,
    url: str | None = None,
    *,
    there: bool,
) -> dict[str, int]:
    """End these actions as a person says, and clear their alarms; returns how many per sink.

    Args:
        said: who says so, and why; kept as a remark and among the attempts.
        there: it exists at the far side; else nothing is needed, also for a later revision.
    """
    counts: dict[str, int] = {}
    for row in _settleable(connection, ids):
        values: dict[str, Any] = {"finished_at": now, "lease_until": None, "remark": said}
        values |= {"fence": row.fence + 1, "failing_since": None}
        if there:
            values |= {"state": "done", "error": None, "first_sent_at": row.first_sent_at or now}
            values |= {"remote_id": remote_id or row.remote_id, "url": url or row.url}
        else:
            values |= {"state": "withheld", "error": f"not needed; {said}", "closed_at": now}
        if row.opens_case and not values.get("remote_id"):
            outbox.drop_amendments(connection, row, False, now)  # nobody knows where they belong
        outbox.change_action(connection, row.id, **values)
        if row.opens_case and there and (row.amends is None or row.reopens):
            _keep_case(connection, row, values.get("remote_id"), now)
        _note(connection, row, "there" if there else "not needed", said, now)
        end_about(connection, [row.id], now)
        counts[row.sink] = counts.get(row.sink, 0) + 1
    return counts


def _keep_case(connection: Connection, row: Any, remote_id: str | None, now: datetime) -> None:
    """As if its receipt had come. What opens a record again has that record's number."""
    if remote_id is None and row.reopens:
        base = select(actions.c.remote_id, actions.c.url).where(actions.c.id == row.amends)
        known = connection.execute(base).one()
        outbox.change_action(connection, row.id, remote_id=known.remote_id, url=known.url)
    priority = str(row.order.get("params", {}).get("priority") or "").lower()
    cases.keep(connection, [cases.Made(row, priority, row.respond_by)], now)


def _settleable(connection: Connection, ids: Sequence[int]) -> Iterator[Any]:
    for some in in_chunks(ids):
        chosen = actions.c.id.in_(some) & actions.c.state.in_(SETTLED)
        yield from connection.execute(select(actions).where(chosen).with_for_update()).all()


def _note(connection: Connection, row: Any, outcome: str, said: str, now: datetime) -> None:
    values = {"action_id": row.id, "number": row.attempts, "step": "resolve", "outcome": outcome}
    connection.execute(insert(attempts).values(**values, error=said, started_at=now, ended_at=now))
