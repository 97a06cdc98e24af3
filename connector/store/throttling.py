"""Named queries of attempts to sign in: counted in the database, so that all processes share the
count and a restart forgets none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, delete, select, update

from connector.store.arrivals import insert_ignoring
from connector.store.tables import sign_in_attempts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

_KEPT = timedelta(hours=1)  # longer than any window


def blocked_until(
    connection: Connection, limits: Mapping[str, int], now: datetime, window: timedelta
) -> datetime | None:
    """When all of these may be tried again, None where now. `limits`: subject -> most."""
    table = sign_in_attempts
    counted = select(table).where(table.c.subject.in_(limits), table.c.since > now - window)
    ends = [
        row.since + window
        for row in connection.execute(counted)
        if row.attempts >= limits[row.subject]
    ]
    return max(ends, default=None)


def count_attempt(
    connection: Connection, subject: str, now: datetime, window: timedelta
) -> tuple[int, datetime]:
    """One more; returns how many there are in its window, and when that ends. It is one statement,
    so that attempts at the same moment cannot all be the first."""
    table = sign_in_attempts
    over = table.c.since <= now - window
    new = insert_ignoring(connection, table).values(subject=subject, attempts=1, since=now)
    counted = new.on_conflict_do_update(
        index_elements=["subject"],
        set_={
            "attempts": case((over, 1), else_=table.c.attempts + 1),
            "since": case((over, now), else_=table.c.since),
        },
    )
    row = connection.execute(counted.returning(table.c.attempts, table.c.since)).one()
    return row.attempts, row.since + window


def forget_attempts(connection: Connection, subject: str) -> None:
    table = sign_in_attempts
    connection.execute(delete(table).where(table.c.subject == subject))


def take_back_attempt(connection: Connection, subject: str) -> None:
    """One of them was good."""
    table = sign_in_attempts
    less = update(table).where(table.c.subject == subject, table.c.attempts > 0)
    connection.execute(less.values(attempts=table.c.attempts - 1))


def forget_old_attempts(connection: Connection, now: datetime) -> None:
    table = sign_in_attempts
    connection.execute(delete(table).where(table.c.since <= now - _KEPT))
