"""What the installation's own database says, read as anybody could."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from connector.store import Store
from connector.store.cases import UNFINISHED
from connector.store.database import StoreDown
from connector.store.tables import actions, case_events, cases, inbox

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OPEN = actions.c.state.in_(("waiting", "sending"))


_NOTED = ("contacted", "closed", "reopened")


class Case(NamedTuple):
    """What the installation knows of a case; the last three count what it has noted."""

    respond_by: datetime | None
    state: str
    contacted_at: datetime | None
    closed_at: datetime | None
    escalated: Collection[str]
    touches: int = 0
    closings: int = 0
    reopened: int = 0


def states(store_url: str) -> dict[str, str]:
    """The outbox's own opinion: key -> state."""
    with _reading(store_url) as connection:
        return dict(connection.execute(select(actions.c.key, actions.c.state)).tuples().all())


def followed(store_url: str) -> dict[str, Case]:
    """Every case, by the key of its action."""
    columns = (cases.c.respond_by, cases.c.state, cases.c.contacted_at, cases.c.closed_at)
    known = select(actions.c.key, cases.c.action_id, *columns, cases.c.escalated)
    known = known.join_from(cases, actions, cases.c.action_id == actions.c.id)
    each = (case_events.c.action_id, case_events.c.kind)
    noted = select(*each, func.count()).group_by(*each)
    with _reading(store_url) as connection:
        times = {(id, kind): count for id, kind, count in connection.execute(noted)}
        rows = connection.execute(known).all()
    return {
        key: Case(*told, escalated or (), *(times.get((id, kind), 0) for kind in _NOTED))
        for key, id, *told, escalated in rows
    }


def behind(
    store_url: str,
    begun: Collection[str],
    solved: Collection[str],
    steps: Collection[str],
    due: datetime,
) -> float:
    """Cases of which the installation does not know that they were begun or solved, and those that
    lack `steps` though they had to be answered by `due`."""
    try:
        known = followed(store_url)
    except StoreDown:
        return math.inf
    open_ = {key: case for key, case in known.items() if case.state in UNFINISHED}
    untouched = {key for key, case in known.items() if case.contacted_at is None}
    late = (case for case in open_.values() if case.respond_by and case.respond_by <= due)
    lacking = sum(not set(steps) <= set(case.escalated) for case in late)
    return len(open_.keys() & set(solved)) + len(untouched & set(begun)) + lacking


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
