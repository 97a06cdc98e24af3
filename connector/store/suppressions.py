"""Named queries of the suppression list: to whom no mail goes, known by the hash of the address.

Whoever is taken off stays in the list with that word, so that it can be told who was let back in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, select, update

from connector.store.arrivals import insert_ignoring
from connector.store.tables import suppressions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SuppressedBecause = Literal["bounced", "complained", "unsubscribed", "by hand"]
REMOVED = "removed, was "
_holds = suppressions.c.reason.not_like(f"{REMOVED}%")


def suppress(
    connection: Connection, address_hash: str, reason: SuppressedBecause, now: datetime
) -> bool:
    """Whether it was not on the list yet; the first reason stays."""
    statement = insert_ignoring(connection, suppressions).values(
        address_hash=address_hash, reason=reason, at=now
    )
    again = statement.on_conflict_do_update(
        index_elements=["address_hash"], set_={"reason": reason, "at": now}, where=~_holds
    )
    written = again.returning(suppressions.c.address_hash)
    return connection.execute(written).one_or_none() is not None


def why_suppressed(connection: Connection, address_hash: str) -> str:
    """The reason; empty where mail may go there."""
    statement = select(suppressions.c.reason).where(
        suppressions.c.address_hash == address_hash, _holds
    )
    return connection.scalar(statement) or ""


def let_back_in(connection: Connection, address_hash: str, now: datetime) -> str:
    """Take it off the list; returns why it was on it, empty where it was not."""
    why = why_suppressed(connection, address_hash)
    if why:
        mine = suppressions.c.address_hash == address_hash
        connection.execute(update(suppressions).where(mine).values(reason=REMOVED + why, at=now))
    return why


def listed(
    connection: Connection, address_hash: str | None, limit: int, removed: bool
) -> Sequence[Any]:
    """The newest first. `removed`: also those who were let back in."""
    statement = select(suppressions).order_by(suppressions.c.at.desc(), suppressions.c.address_hash)
    if address_hash is not None:
        statement = statement.where(suppressions.c.address_hash == address_hash)
    if not removed:
        statement = statement.where(_holds)
    return connection.execute(statement.limit(limit)).all()
