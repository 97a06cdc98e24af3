"""Named queries for replaying the past: decisions in their order, and what became of effects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Text,
    case,
    cast,
    func,
    or_,
    select,
    type_coerce,
)

from connector.store.effects import GONE
from connector.store.gathering import GROUPED
from connector.store.tables import actions, decisions, responses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STREAMED = 2_000  # rows that are held at once
_HALF = tuple("01234567")  # the last characters of ids in one of two halves; they are hex
_OWNER = func.coalesce(responses.c.customer_id, decisions.c.response_id)
_LAST = func.substr(_OWNER, func.length(_OWNER), 1)
_AGAIN = decisions.c.late_answer.is_not(None)
_SENT = case((actions.c.state == GROUPED, actions.c.finished_at), else_=actions.c.first_sent_at)
_ENDED = case((actions.c.state == "parked", actions.c.finished_at), else_=actions.c.closed_at)


@dataclass(frozen=True)
class Window:
    """Decisions made between two moments. `as_news`: those about history count at the moment when
    the answer was given."""

    since: datetime
    until: datetime
    as_news: bool = False

    @property
    def moment(self) -> ColumnElement[Any]:
        """When a decision counts, for the database."""
        if not self.as_news:
            return decisions.c.decided_at
        given = func.coalesce(responses.c.answered_at, decisions.c.decided_at)
        return case((decisions.c.history, given), else_=decisions.c.decided_at)

    @property
    def chosen(self) -> ColumnElement[bool]:
        return self.moment.between(self.since, self.until)


class Span(NamedTuple):
    """What lies in a window: the numbers and moments of its first and last decision, how many
    there are, and how many of them were about somebody who was erased since."""

    first: int
    last: int
    begins: datetime
    ends: datetime
    decisions: int
    erased: int


def span_of(connection: Connection, window: Window) -> Span | None:
    """None where nothing was decided in that time."""
    moment = window.moment
    statement = select(
        func.min(decisions.c.number),
        func.max(decisions.c.number),
        func.min(moment, type_=decisions.c.decided_at.type),
        func.max(moment, type_=decisions.c.decided_at.type),
        func.count(),
        func.count(responses.c.erased_at),
    )
    joined = statement.join_from(decisions, responses).where(window.chosen)
    row = connection.execute(joined).one()
    return Span(*row) if row[4] else None


def past_decisions(
    connection: Connection, window: Window, span: Span, half: int | None = None
) -> Iterator[Sequence[Any]]:
    """(number, response, customer, revision, newest revision, history, moment, late answer, facts
    as JSON text) in the order of the numbers, streamed. `half`: only those of every second
    customer, 0 or 1."""
    statement = (
        select(
            decisions.c.number,
            decisions.c.response_id,
            responses.c.customer_id,
            decisions.c.revision,
            responses.c.revision,
            decisions.c.history,
            raw_time(window.moment),
            decisions.c.late_answer,
            cast(decisions.c.facts, Text),
        )
        .join_from(decisions, responses)
        .where(
            decisions.c.number.between(span.first, span.last),
            window.chosen,
            responses.c.erased_at.is_(None),
        )
        .order_by(decisions.c.number)
    )
    return iter(_streamed(connection, _in_half(statement, _LAST, half)))


def decided_again(connection: Connection, span: Span) -> dict[str, int]:
    """By response, the number of its last decision that a late answer brought."""
    statement = (
        select(decisions.c.response_id, func.max(decisions.c.number))
        .where(_AGAIN, decisions.c.number.between(span.first, span.last))
        .group_by(decisions.c.response_id)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def real_effects(connection: Connection, since: datetime, half: int | None = None) -> Iterator[Any]:
    """(response, customer, rule, sink, account, kind, opens a case, to the customer, state, made
    at, first sent at, ended at) of what was really made: every case that was not over by `since`,
    and whatever else was made for answers that were decided several times. Streamed; no
    amendments."""
    again = select(decisions.c.response_id).where(_AGAIN)
    several = or_(responses.c.revision > 1, responses.c.id.in_(again))
    statement = (
        select(
            actions.c.response_id,
            actions.c.customer_id,
            actions.c.rule_id,
            actions.c.sink,
            actions.c.account,
            actions.c.kind,
            actions.c.opens_case,
            actions.c.to_customer,
            actions.c.state,
            raw_time(actions.c.created_at),
            raw_time(_SENT),
            raw_time(_ENDED),
        )
        .join_from(actions, responses, actions.c.response_id == responses.c.id)
        .where(
            actions.c.amends.is_(None),
            or_(actions.c.opens_case, several),
            or_(_ENDED.is_(None), since < _ENDED, several),
        )
    )
    owner = func.coalesce(responses.c.customer_id, actions.c.response_id)
    last = func.substr(owner, func.length(owner), 1)
    return iter(_streamed(connection, _in_half(statement, last, half)))


def effects_before(
    connection: Connection,
    begins: datetime,
    kinds: Sequence[str],
    since: datetime,
    contacts: bool,
    half: int | None = None,
) -> Iterator[Any]:
    """(response, customer, kind, sink, rule, opens a case, to the customer, decided at) of what
    customers knew before a time: these kinds since then, with `contacts` every message and case."""
    decided_at = func.coalesce(
        decisions.c.decided_at, actions.c.created_at, type_=actions.c.created_at.type
    )
    counted = (actions.c.kind.in_(kinds)) & (decided_at > since)
    if contacts:
        counted |= actions.c.opens_case | actions.c.to_customer
    statement = (
        select(
            actions.c.response_id,
            actions.c.customer_id,
            actions.c.kind,
            actions.c.sink,
            actions.c.rule_id,
            actions.c.opens_case,
            actions.c.to_customer,
            decided_at,
        )
        .outerjoin(decisions, decisions.c.number == actions.c.decision)
        .where(actions.c.amends.is_(None), actions.c.customer_id.is_not(None), counted)
        .where(decided_at < begins, actions.c.state.not_in(GONE))
    )
    last = func.substr(actions.c.customer_id, func.length(actions.c.customer_id), 1)
    return iter(_streamed(connection, _in_half(statement, last, half)))


def raw_time(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A time as the driver gives it, without the zone on SQLite: a million take a second less."""
    return type_coerce(column, DateTime(timezone=True))


def closed_cases(connection: Connection, most: int = 10_000) -> Sequence[Any]:
    """(created_at, closed_at) of the cases that were closed last."""
    statement = (
        select(actions.c.created_at, actions.c.closed_at)
        .where(actions.c.opens_case, actions.c.amends.is_(None), actions.c.closed_at.is_not(None))
        .where(actions.c.state == "done")
        .order_by(actions.c.id.desc())
    )
    return connection.execute(statement.limit(most)).all()


def _in_half(statement: Any, last: ColumnElement[str], half: int | None) -> Any:
    if half is None:
        return statement
    return statement.where(last.in_(_HALF) if half == 0 else last.not_in(_HALF))


def _streamed(connection: Connection, statement: Any) -> Iterator[Any]:
    found = connection.execution_options(yield_per=_STREAMED).execute(statement)
    for rows in found.partitions():
        yield from rows
