"""Named queries that page through answers, cases and alarms by key, the newest first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, or_, select

from connector.store.tables import alarms, cases, responses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RESPONSE = tuple(c for c in responses.c if c.name not in ("record", "content_hash"))


def responses_before(
    connection: Connection,
    equal: Mapping[str, object],
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, str] | None = None,
) -> Sequence[Any]:
    """By when they came in. `equal`: column -> value; `after`: (when, id) of the last before."""
    at, id = responses.c.received_at, responses.c.id
    statement = select(*_RESPONSE).order_by(at.desc(), id.desc()).limit(limit)
    for column, value in equal.items():
        statement = statement.where(responses.c[column] == value)
    if since is not None:
        statement = statement.where(at >= since)
    if until is not None:
        statement = statement.where(at < until)
    if after is not None:
        statement = statement.where(at <= after[0], or_(at < after[0], id < after[1]))
    return connection.execute(statement).all()


def response(connection: Connection, id: str) -> Any:
    return connection.execute(select(*_RESPONSE).where(responses.c.id == id)).one_or_none()


def cases_before(
    connection: Connection,
    equal: Mapping[str, object],
    untouched: bool | None,
    limit: int,
    after: int | None,
) -> Sequence[Any]:
    statement = select(cases).order_by(cases.c.action_id.desc()).limit(limit)
    for column, value in equal.items():
        statement = statement.where(cases.c[column] == value)
    if untouched is not None:
        touched = cases.c.contacted_at.is_not(None)
        statement = statement.where(~touched if untouched else touched)
    if after is not None:
        statement = statement.where(cases.c.action_id < after)
    return connection.execute(statement).all()


def alarms_before(
    connection: Connection, over: bool, limit: int, after: int | None
) -> Sequence[Any]:
    """`over`: those that are over as well."""
    statement = select(alarms).order_by(alarms.c.id.desc()).limit(limit)
    if not over:
        statement = statement.where(alarms.c.cleared_at.is_(None))
    if after is not None:
        statement = statement.where(alarms.c.id < after)
    return connection.execute(statement).all()
