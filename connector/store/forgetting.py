"""Named queries for erasing a person: what is emptied, what stays, and what must not come back."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from connector.store import case_days, digests, gathering, quoting, readings, weekly
from connector.store.arrivals import insert_ignoring
from connector.store.tables import (
    actions,
    alarms,
    attempts,
    case_events,
    cases,
    customer_keys,
    customers,
    decisions,
    inbox,
    responses,
    revisions,
    tombstones,
)
from connector.text import hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.store.identities import Key

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_TOMBSTONES = select(tombstones.c.hash, tombstones.c.at).where(
    tombstones.c.hash.in_(bindparam("hashes", expanding=True))
)
_EMPTY_RECORD = {"body": b"", "state": "erased", "reason": None}


class Asked(NamedTuple):
    """A record of which one asks whether it may be kept."""

    source: str
    record: str
    keys: Sequence[Key]  # of its person
    answered_at: datetime | None


def are_forgotten(connection: Connection, asked: Sequence[Asked]) -> list[bool]:
    """Was each record erased, or is it an answer from before its person was?"""
    records = [_record_hash(each.source, each.record) for each in asked]
    persons = [[_person_hash(*key) for key in each.keys] for each in asked]
    hashes = [*records, *(one for each in persons for one in each)]
    erased = {row[0]: row[1] for row in connection.execute(_TOMBSTONES, {"hashes": hashes})}
    return [
        record in erased
        or any(
            person in erased and (each.answered_at is None or each.answered_at <= erased[person])
            for person in theirs
        )
        for each, record, theirs in zip(asked, records, persons, strict=True)
    ]


def exists(connection: Connection, response: str) -> bool:
    return connection.scalar(select(responses.c.id).where(responses.c.id == response)) is not None


def responses_of_key(connection: Connection, kind: str, value: str) -> tuple[str | None, list[str]]:
    """(customer, their responses) for an address; nothing more is decided for them meanwhile."""
    found = (customer_keys.c.kind == kind) & (customer_keys.c.value == value)
    customer = connection.scalar(select(customer_keys.c.customer_id).where(found))
    if customer is None:
        return None, []
    mine = select(responses.c.id).where(responses.c.customer_id == customer)
    mine = mine.order_by(responses.c.id)
    # Not against what refers to them: who decides about the customer may be adding a decision.
    connection.execute(mine.with_for_update(key_share=True))
    connection.execute(select(customers.c.id).where(customers.c.id == customer).with_for_update())
    return customer, list(connection.scalars(mine))


def receipts_of(connection: Connection, response_ids: Sequence[str]) -> Sequence[Any]:
    """What exists, or may exist, at the vendors because of these responses, for a person to delete
    there. Without a `remote_id` it was sent, but no receipt came."""
    columns = (actions.c.kind, actions.c.sink, actions.c.remote_id, actions.c.url, actions.c.key)
    there = actions.c.remote_id.is_not(None) | actions.c.first_sent_at.is_not(None)
    mine = actions.c.response_id.in_(response_ids)
    told = actions.c.id.in_(select(actions.c.grouped_in).where(mine))  # in a digest with others
    statement = select(*columns).where(mine | told, there)
    return connection.execute(statement.order_by(actions.c.id)).all()


def empty_response(connection: Connection, response: str, now: datetime) -> None:
    """Empty inbox, revisions, facts and frozen requests; keep score, keys and receipts. Once: what
    another process has erased meanwhile is left as it is."""
    # The response first, as whoever decides does it: two that lock the other way round collide.
    found = select(responses).where(responses.c.id == response)
    row = connection.execute(found.with_for_update()).one()
    if row.erased_at is not None:
        return
    if row.record is not None:
        _bury(connection, _record_hash(row.source, row.record), now)
    if row.customer_id is not None:
        # Who decides about them meanwhile would quote it once more.
        customer = select(customers.c.id).where(customers.c.id == row.customer_id)
        connection.execute(customer.with_for_update(key_share=True))
        quotes = quoting.quotable(connection, response)
        quoting.forget_quotes(connection, row.customer_id, response, quotes)
    emptied_actions: dict[str, Any] = {"order": {}, "request": None, "error": None, "remark": None}
    for table, where, values in (
        (inbox, inbox.c.response_id, _EMPTY_RECORD),
        (revisions, revisions.c.response_id, {"content": {}}),
        (decisions, decisions.c.response_id, {"facts": {}, "verdict": {}}),
        (actions, actions.c.response_id, emptied_actions),
        (cases, cases.c.response_id, {"customer_id": None, "cause": None, "action_taken": None}),
    ):
        connection.execute(update(table).where(where == response).values(**values))
    theirs = select(cases.c.answered_at).where(cases.c.response_id == response)
    case_days.forget(connection, {at.date() for at in connection.scalars(theirs)})
    digests.forget(connection, response, now)
    readings.forget(connection, response)
    weekly.forget(connection, response, now)
    mine = connection.scalars(select(actions.c.id).where(actions.c.response_id == response)).all()
    connection.execute(update(attempts).where(attempts.c.action_id.in_(mine)).values(error=None))
    connection.execute(
        update(case_events).where(case_events.c.action_id.in_(mine)).values(detail=None)
    )
    about = alarms.c.subject.in_([f"{what} {id}" for id in mine for what in ("action", "case")])
    connection.execute(update(alarms).where(about).values(message="the person was erased"))
    parked = about & (alarms.c.kind == "parked") & alarms.c.cleared_at.is_(None)
    connection.execute(update(alarms).where(parked).values(cleared_at=now))
    unsent = ("waiting", gathering.GATHERING, "held", "sending", "parked")
    connection.execute(
        update(actions)
        .where(actions.c.response_id == response, actions.c.state.in_(unsent))
        .values(state="superseded", error="the person was erased", finished_at=now)
    )
    gone: dict[str, Any] = {"record": None, "content": {}, "customer_id": None, "erased_at": now}
    connection.execute(update(responses).where(responses.c.id == response).values(**gone))


def empty_customer(connection: Connection, customer: str, now: datetime) -> None:
    """Remove the person and leave hashes of their addresses against the next poll."""
    mine = customer_keys.c.customer_id == customer
    for kind, value in connection.execute(
        select(customer_keys.c.kind, customer_keys.c.value).where(mine)
    ):
        bury_person(connection, kind, value, now)
    connection.execute(delete(customer_keys).where(mine))
    connection.execute(
        update(actions).where(actions.c.customer_id == customer).values(customer_id=None)
    )
    connection.execute(
        update(cases).where(cases.c.customer_id == customer).values(customer_id=None)
    )
    connection.execute(
        update(responses).where(responses.c.customer_id == customer).values(customer_id=None)
    )
    connection.execute(delete(customers).where(customers.c.id == customer))


def empty_unread(connection: Connection, address: str) -> int:
    """Records that were never understood, but hold this address, as text or escaped as in JSON."""
    unread = inbox.c.response_id.is_(None) & (inbox.c.state != "erased")
    bodies = select(inbox.c.id, inbox.c.body).where(unread).execution_options(yield_per=500)
    found = [row.id for row in connection.execute(bodies) if _holds(row.body, address)]
    for record in found:
        connection.execute(update(inbox).where(inbox.c.id == record).values(**_EMPTY_RECORD))
    return len(found)


def _holds(body: bytes, address: str) -> bool:
    written = body.decode("utf-8", "replace")
    return address in _ESCAPED.sub(lambda code: chr(int(code[1], 16)), written).casefold()


def empty_old_unread(connection: Connection, before: datetime) -> int:
    """Records older than this that never became a response; what waits to be read stays."""
    unread = inbox.c.response_id.is_(None) & inbox.c.state.not_in(("new", "erased"))
    old = update(inbox).where(unread, inbox.c.received_at < before)
    return connection.execute(old.values(**_EMPTY_RECORD)).rowcount


def older_than(
    connection: Connection, survey: ColumnElement[bool], before: datetime, limit: int
) -> Sequence[str]:
    """Responses whose retention has run out; `survey` is a condition on `responses.survey`."""
    age = func.coalesce(responses.c.answered_at, responses.c.received_at)
    statement = select(responses.c.id).where(survey, responses.c.erased_at.is_(None), age < before)
    return connection.scalars(statement.limit(limit)).all()


def bury_person(connection: Connection, kind: str, value: str, now: datetime) -> None:
    """Their answers from before now do not come back."""
    _bury(connection, _person_hash(kind, value), now)


def _bury(connection: Connection, digest: str, now: datetime) -> None:
    statement = insert_ignoring(connection, tombstones).values(hash=digest, at=now)
    again = statement.on_conflict_do_update(index_elements=["hash"], set_={"at": now})
    connection.execute(again)


def _record_hash(source: str, record: str) -> str:
    return hashed("record", source, record)


def _person_hash(kind: str, value: str) -> str:
    return hashed("person", kind, value)
