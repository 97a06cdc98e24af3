"""Named queries of what customers answered next: to the same survey, after an answer, and what had
become of that one's case by then."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, and_, case, func, or_, select

from connector.store.counting import text_at
from connector.store.tables import cases, decisions, responses

if TYPE_CHECKING:
    from collections.abc import Generator

    from connector.store.counting import Period

_STREAMED = 2_000  # rows that are held at once


class Next(NamedTuple):
    """So many customers whose first answer to a survey in a time had this score and whose next one
    had that. `fate`: `closed`, its case was closed before the next answer; `none`, it had no case;
    `other`, it had one that was not closed by then."""

    survey: str
    score: int
    fate: str
    next_score: int
    customers: int


class Matched(NamedTuple):
    """A decision that was no history and matched something; `matches` is a JSON list."""

    customer: str | None
    survey: str
    response: str
    answered_at: datetime
    ruleset: str
    matches: str


class Given(NamedTuple):
    customer: str
    survey: str
    score: int
    answered_at: datetime


def next_answers(connection: Connection, period: Period, survey: str | None = None) -> list[Next]:
    """Of each customer the first answer in this time; an answer of somebody unknown has no next."""
    mine = (responses.c.customer_id, responses.c.survey)
    order = (responses.c.answered_at, responses.c.id)
    ordered = (
        select(
            responses.c.id,
            responses.c.survey,
            responses.c.score,
            func.lead(responses.c.score)
            .over(partition_by=mine, order_by=order)
            .label("next_score"),
            func.lead(responses.c.answered_at)
            .over(partition_by=mine, order_by=order)
            .label("next_at"),
            func.row_number().over(partition_by=mine, order_by=order).label("place"),
        )
        .where(
            responses.c.customer_id.is_not(None),
            responses.c.score.is_not(None),
            period.holds(responses.c.answered_at),
        )
        .subquery()
    )
    fate = case(
        (cases.c.action_id.is_(None), "none"),
        (and_(cases.c.state == "closed", cases.c.closed_at < ordered.c.next_at), "closed"),
        else_="other",
    ).label("fate")
    columns = (ordered.c.survey, ordered.c.score, fate, ordered.c.next_score, func.count())
    statement = (
        select(*columns)
        .select_from(ordered.outerjoin(cases, cases.c.response_id == ordered.c.id))
        .where(ordered.c.place == 1, ordered.c.next_score.is_not(None))
        .group_by(ordered.c.survey, ordered.c.score, "fate", ordered.c.next_score)
    )
    if survey is not None:
        statement = statement.where(ordered.c.survey == survey)
    return [Next(*row) for row in connection.execute(statement)]


def matched(connection: Connection, period: Period) -> Generator[Matched]:
    """In the order in which the answers were given. Streamed."""
    matches = text_at(decisions.c.verdict, ("matches",), connection.dialect.name)
    statement = (
        select(
            responses.c.customer_id,
            responses.c.survey,
            responses.c.id,
            responses.c.answered_at,
            decisions.c.ruleset,
            matches,
        )
        .join_from(decisions, responses)
        .where(
            period.holds(responses.c.answered_at),
            decisions.c.history.is_(False),
            or_(matches.contains("held_out"), matches.contains("live")),
        )
        .order_by(responses.c.answered_at, decisions.c.number)
    )
    for row in _streamed(connection, statement):
        yield Matched(*row)


def given(connection: Connection, period: Period) -> Generator[Given]:
    """Scored answers of known customers, as they were given. Streamed."""
    columns = (responses.c.customer_id, responses.c.survey, responses.c.score)
    statement = (
        select(*columns, responses.c.answered_at)
        .where(
            responses.c.customer_id.is_not(None),
            responses.c.score.is_not(None),
            period.holds(responses.c.answered_at),
        )
        .order_by(responses.c.answered_at, responses.c.id)
    )
    for row in _streamed(connection, statement):
        yield Given(*row)


def _streamed(connection: Connection, statement: Any) -> Generator[Any]:
    streaming = connection.execution_options(yield_per=_STREAMED)
    with streaming.execute(statement) as found:
        yield from found
