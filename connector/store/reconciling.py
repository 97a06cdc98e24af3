"""Named queries of what we believe to have made, to be compared with a far side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from connector.store.sets import in_chunks
from connector.store.tables import actions, responses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_CASE = (
    actions.c.id,
    actions.c.key,
    actions.c.response_id,
    actions.c.state,
    actions.c.remote_id,
    actions.c.url,
    actions.c.finished_at,
    responses.c.erased_at,
)


def cases_done(
    connection: Connection, sink: str, since: datetime, until: datetime
) -> Sequence[Any]:
    """Cases of this sink whose receipts came in that time, the oldest first."""
    mine = (actions.c.sink == sink) & actions.c.opens_case & actions.c.amends.is_(None)
    then = actions.c.finished_at.between(since, until) & (actions.c.state == "done")
    statement = select(*_CASE).outerjoin(responses, responses.c.id == actions.c.response_id)
    return connection.execute(statement.where(mine, then).order_by(actions.c.id)).all()


def cases_with(connection: Connection, keys: Sequence[str]) -> dict[str, Any]:
    """Key -> case, of those that we know; whatever their sink is called now."""
    found: dict[str, Any] = {}
    statement = select(*_CASE).outerjoin(responses, responses.c.id == actions.c.response_id)
    for some in in_chunks(keys):
        wanted = statement.where(actions.c.key.in_(some))
        found |= {row.key: row for row in connection.execute(wanted)}
    return found


def requests_of(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    """Order and frozen request of those that still have one."""
    columns = (actions.c.id, actions.c.order, actions.c.request)
    frozen = actions.c.id.in_(ids) & actions.c.request.is_not(None)
    return connection.execute(select(*columns).where(frozen).order_by(actions.c.id)).all()
