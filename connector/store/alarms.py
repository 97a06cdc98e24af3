"""Named queries of alarms: one open row per (kind, subject), however often it recurs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, bindparam, case, null, select, update

from connector.store.arrivals import insert_ignoring
from connector.store.tables import alarms

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

AlarmKind = Literal[
    "alarm-channel",
    "coverage",
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
    "unfollowed",
    "unrendered",
    "untouched",
]
CHANNEL: AlarmKind = (
    "alarm-channel"  # the channel itself fails: said in the log alone, or it would never end
)
_END_ABOUT = (
    update(alarms)
    .where(
        alarms.c.kind.in_(("parked", "in_doubt")),
        alarms.c.subject.in_(bindparam("subjects", expanding=True)),
        alarms.c.cleared_at.is_(None),
    )
    .values(cleared_at=bindparam("now"))
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


def clear_kinds(
    connection: Connection, kinds: Collection[AlarmKind], now: datetime, subject: str | None = None
) -> None:
    """All of these kinds, about one subject or about any."""
    about = alarms.c.kind.in_(kinds) & alarms.c.cleared_at.is_(None)
    if subject is not None:
        about &= alarms.c.subject == subject
    connection.execute(update(alarms).where(about).values(cleared_at=now))


def clear_quiet(connection: Connection, kinds: Collection[AlarmKind], now: datetime) -> None:
    """What has not happened again for a day is over."""
    quiet = alarms.c.kind.in_(kinds) & (alarms.c.last_at <= now - _QUIET)
    connection.execute(
        update(alarms).where(quiet, alarms.c.cleared_at.is_(None)).values(cleared_at=now)
    )


def end_about(connection: Connection, actions: Collection[int], now: datetime) -> None:
    """These actions are neither parked nor in doubt any more."""
    subjects = [f"action {id}" for id in actions]
    connection.execute(_END_ABOUT, {"subjects": subjects, "now": now})


def open_alarms(connection: Connection) -> Sequence[Any]:
    statement = select(alarms).where(alarms.c.cleared_at.is_(None)).order_by(alarms.c.id)
    return connection.execute(statement).all()


def list_alarms(connection: Connection, over: bool, limit: int) -> Sequence[Any]:
    """The newest, the oldest of them first; open ones, or those that are over as well."""
    statement = select(alarms).order_by(alarms.c.id.desc()).limit(limit)
    if not over:
        statement = statement.where(alarms.c.cleared_at.is_(None))
    return connection.execute(statement).all()[::-1]


def end(connection: Connection, ids: Sequence[int], said: str, now: datetime) -> set[int]:
    """End these as a person says, whose words are kept; returns those that were open."""
    chosen = alarms.c.id.in_(ids) & alarms.c.cleared_at.is_(None)
    values = {"cleared_at": now, "message": alarms.c.message + f" ({said})"}
    return set(
        connection.scalars(update(alarms).where(chosen).values(values).returning(alarms.c.id))
    )


def unannounced(connection: Connection) -> Sequence[Any]:
    """What nobody was told of; locked, so that two processes do not tell the same."""
    statement = select(alarms).where(alarms.c.announced_at.is_(None)).order_by(alarms.c.id)
    return connection.execute(statement.with_for_update(skip_locked=True)).all()


def announced(connection: Connection, alarm: int, now: datetime) -> None:
    connection.execute(update(alarms).where(alarms.c.id == alarm).values(announced_at=now))
