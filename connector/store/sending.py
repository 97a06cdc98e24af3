"""Named queries of sending: claim with lease and fencing token, mark as sending, record, give back.

A round is written in sets: each statement here is built once, and runs for all actions of a round.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)

from connector import faultpoints
from connector.store.sets import ForEach
from connector.store.tables import accounts, actions, attempts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Select, Update

    from connector.domain import Receipt
    from connector.store.sets import Columns

_base = actions.alias("base")
_earlier = actions.alias("earlier")
_by_due_time = attrgetter("due_at", "id")


def _state_is(word: str) -> ColumnElement[bool]:
    """The words stand in the statements, not among what is bound once for each action."""
    return actions.c.state == literal_column(f"'{word}'")


_IS_OPEN = or_(_state_is("waiting"), _state_is("sending"))


def _has_its_turn() -> ColumnElement[bool]:
    """An amendment waits until its case exists at the far side, and for amendments before it."""
    made = select(_base.c.state).where(_base.c.id == actions.c.amends).correlate(actions)
    before = exists().where(
        _earlier.c.response_id == actions.c.response_id,
        _earlier.c.amends == actions.c.amends,
        _earlier.c.id < actions.c.id,
        _earlier.c.state.in_(("waiting", "sending")),
    )
    is_made = made.scalar_subquery() == "done"
    return or_(actions.c.amends.is_(None), and_(is_made, ~before.correlate(actions)))


def _due(state: str) -> Select[Any]:
    """The longest due first, as the index of sink, state and due time gives them."""
    now = bindparam("now", type_=actions.c.due_at.type)
    paused = select(accounts.c.account).where(accounts.c.paused_until > now)
    return (
        select(actions.c.id)
        .where(
            actions.c.sink == bindparam("of_sink"),
            _state_is(state),
            actions.c.due_at <= now,
            or_(actions.c.lease_until.is_(None), actions.c.lease_until <= now),
            actions.c.account.not_in(paused),
            _has_its_turn(),
        )
        .order_by(actions.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=actions)
    )


_CLAIMED = (
    *("id", "key", "fence", "response_id", "customer_id", "sink", "account", "kind", "to_customer"),
    *("amends", "reopens", "state", "due_at", "attempts", "request", "first_sent_at"),
    *("last_sent_at", "failing_since", "digest"),
)


def _claiming() -> Any:
    unheard, unsent = _due("sending").cte("unheard"), _due("waiting").cte("unsent")
    either = union_all(select(unheard.c.id), select(unsent.c.id)).limit(bindparam("most"))
    chosen = either.cte("chosen")
    columns = [actions.c[name] for name in _CLAIMED]
    return (
        update(actions)
        .where(actions.c.id.in_(select(chosen.c.id)))
        .values(lease_until=bindparam("until"), fence=actions.c.fence + 1)
        .returning(*columns, cast(actions.c.order, Text).label("order"))
    )


_CLAIM = _claiming()


def claim(
    connection: Connection, sink: str, limit: int, now: datetime, lease: timedelta
) -> Sequence[Any]:
    """Lease at most `limit` of this sink's due actions, the unheard ones first.

    Each gets a new fencing token, so that a stale holder's misses. `order` comes as JSON text;
    what nobody in a round asks for is left out.
    """
    values = {"of_sink": sink, "most": limit, "now": now, "until": now + lease}
    return sorted(connection.execute(_CLAIM, values), key=_by_due_time)


def cases_of(connection: Connection, claimed: Collection[Any]) -> dict[int, str | None]:
    """The cases that these amend, with their remote ids."""
    amended = {row.amends for row in claimed if row.amends is not None}
    if not amended:
        return {}
    statement = select(actions.c.id, actions.c.remote_id).where(actions.c.id.in_(amended))
    return {row.id: row.remote_id for row in connection.execute(statement)}


def next_due(connection: Connection, sink: str, now: datetime) -> datetime | None:
    """When this sink has something to do next; an account's pause and running leases count.

    An amendment whose case is not made yet is not due: the case is, or waits for a person.
    """
    rows = connection.execute(
        select(actions.c.due_at, actions.c.lease_until, accounts.c.paused_until)
        .outerjoin(accounts, accounts.c.account == actions.c.account)
        .where(actions.c.sink == sink, _IS_OPEN, _has_its_turn())
        .order_by(actions.c.due_at)
        .limit(50)
    ).all()
    times: list[datetime] = [max(t for t in (*row, now) if t is not None) for row in rows]
    return min(times, default=None)


def still_mine(connection: Connection, claimed: Collection[Any]) -> set[int]:
    """Which of these are unchanged since we claimed them; locked until the transaction ends."""
    fences = {row.id: row.fence for row in claimed}
    if faultpoints.broken("fence"):
        return set(fences)
    statement = select(actions.c.id, actions.c.fence).where(actions.c.id.in_(fences), _IS_OPEN)
    rows = connection.execute(statement.order_by(actions.c.id).with_for_update()).all()
    return {row.id for row in rows if row.fence == fences[row.id]}


def _ours(of: Columns, fenced: bool = True) -> Update:
    """An update of what has not been taken from us."""
    fence = actions.c.fence == of["its_fence"] if fenced else true()
    return update(actions).where(actions.c.id == of["its_id"], fence, _IS_OPEN)


def _marked(of: Columns, fenced: bool = True) -> Update:
    return _ours(of, fenced).values(
        state=literal_column("'sending'"),
        request=of["body"],
        attempts=actions.c.attempts + 1,
        first_sent_at=of["first"],
        last_sent_at=bindparam("now"),
        lease_until=bindparam("until"),
    )


_ITS = {"its_id": actions.c.id.type, "its_fence": actions.c.fence.type}
_SENT = {"body": actions.c.request.type, "first": actions.c.first_sent_at.type}
_BEFORE = {"was": actions.c.state.type, "tries": actions.c.attempts.type}
_BEFORE |= {"last": actions.c.last_sent_at.type}
_RENEW = ForEach(
    _ITS,
    lambda of: (
        _ours(of).where(actions.c.lease_until.is_not(None)).values(lease_until=bindparam("until"))
    ),
)
_START = ForEach(_ITS | _SENT, _marked)
_START_UNFENCED = ForEach(_ITS | _SENT, lambda of: _marked(of, fenced=False))
_GIVE_BACK = ForEach(
    _ITS | _SENT | _BEFORE,
    lambda of: _ours(of).values(
        state=of["was"],
        request=of["body"],
        attempts=of["tries"],
        first_sent_at=of["first"],
        last_sent_at=of["last"],
        lease_until=None,
    ),
)


class Start(NamedTuple):
    """One action that is about to be sent: the bytes to freeze, and since when they may exist."""

    row: Any
    body: bytes
    first_sent_at: datetime


def start(
    connection: Connection, starts: Sequence[Start], now: datetime, lease: timedelta
) -> set[int]:
    """Mark as being sent those that are still ours, and return these."""
    rows = [(one.row.id, one.row.fence, one.body, one.first_sent_at) for one in starts]
    marking = _START_UNFENCED if faultpoints.broken("fence") else _START
    if not faultpoints.broken("sending"):
        marked = marking.run(connection, sorted(rows), now=now, until=now + lease)
        if marked == len(rows):
            return {row[0] for row in rows}
    return still_mine(connection, [one.row for one in starts])


def renew(
    connection: Connection, claimed: Collection[Any], now: datetime, lease: timedelta
) -> None:
    """Longer leases for what is still ours; not for what was let go before its round is over."""
    _RENEW.run(connection, sorted((row.id, row.fence) for row in claimed), until=now + lease)


def give_back(connection: Connection, claimed: Collection[Any]) -> None:
    """Undo claim and start of what was not called after all: as if it had never been in hand."""
    names = ("id", "fence", "request", "first_sent_at", "state", "attempts", "last_sent_at")
    _GIVE_BACK.run(connection, sorted(map(attrgetter(*names), claimed), key=itemgetter(0)))


_KEEP = ForEach(
    {
        "its_id": actions.c.id.type,
        "remote": actions.c.remote_id.type,
        "where": actions.c.url.type,
        "said": actions.c.remark.type,
    },
    lambda of: (
        update(actions)
        .where(actions.c.id == of["its_id"], actions.c.state != literal_column("'superseded'"))
        .values(
            state=literal_column("'done'"),
            remote_id=of["remote"],
            url=of["where"],
            remark=of["said"],
            # Whoever had it after us may have been sure that nothing is there.
            first_sent_at=func.coalesce(actions.c.first_sent_at, bindparam("now")),
            finished_at=bindparam("now"),
            lease_until=None,
            error=None,
            failing_since=None,
        )
    ),
)


def keep_receipts(connection: Connection, made: Mapping[int, Receipt], now: datetime) -> set[int]:
    """These are done, whoever has them by now; returns those that could not be, because their
    person was erased meanwhile."""
    rows = [(id, made[id].remote_id, made[id].url, made[id].remark or None) for id in sorted(made)]
    if _KEEP.run(connection, rows, now=now) == len(rows):
        return set()
    gone = actions.c.id.in_(list(made)) & _state_is("superseded")
    return set(connection.scalars(select(actions.c.id).where(gone)))


_TRY = ("action_id", "number", "step", "started_at", "ended_at", "outcome", "error")
_ADD_ATTEMPTS = ForEach(
    {f"its_{name}": attempts.c[name].type for name in _TRY},
    lambda of: insert(attempts).from_select(_TRY, select(*(of[f"its_{name}"] for name in _TRY))),
)


class Attempt(NamedTuple):
    """One row of `attempts`; it is written when it is over."""

    action_id: int
    number: int
    step: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    error: str | None = None


def add_attempts(connection: Connection, tried: Sequence[Attempt]) -> None:
    _ADD_ATTEMPTS.run(connection, tried)


def add_unheard(connection: Connection, claimed: Iterable[Any]) -> None:
    """Whoever sent these ended before anything was recorded: their attempts have no outcome."""
    rows = {row.id: row for row in claimed}
    sends = (attempts.c.step == "send") & attempts.c.action_id.in_(rows)
    latest = select(attempts.c.action_id, func.max(attempts.c.started_at)).where(sends)
    told = connection.execute(latest.group_by(attempts.c.action_id))
    known: dict[int, datetime] = {row[0]: row[1] for row in told}
    add_attempts(
        connection,
        [
            Attempt(row.id, row.attempts, "send", row.last_sent_at)
            for row in rows.values()
            if row.id not in known or known[row.id] < row.last_sent_at
        ],
    )


def free_leases(connection: Connection) -> None:
    """For the only engine of a store, at its start: whoever held these is dead."""
    held = actions.c.lease_until.is_not(None)
    connection.execute(
        update(actions).where(held).values(lease_until=None, fence=actions.c.fence + 1)
    )
