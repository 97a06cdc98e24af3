"""The story of one action: what was ordered, each attempt, what the far side said, who decided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.reports.request import readable
from connector.store import auditing, browsing, deliveries

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TO_COME = ("waiting", "gathering", "sending")


class Attempt(NamedTuple):
    number: int
    step: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    error: str


class Story(NamedTuple):
    """`row` is the action with the answer it is about. `order` and `request` are for people."""

    row: Any
    order: str
    request: str
    attempts: Sequence[Attempt]
    amendments: Sequence[Any]
    notes: Sequence[Any]
    next_at: datetime | None


def story(connection: Connection, action: int) -> Story | None:
    row = deliveries.one(connection, action)
    if row is None:
        return None
    tries = browsing.attempts_of(connection, action)
    return Story(
        row=row,
        order=json.dumps(row.order, indent=2, ensure_ascii=False) if row.order else "",
        request=readable(row.request) if row.request else "",
        attempts=[
            Attempt(t.number, t.step, t.started_at, t.ended_at, t.outcome or "", t.error or "")
            for t in tries
        ],
        amendments=deliveries.amendments(connection, action, row.response_id),
        notes=auditing.notes(connection, 50, f"action {action}"),
        next_at=row.due_at if row.state in _TO_COME else None,
    )
