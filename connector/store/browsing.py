"""Named queries for people who look: lists and single stories. Nothing here locks or changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from connector.store.sets import in_chunks
from connector.store.tables import (
    actions,
    attempts,
    customer_keys,
    decisions,
    inbox,
    responses,
    revisions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

_RESPONSE = (
    responses.c.id,
    responses.c.source,
    responses.c.survey,
    responses.c.score,
    responses.c.segment,
    responses.c.revision,
    responses.c.history,
    responses.c.answered_at,
    responses.c.received_at,
    responses.c.erased_at,
    responses.c.content,
)
_digests = actions.alias("digests")  # how a digest stands, beside what it tells
_OF_DIGEST = (_digests.c.state.label("digest_state"), _digests.c.error.label("digest_error"))
_ACTION = (*(c for c in actions.c if c.name not in ("request", "order")), *_OF_DIGEST)
_WITH_DIGEST = actions.outerjoin(_digests, _digests.c.id == actions.c.grouped_in)


def list_responses(
    connection: Connection,
    source: str | None = None,
    segment: str | None = None,
    since: datetime | None = None,
    limit: int | None = 50,
    email: str | None = None,
) -> Sequence[Any]:
    """The newest first, by when they came in. `email` is a cleaned address."""
    statement = select(*_RESPONSE).order_by(responses.c.received_at.desc(), responses.c.id)
    if source is not None:
        statement = statement.where(responses.c.source == source)
    if segment is not None:
        statement = statement.where(responses.c.segment == segment)
    if since is not None:
        statement = statement.where(responses.c.received_at >= since)
    if email is not None:
        theirs = (customer_keys.c.kind == "email") & (customer_keys.c.value == email)
        owner = select(customer_keys.c.customer_id).where(theirs).scalar_subquery()
        statement = statement.where(responses.c.customer_id == owner)
    return connection.execute(statement.limit(limit)).all()


def show_response(connection: Connection, response: str) -> Any:
    return connection.execute(select(*_RESPONSE).where(responses.c.id == response)).one_or_none()


def ids_beginning(connection: Connection, beginning: str, limit: int = 3) -> Sequence[str]:
    """Ids of responses that begin so."""
    mine = responses.c.id.startswith(beginning, autoescape=True)
    statement = select(responses.c.id).where(mine).order_by(responses.c.id)
    return connection.scalars(statement.limit(limit)).all()


def sources_seen(connection: Connection) -> Sequence[str]:
    """Every source that ever answered, also those that were taken out of the configuration."""
    return connection.scalars(select(responses.c.source).distinct()).all()


def sinks_seen(connection: Connection) -> Sequence[str]:
    """Every sink that anything was ever made for, also those that were taken out or renamed. From
    each to the next along the index: a DISTINCT would read all actions."""
    first = select(func.min(actions.c.sink).label("sink")).cte("seen", recursive=True)
    following = select(func.min(actions.c.sink)).where(actions.c.sink > first.c.sink)
    seen = first.union_all(select(following.scalar_subquery()).where(first.c.sink.is_not(None)))
    return connection.scalars(select(seen.c.sink).where(seen.c.sink.is_not(None))).all()


def all_sinks(connection: Connection, configured: Iterable[str]) -> list[str]:
    """Those of the configuration first."""
    return list(dict.fromkeys([*configured, *sinks_seen(connection)]))


def unread_holding(connection: Connection, address: str) -> int:
    """Records that were never understood, but hold this (cleaned) address, as text or as JSON."""
    unread = inbox.c.response_id.is_(None) & (inbox.c.state != "erased")
    needles = {address.encode(), json.dumps(address)[1:-1].encode()}
    bodies = connection.scalars(select(inbox.c.body).where(unread))
    return sum(any(needle in body.lower() for needle in needles) for body in bodies)


def is_customer(connection: Connection, address: str) -> bool:
    """Does this (cleaned) address belong to somebody we know?"""
    mine = (customer_keys.c.kind == "email") & (customer_keys.c.value == address)
    return connection.scalar(select(customer_keys.c.customer_id).where(mine)) is not None


def states_of(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Action -> its state, of those that exist."""
    found: dict[int, str] = {}
    for some in in_chunks(ids):
        statement = select(actions.c.id, actions.c.state).where(actions.c.id.in_(some))
        found |= {row.id: row.state for row in connection.execute(statement)}
    return found


def revisions_of(connection: Connection, response: str) -> Sequence[Any]:
    statement = select(revisions).where(revisions.c.response_id == response)
    return connection.execute(statement.order_by(revisions.c.number)).all()


def facts_since(connection: Connection, since: datetime, limit: int) -> Iterator[dict[str, Any]]:
    """What was last decided on, of the newest answers given since then; erased ones left out."""
    given = func.coalesce(responses.c.answered_at, responses.c.received_at)
    statement = (
        select(decisions.c.response_id, decisions.c.facts)
        .join(responses, responses.c.id == decisions.c.response_id)
        .where(given >= since, responses.c.erased_at.is_(None))
        .order_by(decisions.c.number.desc())
        .limit(limit)
    )
    seen: set[str] = set()
    for row in connection.execute(statement):
        if row.response_id not in seen and row.facts:
            seen.add(row.response_id)
            yield row.facts


def latest_verdict(connection: Connection, response: str) -> dict[str, Any]:
    """What the rules said last; empty where nothing was decided."""
    statement = select(decisions.c.verdict).where(decisions.c.response_id == response)
    found = connection.scalar(statement.order_by(decisions.c.number.desc()).limit(1))
    return found or {}


def list_actions(
    connection: Connection,
    state: str | None = None,
    sink: str | None = None,
    response: str | None = None,
    limit: int | None = 50,
    since: datetime | None = None,
) -> Sequence[Any]:
    """The oldest first; of one response all, in the order in which they were decided."""
    statement = select(*_ACTION).select_from(_WITH_DIGEST).order_by(actions.c.id)
    if state is not None:
        statement = statement.where(actions.c.state == state)
    if sink is not None:
        statement = statement.where(actions.c.sink == sink)
    if response is not None:
        statement = statement.where(actions.c.response_id == response)
    if since is not None:
        statement = statement.where(actions.c.created_at >= since)
    return connection.execute(statement.limit(limit)).all()


def show_action(connection: Connection, action: int) -> Any:
    statement = select(actions, *_OF_DIGEST).select_from(_WITH_DIGEST)
    return connection.execute(statement.where(actions.c.id == action)).one_or_none()


def attempts_of(connection: Connection, action: int) -> Sequence[Any]:
    statement = select(attempts).where(attempts.c.action_id == action)
    return connection.execute(statement.order_by(attempts.c.id)).all()


def unread_records(connection: Connection, states: Sequence[str], limit: int) -> Sequence[Any]:
    """Records that never became a response, with the reason."""
    columns = (inbox.c.id, inbox.c.source, inbox.c.door, inbox.c.state, inbox.c.reason)
    statement = select(*columns, inbox.c.received_at, inbox.c.body)
    statement = statement.where(inbox.c.state.in_(states)).order_by(inbox.c.id)
    return connection.execute(statement.limit(limit)).all()
