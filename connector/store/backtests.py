"""Named queries of backtests: one at a time is begun, looked at by all processes, and forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from connector.store.arrivals import insert_ignoring
from connector.store.tables import backtests, customers, responses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

KEPT = timedelta(hours=1)
DIED = "the process that ran it has ended; ask for it again"
_RUNNING = backtests.c.running == 1


def begin(connection: Connection, now: datetime, row: dict[str, Any]) -> bool:
    """False, and nothing is begun, where another one runs; old ones are forgotten."""
    connection.execute(delete(backtests).where(backtests.c.begun_at <= now - KEPT))
    died = update(backtests).where(_RUNNING, backtests.c.ends_at <= now)
    connection.execute(died.values(running=None, failed=DIED))
    new = insert_ignoring(connection, backtests).values(running=1, begun_at=now, **row)
    begun = connection.scalar(new.on_conflict_do_nothing().returning(backtests.c.id))
    return begun is not None


def reach(connection: Connection, id: str, more: int) -> None:
    """So many decisions more are done."""
    mine = update(backtests).where(backtests.c.id == id)
    connection.execute(mine.values(done=backtests.c.done + more))


def finish(connection: Connection, id: str, **told: Any) -> None:
    """`told` is `result` or `failed`."""
    mine = update(backtests).where(backtests.c.id == id, _RUNNING)
    connection.execute(mine.values(running=None, **told))


def find(connection: Connection, id: str, now: datetime) -> Any:
    """None where it is not kept (any more)."""
    mine = select(backtests).where(backtests.c.id == id, backtests.c.begun_at > now - KEPT)
    return connection.execute(mine).one_or_none()


def people(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """Response -> whose it is and what they said, of those that are not erased."""
    columns = (*(responses.c[name] for name in ("id", "score", "segment", "content")),)
    statement = (
        select(*columns, customers.c.name)
        .outerjoin_from(responses, customers, customers.c.id == responses.c.customer_id)
        .where(responses.c.id.in_(ids), responses.c.erased_at.is_(None))
    )
    return {row.id: row for row in connection.execute(statement)}
