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
from connector.ordering import place_orders
from connector.placing import Placed
from connector.rules.decide import decide
from connector.rules.effects import quiet_by_age
from connector.store import answers, histories

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from connector.domain import Facts
    from connector.news import Moment
    from connector.rules.model import Ruleset
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
    ruleset: Ruleset,
    moment: Moment,
    around: Around,
    late: Iterable[Late],
) -> set[str]:
    """Decide what these answers came too late for, each once, the earliest first; returns the sinks
    that have work now. Their customers are locked already."""
    sinks: set[str] = set()
    waiting = [deque(_overtaken(connection, workspace, moment, around, one)) for one in late]
    while heads := [queue.popleft() for queue in waiting if queue]:
        # One of each customer: what it opens is seen by the next.
        sinks |= _decide(connection, workspace, ruleset, moment, around, heads)
    return sinks


def _overtaken(
    connection: Connection, workspace: Workspace, moment: Moment, around: Around, late: Late
) -> Iterator[tuple[Late, Subject]]:
    found = histories.later_news(connection, late.customer, late.response, late.given, around.young)
    for row in found:
        settings, survey = (
            workspace.settings.sources.get(row.source),
            around.surveys.get(row.survey),
        )
        if settings is None or survey is None:
            continue  # taken out of the configuration since
        if not moment.acts_on(row.answered_at, row.source, settings):
            continue
        content = Response.model_validate(row.content)
        yield (
            late,
            Subject(
                row.id, row.revision, row.source, survey, content, row.customer_id, row.answered_at
            ),
        )


def _decide(
    connection: Connection,
    workspace: Workspace,
    ruleset: Ruleset,
    moment: Moment,
    around: Around,
    heads: Sequence[tuple[Late, Subject]],
) -> set[str]:
    subjects = [subject for _, subject in heads]
    before = histories.newest_facts(connection, [one.response for one in subjects])
    placed: list[Placed] = []
    gathered = gather(connection, subjects, around)
    for (late, subject), (facts, _) in zip(heads, gathered, strict=True):
        told = facts.model_dump(mode="json")
        if _seen(told) == _seen(before.get(subject.response, {})):
            continue
        placed.append(_placed(workspace, ruleset, moment, facts, told, subject, late))
    if not placed:
        return set()
    rows = [one.decision_row(ruleset.hash, False, moment.now) for one in placed]
    numbers = answers.add_decisions(connection, rows)
    for one in placed:
        seen = {"response": one.facts.response_id, "late_answer": one.late_answer}
        log.info("decided again", extra=seen)
    return place_orders(connection, workspace, placed, numbers, moment.now)


def _placed(
    workspace: Workspace,
    ruleset: Ruleset,
    moment: Moment,
    facts: Facts,
    told: dict[str, Any],
    subject: Subject,
    late: Late,
) -> Placed:
    return Placed(
        facts,
        told,
        decide(ruleset, facts),
        subject.customer,
        quiet_by_age(subject.answered_at, moment.now, workspace.settings.act_on_customers_within),
        moment.comes_again(subject.answered_at),
        late.response,
    )


def _seen(told: dict[str, Any]) -> dict[str, Any]:
    """All that rules can see; when it was looked at makes no difference by itself."""
    return {name: value for name, value in told.items() if name != "decided_at"}
