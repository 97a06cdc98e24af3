"""Named queries of the outbox: put, change, hold, retry; `store.sending` is how its rows go out."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, case, func, insert, or_, select, update

from connector.store.alarms import end_about
from connector.store.arrivals import insert_ignoring
from connector.store.gathering import GATHERING, not_before, released_state
from connector.store.sets import in_chunks
from connector.store.tables import accounts, actions, cases

if TYPE_CHECKING:
    from collections.abc import Sequence

FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
_OPEN = ("waiting", "sending")
UNSENT = ("waiting", GATHERING, "held", "superseded", "withheld")

_ADD_ACTIONS = insert(actions)
_OF_RESPONSE = (
    select(actions)
    .where(
        actions.c.response_id == bindparam("response"),
        actions.c.rule_id.not_like("escalation/%"),  # no revision takes these back
    )
    .order_by(actions.c.id)
    .with_for_update()
)
_CASES_SINCE = select(func.count()).select_from(
    select(actions.c.id)
    .where(
        actions.c.source == bindparam("source"),
        actions.c.opens_case,
        or_(actions.c.amends.is_(None), actions.c.reopens),
        actions.c.created_at >= bindparam("since"),
    )
    .limit(bindparam("enough"))
    .subquery()
)


def add_action(connection: Connection, row: dict[str, Any]) -> int:
    number: int = connection.execute(
        insert(actions).values(**row).returning(actions.c.id)
    ).scalar_one()
    return number


def add_actions(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Many with the same columns."""
    if rows:
        connection.execute(_ADD_ACTIONS, rows)


def actions_of(connection: Connection, response: str) -> Sequence[Any]:
    """What there is for this response, oldest first; locked until the transaction ends."""
    return connection.execute(_OF_RESPONSE, {"response": response}).all()


def change_action(connection: Connection, action: int, **values: object) -> None:
    connection.execute(update(actions).where(actions.c.id == action).values(**values))


def give_to(connection: Connection, response: str, customer: str) -> None:
    """A revision told who had answered: their open cases are theirs from the first moment."""
    mine = (actions.c.response_id == response) & actions.c.customer_id.is_distinct_from(customer)
    connection.execute(update(actions).where(mine).values(customer_id=customer))
    followed = (cases.c.response_id == response) & cases.c.customer_id.is_distinct_from(customer)
    connection.execute(update(cases).where(followed).values(customer_id=customer))


def look_again(connection: Connection, action: int, now: datetime) -> None:
    """Bring back what was parked although it may exist at the far side: it is looked for first."""
    back: dict[str, Any] = {"state": "sending", "due_at": now, "lease_until": None, "error": None}
    change_action(connection, action, **back, failing_since=None, finished_at=None)
    end_about(connection, [action], now)


def cases_since(connection: Connection, source: str, since: datetime, enough: int) -> int:
    """Cases that this source's answers asked for since then, counted up to `enough`."""
    chosen = {"source": source, "since": since, "enough": enough}
    return connection.scalar(_CASES_SINCE, chosen) or 0


def pause_account(connection: Connection, account: str, until: datetime, reason: str) -> None:
    """Nobody uses this account until then; a longer pause that was asked for stays."""
    statement = insert_ignoring(connection, accounts).values(
        account=account, paused_until=until, reason=reason
    )
    longer = accounts.c.paused_until > until
    latest = case((longer, accounts.c.paused_until), else_=until)
    by_a_person = accounts.c.paused_by.is_not(None)
    changes = {
        "paused_until": latest,
        "reason": case((by_a_person, accounts.c.reason), else_=reason),
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["account"], set_=changes))


def paused_until(connection: Connection, account: str) -> datetime | None:
    """Until when nobody uses this account, where it was ever paused."""
    found = select(accounts.c.paused_until).where(accounts.c.account == account)
    return connection.scalar(found)


def resume_account(connection: Connection, account: str, now: datetime) -> bool:
    """True where the account had been paused and the pause is over: one that still runs was asked
    for after this success had set out."""
    over = (accounts.c.account == account) & (accounts.c.paused_until <= now)
    statement = update(accounts).where(over).values(paused_until=None, reason=None)
    return bool(connection.execute(statement).rowcount)


def message(connection: Connection, key: str) -> Any:
    """The id and the order of a message to a customer; None where there is no such one."""
    mine = (actions.c.key == key) & actions.c.to_customer
    return connection.execute(select(actions.c.id, actions.c.order).where(mine)).one_or_none()


def pause_by_person(connection: Connection, account: str, who: str, reason: str) -> None:
    """Nobody uses this account until a person resumes it: no success and no retry does."""
    values = {"paused_until": FOR_EVER, "paused_by": who, "reason": reason or None}
    statement = insert_ignoring(connection, accounts).values(account=account, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["account"], set_=values))


def resume_by_person(connection: Connection, account: str, now: datetime) -> bool:
    """Whoever paused it, and why; False where it was not paused."""
    paused = (accounts.c.account == account) & (accounts.c.paused_until > now)
    values = {"paused_until": now, "paused_by": None, "reason": None}
    return bool(connection.execute(update(accounts).where(paused).values(**values)).rowcount)


def action_counts(connection: Connection, **filters: str) -> dict[tuple[str, str], int]:
    """(kind, state) -> how many; amendments are counted under `<kind>.amendment`."""
    kind = actions.c.kind + case((actions.c.amends.is_not(None), ".amendment"), else_="")
    statement = select(kind, actions.c.state, func.count()).group_by(kind, actions.c.state)
    for name, value in filters.items():
        statement = statement.where(actions.c[name] == value)
    return {(row[0], row[1]): row[2] for row in connection.execute(statement)}


def drop_amendments(connection: Connection, parked: Any, into_case: bool, now: datetime) -> None:
    """Notes for a case that was not opened are not waited for. `into_case`: what the newest of
    them says goes into the case itself, for when it is tried again."""
    waiting = actions.c.response_id == parked.response_id
    waiting &= (actions.c.amends == parked.id) & (actions.c.state == "waiting")
    newest = connection.execute(
        select(actions).where(waiting).order_by(actions.c.id.desc()).limit(1)
    ).one_or_none()
    if newest is None:
        return
    if into_case:
        order = {**newest.order, "key": parked.key}
        change_action(connection, parked.id, order=order, decision=newest.decision)
    unneeded = {"state": "superseded", "error": "its case was not opened", "finished_at": now}
    connection.execute(update(actions).where(waiting).values(**unneeded))


def waiting_by_sink(connection: Connection) -> dict[str, int]:
    """Sink -> actions that still have to go out, or are held."""
    open_ones = actions.c.state.in_((*_OPEN, GATHERING, "held"))
    statement = select(actions.c.sink, func.count()).where(open_ones).group_by(actions.c.sink)
    return {row[0]: row[1] for row in connection.execute(statement)}


def made_since(connection: Connection, after: int, source: str) -> dict[tuple[str, str], int]:
    """(sink, kind) -> actions of this source with a higher id that will be sent or are held."""
    statement = select(actions.c.sink, actions.c.kind, func.count()).where(
        actions.c.id > after,
        actions.c.source == source,
        actions.c.state.in_(("waiting", GATHERING, "held")),
    )
    grouped = statement.group_by(actions.c.sink, actions.c.kind)
    return {(row[0], row[1]): row[2] for row in connection.execute(grouped)}


def release(connection: Connection, source: str | None, now: datetime) -> dict[str, int]:
    """Let go what a flood held, and nothing else; returns how many per sink."""
    held = (actions.c.state == "held") & actions.c.error.is_(None)
    if source is not None:
        held &= actions.c.source == source
    values = {"state": released_state(), "due_at": not_before(now)}
    let_go = update(actions).where(held).values(**values).returning(actions.c.sink)
    return dict(Counter(connection.scalars(let_go)))


def retry(connection: Connection, ids: Sequence[int], now: datetime) -> dict[str, int]:
    """Try parked actions again; returns how many per sink. What is in doubt is not resent.

    What was refused does not exist at the far side: it is built anew. What was parked while nobody
    knew (a long outage, a mistake of ours) is looked for first.
    """
    counts: dict[str, int] = {}
    for some in in_chunks(ids):
        for sink in _retry(connection, some, now):
            counts[sink] = counts.get(sink, 0) + 1
    return counts


def _retry(connection: Connection, ids: Sequence[int], now: datetime) -> Sequence[str]:
    """The sink of each."""
    chosen = actions.c.id.in_(ids) & (actions.c.state == "parked")
    state = case((actions.c.first_sent_at.is_(None), "waiting"), else_="sending")
    fresh = {"state": state, "due_at": now, "attempts": 0, "failing_since": None, "error": None}
    fresh |= {"finished_at": None, "lease_until": None}
    columns = (actions.c.id, actions.c.sink, actions.c.account)
    again = update(actions).where(chosen).values(**fresh).returning(*columns)
    rows = connection.execute(again).all()
    end_about(connection, [row.id for row in rows], now)
    paused = accounts.c.account.in_({row.account for row in rows})
    over = paused & (accounts.c.paused_until > now) & accounts.c.paused_by.is_(None)
    connection.execute(update(accounts).where(over).values(paused_until=now))
    return [row.sink for row in rows]
