"""One decision and its why: what its rules said then, and what today's say to the same facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connector.domain import Facts
from connector.rules.explain import changed, explain
from connector.rules.load import load
from connector.rules.model import RulesetText
from connector.store import answers, stories

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.rules.explain import Changed, RuleReport
    from connector.rules.model import Ruleset, Vocabulary


class Explained(NamedTuple):
    """`facts` is None where the person was erased; `rules` where the ruleset of that day cannot be
    loaded any more. `today`: rules that say something else now; None where that is not known."""

    number: int
    response: str
    customer: str | None
    decided_at: datetime
    ruleset: str
    is_active: bool
    history: bool
    late_answer: str | None
    facts: Facts | None
    rules: Sequence[RuleReport] | None
    today: Sequence[Changed] | None


def explained(connection: Connection, vocabulary: Vocabulary, number: int) -> Explained | None:
    """None where there is no such decision."""
    row = stories.decision(connection, number)
    if row is None:
        return None
    active = answers.active_ruleset(connection)
    facts = Facts.model_validate(row.facts) if row.facts else None
    then = _ruleset(connection, row.ruleset, vocabulary)
    rules = explain(then, facts) if then is not None and facts is not None else None
    return Explained(
        number=row.number,
        response=row.response_id,
        customer=_customer(connection, row),
        decided_at=row.decided_at,
        ruleset=row.ruleset,
        is_active=row.ruleset == active,
        history=row.history,
        late_answer=row.late_answer,
        facts=facts,
        rules=rules,
        today=_today(connection, row, rules, facts, vocabulary),
    )


def _customer(connection: Connection, row: Any) -> str | None:
    """Whose answer it is today."""
    answer = stories.answer(connection, row.response_id)
    found: str | None = answer.customer_id if answer is not None else None
    return found


def _today(
    connection: Connection,
    row: Any,
    then: Sequence[RuleReport] | None,
    facts: Facts | None,
    vocabulary: Vocabulary,
) -> Sequence[Changed] | None:
    active = answers.active_ruleset(connection)
    if active is None or facts is None or then is None:
        return None
    if active == row.ruleset:
        return ()
    now = _ruleset(connection, active, vocabulary)
    return None if now is None else changed(then, explain(now, facts))


def _ruleset(connection: Connection, identity: str, vocabulary: Vocabulary) -> Ruleset | None:
    text = RulesetText(files=answers.ruleset_files(connection, identity) or {})
    return load(text, vocabulary).ruleset
