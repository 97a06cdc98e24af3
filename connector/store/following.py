"""Named queries of following: how far each sink's news have been read, and what to look at."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, or_, select, update

from connector.store.arrivals import insert_ignoring
from connector.store.sets import in_chunks
from connector.store.tables import followed, hints

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_HINTS = 100


def place_of(connection: Connection, sink: str) -> Any:
    """The row of a sink; None before it was first followed."""
    return connection.execute(select(followed).where(followed.c.sink == sink)).one_or_none()


def lease(connection: Connection, sink: str, now: datetime, lasting: timedelta) -> bool:
    """Only one process follows a sink at a time; a dead one's lease runs out."""
    new = insert_ignoring(connection, followed).values(sink=sink)
    connection.execute(new.on_conflict_do_nothing(index_elements=["sink"]))
    free = or_(followed.c.lease_until.is_(None), followed.c.lease_until <= now)
    mine = update(followed).where(followed.c.sink == sink, free)
    return connection.execute(mine.values(lease_until=now + lasting)).rowcount == 1


def move(connection: Connection, sink: str, **values: object) -> None:
    connection.execute(update(followed).where(followed.c.sink == sink).values(**values))


def free_leases(connection: Connection) -> None:
    """For the only engine of a store, at its start: whoever followed a sink is dead."""
    connection.execute(update(followed).values(lease_until=None))


def hint(connection: Connection, sink: str, remote_ids: Sequence[str], at: datetime) -> None:
    """From then on these records are looked at: they have changed, as a webhook says."""
    for remote_id in sorted(set(remote_ids)):
        new = insert_ignoring(connection, hints).values(sink=sink, remote_id=remote_id, at=at)
        again = new.on_conflict_do_update(
            index_elements=["sink", "remote_id"], set_={"at": new.excluded.at}
        )
        connection.execute(again)


def hinted(connection: Connection, sink: str, now: datetime) -> Sequence[Any]:
    """What to look at next, the oldest first."""
    statement = select(hints).where(hints.c.sink == sink, hints.c.at <= now)
    statement = statement.order_by(hints.c.at, hints.c.remote_id)
    return connection.execute(statement.limit(MOST_HINTS)).all()


def looked(connection: Connection, seen: Sequence[Any]) -> None:
    """Drop these hints, but not what has changed again since they were read."""
    for row in seen:
        mine = (hints.c.sink == row.sink) & (hints.c.remote_id == row.remote_id)
        connection.execute(delete(hints).where(mine, hints.c.at <= row.at))


def rows(connection: Connection, sinks: Sequence[str]) -> Sequence[Any]:
    """How each of these stands."""
    found: list[Any] = []
    for some in in_chunks(sinks):
        found += connection.execute(select(followed).where(followed.c.sink.in_(some))).all()
    return found
