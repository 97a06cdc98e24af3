"""Named queries of cases: opened with their receipts, changed by news, listed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, String, bindparam, func, insert, literal, or_, select, update
from sqlalchemy import case as when

from connector.store.alarms import clear_alarm
from connector.store.arrivals import insert_ignoring
from connector.store.sets import ForEach, in_chunks
from connector.store.tables import actions, case_events, cases, decisions, responses

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

LOOK_AFTER_CLOSING = timedelta(days=30)  # somebody may reopen it
UNFINISHED = ("open", "contacted")

_TAKEN = (
    *("action_id", "response_id", "customer_id", "source", "survey", "score", "segment"),
    *("rule_id", "sink", "remote_id", "url", "priority", "answered_at", "opened_at"),
    *("respond_by", "state", "continues"),
)
_NOW = bindparam("now", type_=cases.c.opened_at.type)
# Where the receipt came twice, the case is there already.
_OPEN = ForEach(
    {"its_id": actions.c.id.type, "urgency": String(20)},
    lambda of: insert(cases).from_select(
        _TAKEN,
        select(
            *(actions.c.id, responses.c.id, actions.c.customer_id, responses.c.source),
            *(responses.c.survey, responses.c.score, responses.c.segment, actions.c.rule_id),
            *(actions.c.sink, actions.c.remote_id, actions.c.url, of["urgency"]),
            func.coalesce(responses.c.answered_at, responses.c.received_at),
            # What is opened again may be begun with before the receipt is here.
            when((actions.c.reopens, func.coalesce(actions.c.first_sent_at, _NOW)), else_=_NOW),
            actions.c.respond_by,
            literal("open"),
            when((actions.c.reopens, actions.c.amends), else_=None),
        )
        .join_from(actions, responses, actions.c.response_id == responses.c.id)
        .where(
            actions.c.id == of["its_id"],
            actions.c.state == "done",
            actions.c.remote_id.is_not(None),
            actions.c.id.not_in(select(cases.c.action_id)),
        ),
    ),
)


class Event(NamedTuple):
    """Something that happened to a case; the same news has the same `key`."""

    kind: str
    key: str
    at: datetime
    who: str = ""
    detail: str = ""


class Change(NamedTuple):
    """What becomes of one case: new values of its columns, and what is noted."""

    case: int
    values: Mapping[str, Any]
    events: Sequence[Event]


class Made(NamedTuple):
    """An action that exists at the far side now, with the priority and due time asked for."""

    row: Any
    priority: str
    respond_by: datetime | None


def keep(connection: Connection, made: Sequence[Made], now: datetime) -> None:
    """From now on a person has to close these; what a note raises is raised in its case."""
    opened = {
        one.row.id: one.priority or None
        for one in made
        if one.row.amends is None or one.row.reopens
    }
    _OPEN.run(connection, sorted(opened.items()), now=now)
    for row, priority, respond_by in made:
        if row.reopens:
            _continue(connection, row, now)
        elif row.amends is not None:
            sharpen(connection, row.amends, priority, respond_by)


_RANKS = {"low": 0, "normal": 1, "medium": 1, "high": 2, "urgent": 3}


def sharpen(
    connection: Connection, case: int, priority: str | None, respond_by: datetime | None
) -> None:
    """A note has arrived at it: priority and due time only rise, the latter until the first
    touch."""
    row = connection.execute(
        select(cases).where(cases.c.action_id == case).with_for_update()
    ).one_or_none()
    if row is None:
        return
    values: dict[str, Any] = {}
    if _RANKS.get(priority or "", -1) > _RANKS.get(row.priority or "", -1):
        values["priority"] = priority
    sooner = respond_by is not None and (row.respond_by is None or respond_by < row.respond_by)
    if sooner and row.contacted_at is None:
        values["respond_by"] = respond_by
    if values:
        connection.execute(update(cases).where(cases.c.action_id == case).values(**values))


def with_remote_ids(connection: Connection, sink: str, ids: Sequence[str]) -> Sequence[Any]:
    """The cases of these records, each with the verdict that asked for it; locked."""
    found: list[Any] = []
    verdict = select(decisions.c.verdict).where(decisions.c.number == actions.c.decision)
    for some in in_chunks(ids):
        chosen = (cases.c.sink == sink) & cases.c.remote_id.in_(some) & _OURS
        # In a statement of its own: what the lock was waited for is seen by the next one only.
        locked = select(cases.c.action_id).where(chosen).order_by(cases.c.action_id)
        connection.execute(locked.with_for_update())
        statement = (
            select(
                cases,
                actions.c.kind,
                verdict.scalar_subquery().label("verdict"),
                responses.c.erased_at,
            )
            .join_from(cases, actions, cases.c.action_id == actions.c.id)
            .join(responses, cases.c.response_id == responses.c.id)
            .where(chosen)
            .order_by(cases.c.action_id)
        )
        found += connection.execute(statement).all()
    return found


def change(connection: Connection, changes: Sequence[Change], now: datetime) -> None:
    """Write these down; an event that is known already is left as it is. What rules see of a
    customer's open cases follows."""
    for case, values, events in changes:
        for event in events:
            row = {**event._asdict(), "action_id": case, "noticed_at": now}
            statement = insert_ignoring(connection, case_events).values(row)
            known = ["action_id", "key"]
            connection.execute(statement.on_conflict_do_nothing(index_elements=known))
        if values:
            connection.execute(update(cases).where(cases.c.action_id == case).values(**values))
        if "state" in values:
            closed = None if values["state"] in UNFINISHED else values.get("closed_at") or now
            mine = actions.c.id == case
            connection.execute(update(actions).where(mine).values(closed_at=closed))


_KNOWN = (
    *(cases.c.action_id, cases.c.remote_id, cases.c.contacted_at),
    *(cases.c.opened_at, cases.c.continues, cases.c.told_at),
)
_OURS = cases.c.continued_in.is_(None)


def known(connection: Connection, sink: str, ids: Sequence[str]) -> Sequence[Any]:
    """What is known of those of these records that are cases of ours."""
    chosen = (cases.c.sink == sink) & cases.c.remote_id.in_(ids) & _OURS
    return connection.execute(select(*_KNOWN).where(chosen)).all()


def unheard(connection: Connection, sink: str, most: int = 100) -> Sequence[Any]:
    """The same of open cases of which their far side has not told anything yet."""
    silent = (cases.c.sink == sink) & cases.c.told_at.is_(None) & _OURS
    silent &= cases.c.state.in_(UNFINISHED)
    newest = select(*_KNOWN).where(silent).order_by(cases.c.action_id.desc())
    return connection.execute(newest.limit(most)).all()


def watched(connection: Connection, sink: str, now: datetime) -> Sequence[Any]:
    """The same of the cases whose news are wanted, the oldest first."""
    lately = now - LOOK_AFTER_CLOSING
    recent = (cases.c.state == "closed") & (cases.c.closed_at > lately)
    recent |= (cases.c.state == "gone") & (cases.c.told_at > lately)  # it may be restored
    statement = (
        select(*_KNOWN)
        .where(cases.c.sink == sink, or_(cases.c.state.in_(UNFINISHED), recent), _OURS)
        .order_by(cases.c.action_id)
    )
    return connection.execute(statement).all()


def closed(connection: Connection, customers: Collection[str]) -> Sequence[Any]:
    """The closed cases of customers who were not happy, the newest first."""
    columns = (cases.c.action_id, cases.c.customer_id, cases.c.answered_at, cases.c.closed_at)
    statement = (
        select(*columns, actions.c.account, actions.c.kind)
        .join_from(cases, actions, cases.c.action_id == actions.c.id)
        .where(
            cases.c.customer_id.in_(sorted(customers)),
            cases.c.state == "closed",
            cases.c.continued_in.is_(None),
            cases.c.segment.in_(("detractor", "passive")),
        )
        .order_by(cases.c.action_id.desc())
        .with_for_update(of=cases)
    )
    return connection.execute(statement).all()


def _continue(connection: Connection, row: Any, now: datetime) -> None:
    """A closed record was opened again for another answer, and is its case now. Whatever was its
    case before is over, also where news of the reopening came before the receipt."""
    mine = select(cases.c.sink, cases.c.remote_id).where(cases.c.action_id == row.id)
    record = connection.execute(mine).one_or_none()
    if record is None:
        return
    same = (cases.c.sink == record.sink) & (cases.c.remote_id == record.remote_id)
    earlier = or_(same, cases.c.action_id == row.amends)
    before = select(cases).where(earlier, cases.c.action_id < row.id, _OURS)
    for case in connection.execute(before.order_by(cases.c.action_id).with_for_update()):
        closed = (case_events.c.action_id == case.action_id) & (case_events.c.kind == "closed")
        values: dict[str, Any] = {"continued_in": row.id, "reopened_at": now}
        values["next_response_id"] = case.next_response_id or row.response_id
        if case.state == "closed":
            values["reopened"] = case.reopened + 1
        else:
            at = connection.scalar(select(func.max(case_events.c.at)).where(closed))
            values |= {"state": "closed", "closed_at": at or now}
            values["reopened"] = max(case.reopened, 1)
        event = Event("reopened", f"reopened by {row.response_id}", now, detail=_AGAIN)
        change(connection, [Change(case.action_id, values, [event])], now)


_AGAIN = "the customer answered again"


def close(connection: Connection, case: int, who: str, note: str, now: datetime) -> bool:
    """A person says that it is over; False where it was not open."""
    mine = select(cases.c.state).where(cases.c.action_id == case).with_for_update()
    if connection.scalar(mine) not in (*UNFINISHED, "gone"):
        return False
    values = {"state": "closed", "closed_at": now, "missing": None}
    values |= {"action_taken": note} if note else {}
    said = f"said by {who}{': ' if note else ''}{note}"
    event = Event("closed", f"closed {now.isoformat()}", now, who, said)
    change(connection, [Change(case, values, [event])], now)
    clear_alarm(connection, "untouched", f"case {case}", now)
    return True


def show(connection: Connection, case: int) -> Any:
    return connection.execute(select(cases).where(cases.c.action_id == case)).one_or_none()


def opened_after(connection: Connection, case: int) -> Sequence[Any]:
    """Cases that came after this one, in their order."""
    newer = select(cases).where(cases.c.action_id > case)
    return connection.execute(newer.order_by(cases.c.action_id)).all()


def events_of(connection: Connection, case: int) -> Sequence[Any]:
    """What happened to it, in order."""
    statement = select(case_events).where(case_events.c.action_id == case)
    return connection.execute(statement.order_by(case_events.c.at, case_events.c.id)).all()


def listed(
    connection: Connection,
    states: Sequence[str],
    limit: int,
    *,
    overdue_at: datetime | None = None,
    untouched: bool = False,
    sink: str | None = None,
    owner: str | None = None,
) -> Sequence[Any]:
    """Cases in these states, those that are due first at the top."""
    statement = select(cases).where(cases.c.state.in_(states))
    if overdue_at is not None:
        statement = statement.where(cases.c.respond_by < overdue_at)
    if untouched:
        statement = statement.where(cases.c.contacted_at.is_(None))
    if sink is not None:
        statement = statement.where(cases.c.sink == sink)
    if owner is not None:
        statement = statement.where(cases.c.owner == owner)
    due = (cases.c.respond_by.is_(None), cases.c.respond_by, cases.c.action_id)
    return connection.execute(statement.order_by(*due).limit(limit)).all()
