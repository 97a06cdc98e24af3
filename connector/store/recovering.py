"""After a restored backup: the time of which this copy knows nothing, and what it holds back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update

from connector.store import remembered
from connector.store.gathering import GATHERING, not_before, released_state
from connector.store.tables import actions, decisions, inbox, sources

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_NAME = "recovering"
_SKEW = timedelta(minutes=5)  # a sender's clock may run ahead
HELD = "held after a restore: it may have been sent before"  # the `error` of such an action


@dataclass(frozen=True)
class Recovery:
    """What was done after `since` and before `until` is not in the copy; the far side kept it."""

    since: datetime
    until: datetime

    def covers(self, answered_at: datetime | None) -> bool:
        """May this answer have been acted on already?"""
        return answered_at is None or answered_at <= self.until + _SKEW

    def judged_at(self, answered_at: datetime | None, now: datetime) -> datetime:
        """When an answer has to be young enough to be news: what came in the lost time, and comes
        again, is not older for it."""
        return min(self.since, now) if self.covers(answered_at) else now


def current(connection: Connection) -> Recovery | None:
    found: Mapping[str, str] | None = remembered.get(connection, _NAME)
    if found is None:
        return None
    return Recovery(*(datetime.fromisoformat(found[name]) for name in ("since", "until")))


def begin(connection: Connection, since: datetime, now: datetime) -> tuple[Recovery, bool]:
    """From now on nothing of that time is sent unlooked for; True where this is a new restore.

    Said again about the same restore, the beginning of the lost time can only move back.
    """
    known = current(connection)
    again = known is not None and since <= known.until
    until = known.until if known is not None and again else now
    begun = Recovery(min(since, known.since) if known is not None else since, until)
    value = {"since": begun.since.isoformat(), "until": begun.until.isoformat()}
    remembered.put(connection, _NAME, value)
    return begun, not again


def end(connection: Connection) -> None:
    remembered.forget(connection, _NAME)


def hold(connection: Connection, looking: Collection[str]) -> None:
    """Keep back every unsent action of a sink that cannot be asked (`looking` are those that can),
    also what a flood held. Alarms to operators go out: one too many is better than none."""
    blind = _of_answers() & actions.c.sink.not_in(looking)
    unsent = actions.c.state.in_(("waiting", GATHERING, "held")) & actions.c.first_sent_at.is_(None)
    # A new fence: whoever has claimed one must not send it any more.
    values: dict[str, Any] = {"state": "held", "error": HELD, "lease_until": None}
    values["fence"] = actions.c.fence + 1
    connection.execute(update(actions).where(blind, unsent).values(**values))


def release(connection: Connection, sink: str | None, now: datetime) -> dict[str, int]:
    """Let go what `hold` and the recovery have kept back; returns how many per sink."""
    mine = (actions.c.state == "held") & (actions.c.error == HELD)
    if sink is not None:
        mine &= actions.c.sink == sink
    values = {"state": released_state(), "due_at": not_before(now), "error": None}
    let_go = update(actions).where(mine).values(**values).returning(actions.c.sink)
    return dict(Counter(connection.scalars(let_go)))


def open_actions(connection: Connection) -> Sequence[Any]:
    """(sink, state, actions) of what is not settled yet, without alarms to operators."""
    states = ("waiting", GATHERING, "sending", "held", "parked")
    statement = select(actions.c.sink, actions.c.state, func.count().label("actions"))
    chosen = _of_answers() & actions.c.state.in_(states)
    grouped = statement.where(chosen).group_by(actions.c.sink, actions.c.state)
    return connection.execute(grouped.order_by(actions.c.sink, actions.c.state)).all()


def unsettled(connection: Connection, recovery: Recovery) -> int:
    """Actions that still lean on the recovery: kept back, or of that time and not sent."""
    rows = connection.execute(
        select(actions.c.state, actions.c.error, actions.c.order).where(
            _of_answers(), actions.c.state.in_(("waiting", GATHERING, "sending", "held"))
        )
    )
    return sum(_leans(row, recovery) for row in rows)


def _leans(row: Any, recovery: Recovery) -> bool:
    return row.error == HELD or recovery.covers(answered_at(row.order))


def answered_at(order: Mapping[str, Any]) -> datetime | None:
    """Of an action's order, as it is stored."""
    told = (order.get("facts") or {}).get("answered_at")
    return datetime.fromisoformat(told) if told else None


def newest_entry(connection: Connection) -> datetime | None:
    """How far this copy reaches."""
    times = (
        connection.scalar(select(func.max(column)))
        for column in (inbox.c.received_at, decisions.c.decided_at, actions.c.finished_at)
    )
    return max((time for time in times if time is not None), default=None)


def known_sources(connection: Connection) -> dict[str, Any]:
    """Source -> its row, of those that this copy knows."""
    return {row.id: row for row in connection.execute(select(sources))}


def free_sources(connection: Connection) -> None:
    """Poll every source at once: leases and pauses of the time before mean nothing any more."""
    values = {"lease_until": None, "paused_until": None, "pause_reason": None}
    connection.execute(update(sources).values(**values))


def _of_answers() -> Any:
    return actions.c.response_id.is_not(None)
