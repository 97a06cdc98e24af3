"""What the installation's own database says, read as anybody could."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from connector.store import Store
from connector.store.database import StoreDown
from connector.store.tables import actions, inbox

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OPEN = actions.c.state.in_(("waiting", "sending"))


def states(store_url: str) -> dict[str, str]:
    """The outbox's own opinion: key -> state."""
    with _reading(store_url) as connection:
        return dict(connection.execute(select(actions.c.key, actions.c.state)).tuples().all())


def parked_because(store_url: str) -> list[str]:
    """What the outbox says about what it has parked, the most frequent first."""
    reason = (actions.c.sink, actions.c.error, func.count())
    statement = select(*reason).where(actions.c.state == "parked").group_by(*reason[:2])
    with _reading(store_url) as connection:
        rows = connection.execute(statement.order_by(func.count().desc())).all()
    return [f"{sink}: {error} ({count} parked)" for sink, error, count in rows]


def undone(store_url: str) -> float:
    """Records to be decided, and actions to be delivered; infinite while nobody can say."""
    undecided = select(func.count()).where(inbox.c.state == "new")
    unsent = select(func.count()).where(_OPEN)
    try:
        with _reading(store_url) as connection:
            return (connection.scalar(undecided) or 0) + (connection.scalar(unsent) or 0)
    except StoreDown:
        return math.inf


def is_worked_off(store_url: str, until: datetime, sink: str = "") -> bool:
    """Has everything gone out that was due at `until`, in this sink or in all?"""
    late = select(func.count()).where(_OPEN, actions.c.due_at <= until)
    if sink:
        late = late.where(actions.c.sink == sink)
    try:
        with _reading(store_url) as connection:
            return not connection.scalar(late)
    except StoreDown:
        return False


@contextmanager
def _reading(store_url: str) -> Iterator[Connection]:
    store = Store(store_url)
    try:
        with store.read() as connection:
            yield connection
    finally:
        store.close()
