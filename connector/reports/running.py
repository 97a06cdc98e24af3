"""Whether every source is heard and every sink can be reached, and what its account allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.domain import Value
from connector.limits import usable
from connector.store import waiting
from connector.store.health import due_since
from connector.store.limits import Standing, standings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import Settings


class SourceState(Value):
    id: str
    type: str
    last_answer_at: datetime | None
    polled_at: datetime | None
    paused_until: datetime | None
    reason: str
    expect_every: timedelta | None
    silent_since: datetime | None


class SinkState(Value):
    """`waiting` actions are on their way, the others need a person. `limit` and `left` are calls in
    `window`; None where none is known."""

    id: str
    type: str
    account: str
    waiting: int
    parked: int
    in_doubt: int
    held: int
    due_since: datetime | None
    paused_until: datetime | None
    paused_by: str
    reason: str
    limit: int | None
    window: timedelta | None
    left: int | None
    quota: int | None
    quota_used: int | None
    followed_at: datetime | None
    heard_at: datetime | None
    follow_error: str


def sources(connection: Connection, settings: Settings, now: datetime) -> tuple[SourceState, ...]:
    rows = waiting.source_rows(connection)
    return tuple(_source(id, source, rows.get(id), now) for id, source in settings.sources.items())


def _source(id: str, source: Any, row: Any, now: datetime) -> SourceState:
    last = row and (row.last_answer_at or row.added_at)
    silent = last and source.expect_every is not None and now - last > source.expect_every
    paused = row is not None and row.paused_until is not None and row.paused_until > now
    return SourceState(
        id=id,
        type=source.type,
        last_answer_at=row and row.last_answer_at,
        polled_at=row and row.polled_at,
        paused_until=row.paused_until if paused else None,
        reason=str(row.pause_reason or "") if paused else "",
        expect_every=source.expect_every,
        silent_since=last if silent else None,
    )


def sinks(
    connection: Connection, settings: Settings, accounts: Mapping[str, str], now: datetime
) -> tuple[SinkState, ...]:
    """`accounts`: sink -> what its vendor limits."""
    stands = {one.account: one for one in standings(connection, now)}
    paused = waiting.account_rows(connection)
    followed = waiting.followed_rows(connection)
    due = due_since(connection, settings.sinks, now)
    return tuple(
        SinkState(
            id=id,
            type=sink.type,
            account=accounts[id],
            **_numbers(waiting.waiting_actions(connection, id)),
            due_since=due.get(id),
            **_account(stands.get(accounts[id]), paused.get(accounts[id]), now),
            **_follows(followed.get(id)),
        )
        for id, sink in settings.sinks.items()
    )


def _numbers(counts: Mapping[str, int]) -> dict[str, Any]:
    for_a_person = ("parked", "in_doubt", "held")
    told = {state: counts.get(state, 0) for state in for_a_person}
    return {"waiting": sum(counts.values()) - sum(told.values()), **told}


def _account(stands: Standing | None, row: Any, now: datetime) -> dict[str, Any]:
    paused = row is not None and row.paused_until is not None and row.paused_until > now
    limit = stands and stands.limit
    quota = stands and stands.quota
    return {
        "paused_until": row.paused_until if paused else None,
        "paused_by": row.paused_by or "" if paused else "",
        "reason": row.reason or "" if paused else "",
        "limit": usable(limit, stands.share) if stands and limit else None,
        "window": timedelta(seconds=limit.seconds) if limit else None,
        "left": stands.left if stands and limit else None,
        "quota": quota.calls if quota else None,
        "quota_used": quota.used if quota else None,
    }


def _follows(row: Any) -> dict[str, Any]:
    return {
        "followed_at": row and row.asked_at,
        "heard_at": row and row.heard_at,
        "follow_error": (row and row.error) or "",
    }
