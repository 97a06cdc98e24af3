"""Named queries of alarms: one open row per (kind, subject), however often it recurs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, case, null, select, update

from connector.store.arrivals import insert_ignoring
from connector.store.tables import alarms

if TYPE_CHECKING:
    from collections.abc import Sequence

AlarmKind = Literal[
    "alarm-channel",
    "engine",
    "erased",
    "in_doubt",
    "parked",
    "quota",
    "recovering",
    "remark",
    "rules",
    "silent",
    "sink-failing",
    "sink-missing",
    "sink-paused",
    "source-missing",
    "source-paused",
    "surge",
    "undecided",
    "unknown-survey",
    "unrendered",
]
CHANNEL: AlarmKind = (
    "alarm-channel"  # the channel itself fails: said in the log alone, or it would never end
)
_QUIET = timedelta(days=1)  # what comes back after so long is news again


def raise_alarm(
    connection: Connection, kind: AlarmKind, subject: str, message: str, now: datetime
) -> None:
    """Open an alarm, or count it once more while it is open."""
    row = {"kind": kind, "subject": subject[:200], "message": message, "raised_at": now}
    statement = insert_ignoring(connection, alarms).values(**row, last_at=now)
    quiet = alarms.c.last_at <= now - _QUIET
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "subject"],
            index_where=alarms.c.cleared_at.is_(None),
            set_={
                "count": alarms.c.count + 1,
                "message": message,
                "last_at": now,
                "announced_at": case((quiet, null()), else_=alarms.c.announced_at),
            },
        )
    )


def clear_alarm(connection: Connection, kind: AlarmKind, subject: str, now: datetime) -> None:
    connection.execute(
        update(alarms)
        .where(alarms.c.kind == kind, alarms.c.subject == subject, alarms.c.cleared_at.is_(None))
        .values(cleared_at=now)
    )


def open_alarms(connection: Connection) -> Sequence[Any]:
    statement = select(alarms).where(alarms.c.cleared_at.is_(None)).order_by(alarms.c.id)
    return connection.execute(statement).all()


def unannounced(connection: Connection) -> Sequence[Any]:
    """What nobody was told of; locked, so that two processes do not tell the same."""
    statement = select(alarms).where(alarms.c.announced_at.is_(None)).order_by(alarms.c.id)
    return connection.execute(statement.with_for_update(skip_locked=True)).all()


def announced(connection: Connection, alarm: int, now: datetime) -> None:
    connection.execute(update(alarms).where(alarms.c.id == alarm).values(announced_at=now))
