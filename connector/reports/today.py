"""What needs a person now, and whether everything that should run does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connector.domain import Value
from connector.reports.running import SinkState, SourceState, sinks, sources
from connector.store import alarms, waiting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import Settings

LISTED = 50  # of each kind of case
_COMMENT = 240


class Case(Value):
    """A ticket or task, and whose answer it is about. `url` and all words come from outside."""

    action: int
    response: str
    customer: str
    customer_id: str | None
    score: int | None
    segment: str | None
    comment: str
    survey: str
    rule: str
    sink: str
    remote_id: str
    url: str | None
    state: str
    status: str
    owner: str
    team: str
    priority: str
    answered_at: datetime
    opened_at: datetime
    respond_by: datetime | None
    contacted_at: datetime | None
    closed_at: datetime | None
    missing: str


class Cases(Value):
    """`number` of them there are, of which these were asked for; `more`: there are more still."""

    number: int
    more: bool
    listed: tuple[Case, ...]


class Alarm(Value):
    id: int
    kind: str
    subject: str
    message: str
    count: int
    raised_at: datetime
    last_at: datetime


class Unmade(Value):
    """Tickets and tasks of detractors that are not there yet, by state of their action; `more`:
    there are more still."""

    number: int
    more: bool
    states: dict[str, int]


class Today(Value):
    detractors: Cases
    unmade: Unmade
    overdue: Cases
    unfinished: Cases
    alarms: tuple[Alarm, ...]
    sources: tuple[SourceState, ...]
    sinks: tuple[SinkState, ...]


def today(
    connection: Connection, settings: Settings, accounts: Mapping[str, str], now: datetime
) -> Today:
    """`accounts`: sink -> what its vendor limits."""
    begun_before = waiting.long_ago(now)
    numbers = waiting.counts(connection, now, begun_before)
    lists = (
        waiting.untouched_detractors(connection, LISTED),
        waiting.overdue_cases(connection, now, LISTED),
        waiting.unfinished_cases(connection, begun_before, LISTED),
    )
    detractors, overdue, unfinished = map(_cases, numbers, lists)
    return Today(
        detractors=detractors,
        unmade=_unmade(waiting.without_ticket(connection)),
        overdue=overdue,
        unfinished=unfinished,
        alarms=tuple(_alarm(row) for row in alarms.open_alarms(connection)),
        sources=sources(connection, settings, now),
        sinks=sinks(connection, settings, accounts, now),
    )


def case_of(row: Any) -> Case:
    """`row` as `store.waiting` reads it."""
    return Case(
        action=row.action_id,
        response=row.response_id,
        customer=row.customer_name or "",
        customer_id=row.customer_id,
        score=row.score,
        segment=row.segment,
        comment=str((row.content or {}).get("comment") or "")[:_COMMENT],
        survey=row.survey,
        rule=row.rule_id,
        sink=row.sink,
        remote_id=row.remote_id,
        url=row.url,
        state=row.state,
        status=row.status or "",
        owner=row.owner or "",
        team=row.team or "",
        priority=row.priority or "",
        answered_at=row.answered_at,
        opened_at=row.opened_at,
        respond_by=row.respond_by,
        contacted_at=row.contacted_at,
        closed_at=row.closed_at,
        missing=row.missing or "",
    )


def _cases(number: int, rows: Iterable[Any]) -> Cases:
    most = waiting.MOST_COUNTED
    listed = tuple(case_of(row) for row in rows)
    return Cases(number=min(number, most), more=number > most, listed=listed)


def _unmade(states: dict[str, int]) -> Unmade:
    most = waiting.MOST_COUNTED
    counted = {state: min(number, most) for state, number in states.items()}
    more = any(number > most for number in states.values())
    return Unmade(number=sum(counted.values()), more=more, states=counted)


def _alarm(row: Any) -> Alarm:
    return Alarm(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        message=row.message,
        count=row.count,
        raised_at=row.raised_at,
        last_at=row.last_at,
    )
