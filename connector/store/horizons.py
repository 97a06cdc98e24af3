"""Up to which number all decisions are there to be seen, whatever other processes still commit.

Numbers are given out in order, and committed in any. What was given out before a moment is there to
be seen, or never will be, once all transactions of that moment are over.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from connector.store.tables import decisions

_NEWEST = select(func.max(decisions.c.number))
_XIDS = text(
    "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
)


class Horizon(NamedTuple):
    """The newest decision that can be seen, and (on PostgreSQL) the first transaction that had not
    begun, and the first that was not over."""

    newest: int
    xmax: int = 0
    xmin: int = 0


class Place(NamedTuple):
    """Every decision up to `number` can be seen; every one up to `seen_number` once all
    transactions before `seen_xid` are over (PostgreSQL)."""

    number: int = 0
    seen_number: int = 0
    seen_xid: int = 0


def newest(connection: Connection) -> int:
    """The number of the newest decision that can be seen; 0 before the first."""
    return connection.scalar(_NEWEST) or 0


def horizon(connection: Connection) -> Horizon:
    """Whatever is read after it shows at least as much."""
    last = newest(connection)
    if connection.dialect.name == "sqlite":
        return Horizon(last)
    return Horizon(last, *connection.execute(_XIDS).one())


def further(place: Place, horizon: Horizon) -> Place:
    """Where whoever was at that place is, having read what can be seen now."""
    if horizon.xmin < place.seen_xid <= horizon.xmax:
        return place
    number = place.number
    if horizon.xmin >= place.seen_xid:  # else it comes from another server
        number = place.seen_number if horizon.xmax else horizon.newest
    return Place(number, horizon.newest, horizon.xmax)
