"""Named queries for erasing a person: what is emptied, what stays, and what must not come back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, update

from connector.domain import Respondent
from connector.store.arrivals import insert_ignoring
from connector.store.people import keys_of
from connector.store.tables import (
    actions,
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


def is_forgotten(
    connection: Connection,
    source: str,
    record: str,
    person: Respondent,
    answered_at: datetime | None,
) -> bool:
    """Was this record erased, or is it an answer from before its person was?"""
    record_hash = _record_hash(source, record)
    hashes = [record_hash, *(_person_hash(*key) for key in keys_of(person))]
    found = connection.execute(select(tombstones).where(tombstones.c.hash.in_(hashes))).all()
    return any(
        row.hash == record_hash or answered_at is None or answered_at <= row.at for row in found
    )


def exists(connection: Connection, response: str) -> bool:
    return connection.scalar(select(responses.c.id).where(responses.c.id == response)) is not None


def responses_of_key(connection: Connection, kind: str, value: str) -> tuple[str | None, list[str]]:
    """(customer, their responses) for an address."""
    found = (customer_keys.c.kind == kind) & (customer_keys.c.value == value)
    customer = connection.scalar(select(customer_keys.c.customer_id).where(found))
    if customer is None:
        return None, []
    mine = select(responses.c.id).where(responses.c.customer_id == customer)
    return customer, list(connection.scalars(mine))


def receipts_of(connection: Connection, response_ids: Sequence[str]) -> Sequence[Any]:
    """What exists at the vendors because of these responses, for a person to delete there."""
    statement = select(actions.c.kind, actions.c.sink, actions.c.remote_id, actions.c.url).where(
        actions.c.response_id.in_(response_ids), actions.c.remote_id.is_not(None)
    )
    return connection.execute(statement).all()


def empty_response(connection: Connection, response: str, now: datetime) -> None:
    """Empty inbox, revisions, facts and frozen requests; keep score, keys and receipts."""
    row = connection.execute(select(responses).where(responses.c.id == response)).one()
    if row.record is not None:
        _bury(connection, _record_hash(row.source, row.record), now)
    emptied_actions: dict[str, Any] = {"order": {}, "request": None, "error": None, "remark": None}
    for table, where, values in (
        (inbox, inbox.c.response_id, {"body": b"", "state": "erased", "reason": None}),
        (revisions, revisions.c.response_id, {"content": {}}),
        (decisions, decisions.c.response_id, {"facts": {}, "verdict": {}}),
        (actions, actions.c.response_id, emptied_actions),
    ):
        connection.execute(update(table).where(where == response).values(**values))
    unsent = ("waiting", "held", "sending")
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
        _bury(connection, _person_hash(kind, value), now)
    connection.execute(delete(customer_keys).where(mine))
    connection.execute(
        update(actions).where(actions.c.customer_id == customer).values(customer_id=None)
    )
    connection.execute(
        update(responses).where(responses.c.customer_id == customer).values(customer_id=None)
    )
    connection.execute(delete(customers).where(customers.c.id == customer))


def empty_unread(connection: Connection, address: str) -> int:
    """Records that were never understood, but hold this address."""
    unread = inbox.c.response_id.is_(None) & (inbox.c.state != "erased")
    emptied = 0
    for row in connection.execute(select(inbox.c.id, inbox.c.body).where(unread)):
        if address.encode() in row.body.lower():
            values = {"body": b"", "state": "erased", "reason": None}
            connection.execute(update(inbox).where(inbox.c.id == row.id).values(**values))
            emptied += 1
    return emptied


def older_than(connection: Connection, survey: str, before: datetime, limit: int) -> Sequence[str]:
    """Responses of a survey whose retention has run out."""
    age = responses.c.answered_at
    old = ((age.is_not(None)) & (age < before)) | (
        age.is_(None) & (responses.c.received_at < before)
    )
    statement = select(responses.c.id).where(
        responses.c.survey == survey, responses.c.erased_at.is_(None), old
    )
    return connection.scalars(statement.limit(limit)).all()


def _bury(connection: Connection, digest: str, now: datetime) -> None:
    statement = insert_ignoring(connection, tombstones).values(hash=digest, at=now)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["hash"]))


def _record_hash(source: str, record: str) -> str:
    return hashed("record", source, record)


def _person_hash(kind: str, value: str) -> str:
    return hashed("person", kind, value)
