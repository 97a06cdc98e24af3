"""Named queries for whoever watches the whole: how much there is, and how long it has waited."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

from sqlalchemy import Connection, func, select

from connector.domain import Door
from connector.store.limits import Standing, standings
from connector.store.tables import accounts, actions, alarms, decisions, inbox, sources

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_OPEN = ("waiting", "sending")


class Totals(NamedTuple):
    """Counted over whole tables: about a second for a million rows, so not at every look."""

    received: dict[str, int]  # source -> records
    records: dict[str, int]  # state -> records
    decided: int
    actions: dict[tuple[str, str], int]  # (sink, state) -> actions


class Moment(NamedTuple):
    """How things stand now; read through indexes, whatever the size of the tables."""

    undecided_since: datetime | None
    due_since: dict[str, datetime]  # sink -> when its oldest unsent action was due
    answers: dict[str, datetime]  # source -> when its last answer was decided
    paused_sources: dict[str, datetime]
    paused_accounts: dict[str, datetime]
    accounts: list[Standing]
    alarms: dict[str, int]  # kind -> open ones


def totals(connection: Connection) -> Totals:
    """Each count reads one index and no row."""
    by_source = select(inbox.c.source, func.count()).group_by(inbox.c.source)
    by_state = select(inbox.c.state, func.count()).group_by(inbox.c.state)
    by_sink = select(actions.c.sink, actions.c.state, func.count())
    rows = connection.execute(by_sink.group_by(actions.c.sink, actions.c.state))
    return Totals(
        received={row[0]: row[1] for row in connection.execute(by_source)},
        records={row[0]: row[1] for row in connection.execute(by_state)},
        decided=connection.scalar(select(func.count()).select_from(decisions)) or 0,
        actions={(row[0], row[1]): row[2] for row in rows},
    )


def moment(connection: Connection, sinks: Iterable[str], now: datetime) -> Moment:
    heard = select(sources.c.id, sources.c.last_answer_at, sources.c.paused_until)
    rows = connection.execute(heard).all()
    paused = select(accounts.c.account, accounts.c.paused_until)
    paused = paused.where(accounts.c.paused_until > now)
    kinds = select(alarms.c.kind, func.count()).where(alarms.c.cleared_at.is_(None))
    return Moment(
        undecided_since=_undecided_since(connection),
        due_since=due_since(connection, sinks, now),
        answers={row.id: row.last_answer_at for row in rows if row.last_answer_at is not None},
        paused_sources={row.id: row.paused_until for row in rows if _is_ahead(row[2], now)},
        paused_accounts={row[0]: row[1] for row in connection.execute(paused)},
        accounts=standings(connection, now),
        alarms={row[0]: row[1] for row in connection.execute(kinds.group_by(alarms.c.kind))},
    )


def _undecided_since(connection: Connection) -> datetime | None:
    waiting = select(inbox.c.received_at).where(inbox.c.state == "new").order_by(inbox.c.id)
    doors = [connection.scalar(waiting.where(inbox.c.door == d).limit(1)) for d in get_args(Door)]
    return min((at for at in doors if at is not None), default=None)


def due_since(connection: Connection, sinks: Iterable[str], now: datetime) -> dict[str, datetime]:
    found = {}
    for sink in sinks:
        oldest = [
            connection.scalar(
                select(func.min(actions.c.due_at)).where(
                    actions.c.sink == sink, actions.c.state == state
                )
            )
            for state in _OPEN
        ]
        due = [at for at in oldest if at is not None and at <= now]
        if due:
            found[sink] = min(due)
    return found


def _is_ahead(until: datetime | None, now: datetime) -> bool:
    return until is not None and until > now
