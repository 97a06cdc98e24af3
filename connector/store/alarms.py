"""Named queries of alarms: one open row per (kind, subject), however often it recurs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from connector.store.tables import alarms

if TYPE_CHECKING:
    from collections.abc import Sequence


def raise_alarm(
    connection: Connection, kind: str, subject: str, message: str, now: datetime
) -> None:
    """Open an alarm, or count it once more while it is open."""
    open_one = (
        (alarms.c.kind == kind) & (alarms.c.subject == subject) & alarms.c.cleared_at.is_(None)
    )
    again = (
        update(alarms)
        .where(open_one)
        .values(count=alarms.c.count + 1, last_at=now, message=message)
    )
    if connection.execute(again).rowcount == 0:
        row = {"kind": kind, "subject": subject, "message": message, "raised_at": now}
        connection.execute(insert(alarms).values(**row, last_at=now))


def clear_alarm(connection: Connection, kind: str, subject: str, now: datetime) -> None:
    connection.execute(
        update(alarms)
        .where(alarms.c.kind == kind, alarms.c.subject == subject, alarms.c.cleared_at.is_(None))
        .values(cleared_at=now)
    )


def open_alarms(connection: Connection) -> Sequence[Any]:
    statement = select(alarms).where(alarms.c.cleared_at.is_(None)).order_by(alarms.c.id)
    return connection.execute(statement).all()


def unannounced(connection: Connection) -> Sequence[Any]:
    statement = select(alarms).where(alarms.c.announced_at.is_(None)).order_by(alarms.c.id)
    return connection.execute(statement).all()


def announced(connection: Connection, alarm: int, now: datetime) -> None:
    connection.execute(update(alarms).where(alarms.c.id == alarm).values(announced_at=now))
