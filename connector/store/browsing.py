"""Named queries for people who look: lists and single stories. Nothing here locks or changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from connector.store.tables import actions, attempts, decisions, inbox, responses, revisions

if TYPE_CHECKING:
    from collections.abc import Sequence
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
_ACTION = tuple(c for c in actions.c if c.name not in ("request", "order"))


def list_responses(
    connection: Connection,
    source: str | None = None,
    segment: str | None = None,
    since: datetime | None = None,
    limit: int = 50,
) -> Sequence[Any]:
    """The newest first, by when they came in."""
    statement = select(*_RESPONSE).order_by(responses.c.received_at.desc(), responses.c.id)
    if source is not None:
        statement = statement.where(responses.c.source == source)
    if segment is not None:
        statement = statement.where(responses.c.segment == segment)
    if since is not None:
        statement = statement.where(responses.c.received_at >= since)
    return connection.execute(statement.limit(limit)).all()


def show_response(connection: Connection, response: str) -> Any:
    return connection.execute(select(*_RESPONSE).where(responses.c.id == response)).one_or_none()


def revisions_of(connection: Connection, response: str) -> Sequence[Any]:
    statement = select(revisions).where(revisions.c.response_id == response)
    return connection.execute(statement.order_by(revisions.c.number)).all()


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
) -> Sequence[Any]:
    """The oldest first; of one response all, in the order in which they were decided."""
    statement = select(*_ACTION).order_by(actions.c.id)
    if state is not None:
        statement = statement.where(actions.c.state == state)
    if sink is not None:
        statement = statement.where(actions.c.sink == sink)
    if response is not None:
        statement = statement.where(actions.c.response_id == response)
    return connection.execute(statement.limit(limit)).all()


def show_action(connection: Connection, action: int) -> Any:
    return connection.execute(select(actions).where(actions.c.id == action)).one_or_none()


def attempts_of(connection: Connection, action: int) -> Sequence[Any]:
    statement = select(attempts).where(attempts.c.action_id == action)
    return connection.execute(statement.order_by(attempts.c.id)).all()


def unread_records(connection: Connection, states: Sequence[str], limit: int) -> Sequence[Any]:
    """Records that never became a response, with the reason."""
    columns = (inbox.c.id, inbox.c.source, inbox.c.door, inbox.c.state, inbox.c.reason)
    statement = select(*columns, inbox.c.received_at, inbox.c.body)
    statement = statement.where(inbox.c.state.in_(states)).order_by(inbox.c.id)
    return connection.execute(statement.limit(limit)).all()
