"""A late answer: what had been decided about later answers of its customer is decided again.

What was given before an answer is its history, in whatever order answers come in. So that this
holds for those that were decided too early, they get a new decision, with a higher number, in the
transaction of the late one. It may open or raise a case; it sends the customer nothing.
"""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.domain import Response
from connector.facts import Around, Subject, gather
from connector.judging import Question, judge
from connector.ordering import place_orders
from connector.placing import Placed
from connector.rules.effects import DECIDED_AGAIN, quiet_by_age
from connector.store import answers, histories

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from connector.news import Moment
    from connector.understanding import Kept
    from connector.workspace import Workspace

log = logging.getLogger(__name__)


class Late(NamedTuple):
    """An answer that was decided after later ones of this customer."""

    response: str
    customer: str
    given: datetime


def late_ones(kept: Kept, overtaken: bool) -> Iterator[Late]:
    """Whose later answers see another history now, and from when on. `overtaken`: a later one of
    the customer was decided before. A revision may also have moved the answer away."""
    response, (customer, given), was = kept.words.response, kept.place, kept.was
    if was is not None and was.customer is not None and was.customer != customer:
        yield Late(response, was.customer, was.given)
    moved = was is not None and was.customer == customer and was.given < given
    if customer is not None and (overtaken or moved):
        yield Late(response, customer, min(given, was.given) if was and moved else given)


def decide_again(
    connection: Connection,
    workspace: Workspace,
    moment: Moment,
    around: Around,
    late: Iterable[Late],
) -> tuple[set[str], bool]:
    """Decide what these answers came too late for, each once, the earliest first; returns the sinks
    that have work now, and whether turns of pools were taken. Their customers are locked already.
    """
    sinks: set[str] = set()
    took_turns = False
    waiting = [deque(_overtaken(connection, workspace, moment, around, one)) for one in late]
    while heads := [queue.popleft() for queue in waiting if queue]:
        # One of each customer: what it opens is seen by the next.
        more, took_more = _decide(connection, workspace, moment, around, heads)
        sinks, took_turns = sinks | more, took_turns or took_more
    return sinks, took_turns


def _overtaken(
    connection: Connection, workspace: Workspace, moment: Moment, around: Around, late: Late
) -> Iterator[tuple[Late, Subject]]:
    found = histories.later_news(connection, late.customer, late.response, late.given, around.young)
    for row in found:
        settings = workspace.settings.sources.get(row.source)
        survey = around.surveys.get(row.survey)
        if settings is None or survey is None:
            continue  # taken out of the configuration since
        if not moment.acts_on(row.answered_at, row.source, settings):
            continue
        content = Response.model_validate(row.content)
        yield (
            late,
            Subject(
                response=row.id,
                revision=row.revision,
                source=row.source,
                survey=survey,
                content=content,
                customer=row.customer_id,
                stranger=False,
                answered_at=row.answered_at,
                decided=True,
            ),
        )


def _decide(
    connection: Connection,
    workspace: Workspace,
    moment: Moment,
    around: Around,
    heads: Sequence[tuple[Late, Subject]],
) -> tuple[set[str], bool]:
    subjects = [subject for _, subject in heads]
    before = histories.newest_facts(connection, [one.response for one in subjects])
    gathered = gather(connection, subjects, around)
    other = [
        (late, subject, facts)
        for (late, subject), (facts, _) in zip(heads, gathered, strict=True)
        if _seen(facts.model_dump(mode="json")) != _seen(before.get(subject.response, {}))
    ]
    if not other:
        return set(), False
    asked = [Question(facts, DECIDED_AGAIN) for _, _, facts in other]
    judged, took_turns = judge(connection, workspace, around.ruleset, asked)
    within = workspace.settings.act_on_customers_within
    placed = [
        Placed(
            facts=facts,
            told=facts.model_dump(mode="json"),
            verdict=verdict,
            customer=subject.customer,
            quiet=quiet_by_age(subject.answered_at, moment.now, within),
            restored=moment.comes_again(subject.answered_at),
            late_answer=late.response,
        )
        for (late, subject, _), (facts, verdict) in zip(other, judged, strict=True)
    ]
    ruleset, now = around.ruleset, moment.now
    rows = [one.decision_row(ruleset.hash, False, now) for one in placed]
    numbers = answers.add_decisions(connection, rows)
    for one in placed:
        seen = {"response": one.facts.response_id, "late_answer": one.late_answer}
        log.info("decided again", extra=seen)
    return place_orders(connection, workspace, placed, numbers, ruleset.timetable, now), took_turns


def _seen(told: dict[str, Any]) -> dict[str, Any]:
    """All that rules can see; when it was looked at makes no difference by itself."""
    return {name: value for name, value in told.items() if name != "decided_at"}
