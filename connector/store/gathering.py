"""Named queries of digests: alerts that wait for one, and what becomes of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, or_, select, update

from connector.store.sets import in_chunks
from connector.store.tables import actions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

GATHERING, GROUPED = "gathering", "grouped"
RULE = "digest"  # the rule of a digest's own action

_COLUMNS = ("id", "key", "response_id", "sink", "account", "kind", "digest", "order", "due_at")


def ripe(connection: Connection, sinks: Iterable[str], now: datetime) -> Sequence[Any]:
    """Alerts whose digest is due, the oldest first; locked until the transaction ends."""
    due = (actions.c.state == GATHERING) & (actions.c.due_at <= now)
    statement = select(*(actions.c[name] for name in _COLUMNS))
    statement = statement.where(actions.c.sink.in_(list(sinks)), due)
    return connection.execute(statement.order_by(actions.c.id).with_for_update()).all()


def let_go(connection: Connection, ids: Sequence[int]) -> None:
    """They go out on their own."""
    _change(connection, ids, state="waiting", digest=None)


def group(connection: Connection, ids: Sequence[int], digest: int, now: datetime) -> None:
    """The action `digest` tells them."""
    _change(connection, ids, state=GROUPED, grouped_in=digest, finished_at=now)


def _change(connection: Connection, ids: Sequence[int], **values: object) -> None:
    for some in in_chunks(ids):
        connection.execute(update(actions).where(actions.c.id.in_(some)).values(**values))


def is_made(connection: Connection, digest: str) -> bool:
    """Is there a message for this digest already? Late alerts get one of their own."""
    return connection.scalar(select(actions.c.id).where(actions.c.key == digest)) is not None


def cases(connection: Connection, responses: Collection[str]) -> dict[str, tuple[str, str]]:
    """Response -> (number, link) of the first case that it has."""
    statement = select(actions.c.response_id, actions.c.remote_id, actions.c.url).where(
        actions.c.response_id.in_(responses),
        actions.c.opens_case,
        or_(actions.c.amends.is_(None), actions.c.reopens),
        actions.c.state == "done",
        actions.c.url.is_not(None),
    )
    found: dict[str, tuple[str, str]] = {}
    for row in connection.execute(statement.order_by(actions.c.id)):
        found.setdefault(row.response_id, (row.remote_id or "", row.url))
    return found


def released_state() -> Any:
    """What becomes of held actions that are let go: alerts of a digest are gathered."""
    return case((actions.c.digest.is_not(None), GATHERING), else_="waiting")


def not_before(now: datetime) -> Any:
    """Released is not hurried: who waits for a time of day goes on waiting."""
    return case((actions.c.due_at > now, actions.c.due_at), else_=now)
