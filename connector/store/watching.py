"""Named queries for who watches a running connector: what is new since, and what is unfinished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, func, or_, select

from connector.store.tables import actions, alarms, decisions, inbox, responses, sources

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class Unfinished(NamedTuple):
    """What still has to happen by itself, whenever it is due."""

    records: int
    actions: int
    alarms: int


def unfinished(connection: Connection) -> Unfinished:
    """Undecided records, unsent actions (what is held or parked waits for a person, and so do the
    amendments of it), alarms that nobody was told of."""
    base = actions.alias("base")
    unsent = ("waiting", "sending")
    goes_on = or_(actions.c.amends.is_(None), base.c.state.in_((*unsent, "done")))
    counts = (
        select(func.count()).where(inbox.c.state == "new"),
        select(func.count())
        .select_from(actions.outerjoin(base, base.c.id == actions.c.amends))
        .where(actions.c.state.in_(unsent), goes_on),
        select(func.count()).where(alarms.c.announced_at.is_(None)),
    )
    return Unfinished(*(connection.scalar(count) or 0 for count in counts))


def records_after(connection: Connection, number: int) -> Sequence[Any]:
    columns = (inbox.c.id, inbox.c.source, inbox.c.door)
    return connection.execute(
        select(*columns).where(inbox.c.id > number).order_by(inbox.c.id)
    ).all()


def decisions_after(connection: Connection, number: int) -> Sequence[Any]:
    statement = select(decisions).where(decisions.c.number > number)
    return connection.execute(statement.order_by(decisions.c.number)).all()


def actions_now(connection: Connection) -> Sequence[Any]:
    """Every action, without its order and its request."""
    columns = [column for column in actions.c if column.name not in ("order", "request")]
    return connection.execute(select(*columns).order_by(actions.c.id)).all()


def responses_in_order(connection: Connection) -> Sequence[Any]:
    """Every response with its latest verdict, in the order in which they were first decided."""
    first, last = func.min(decisions.c.number), func.max(decisions.c.number)
    numbers = select(decisions.c.response_id, first.label("first"), last.label("last"))
    span = numbers.group_by(decisions.c.response_id).subquery()
    statement = (
        select(responses, decisions.c.verdict)
        .join(span, span.c.response_id == responses.c.id)
        .join(decisions, decisions.c.number == span.c.last)
        .order_by(span.c.first)
    )
    return connection.execute(statement).all()


def polled_since(connection: Connection, moment: datetime) -> set[str]:
    """The sources that were read to their end after that moment."""
    return set(connection.scalars(select(sources.c.id).where(sources.c.polled_at >= moment)))


def failed_polls(connection: Connection) -> dict[str, str]:
    """Source -> why it cannot be read at the moment."""
    columns = select(sources.c.id, sources.c.pause_reason)
    rows = connection.execute(columns.where(sources.c.pause_reason.is_not(None)))
    return {row[0]: str(row[1]) for row in rows}
