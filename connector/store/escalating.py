"""Named queries of escalation: cases that are due while nobody acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, func, or_, select, update

from connector.store.cases import UNFINISHED
from connector.store.tables import actions, cases, decisions, followed, responses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def overdue(connection: Connection, since: datetime, now: datetime) -> Sequence[Any]:
    """(action_id, escalated) of unfinished cases whose time to respond is over, the oldest first;
    of those that were due before `since` only what nobody has looked at."""
    late = cases.c.state.in_(UNFINISHED) & (cases.c.respond_by <= now)
    new = or_(cases.c.respond_by > since, cases.c.escalated.is_(None))
    statement = select(cases.c.action_id, cases.c.escalated)
    statement = statement.where(late, new, cases.c.continued_in.is_(None))
    return connection.execute(statement.order_by(cases.c.respond_by, cases.c.action_id)).all()


def heard(connection: Connection) -> dict[str, datetime | None]:
    """Of the sinks that are followed: when their far side last told of its cases."""
    rows = connection.execute(select(followed.c.sink, followed.c.heard_at))
    return {row[0]: row[1] for row in rows}


class Escalated(NamedTuple):
    """A case as its steps need it: its own row, its action's and the facts of the newest decision,
    None where its person was erased."""

    case: Any
    action: Any
    decision: int | None
    facts: dict[str, Any] | None


def lock(connection: Connection, case: int) -> Escalated | None:
    """Locked until the transaction ends; None where somebody else has it, or it is over. The caller
    holds the row of `projected`: nobody is erased before what these facts quote is put."""
    mine = select(cases).where(cases.c.action_id == case, cases.c.state.in_(UNFINISHED))
    row = connection.execute(mine.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    action = connection.execute(select(actions).where(actions.c.id == case)).one()
    newest = select(func.max(decisions.c.number)).where(decisions.c.response_id == row.response_id)
    told = connection.execute(
        select(decisions.c.number, decisions.c.facts, responses.c.erased_at)
        .join(responses, responses.c.id == decisions.c.response_id)
        .where(decisions.c.number == newest.scalar_subquery())
    ).one_or_none()
    if told is None or told.erased_at is not None:
        return Escalated(row, action, None, None)
    return Escalated(row, action, told.number, told.facts)


def verdict_of(connection: Connection, case: int) -> dict[str, Any]:
    """What asked for the case; empty where its person was erased."""
    asked = select(decisions.c.verdict).join(actions, actions.c.decision == decisions.c.number)
    return connection.scalar(asked.where(actions.c.id == case)) or {}


def judged(connection: Connection, case: int, steps: Sequence[str]) -> None:
    mine = update(cases).where(cases.c.action_id == case)
    connection.execute(mine.values(escalated=list(steps)))
