"""What the rules say to gathered facts; whose turn it is becomes one of the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.rules.decide import decide
from connector.rules.effects import why_withheld
from connector.store import turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from connector.domain import Facts, Verdict
    from connector.rules.model import Ruleset
    from connector.workspace import Workspace


class Question(NamedTuple):
    """What is judged. `quiet` says why the customer gets no new message; `history`: nothing is made
    whatever the rules say."""

    facts: Facts
    quiet: str
    history: bool = False


class Judged(NamedTuple):
    facts: Facts
    verdict: Verdict


def judge(
    connection: Connection, workspace: Workspace, ruleset: Ruleset, asked: Sequence[Question]
) -> tuple[list[Judged], bool]:
    """The verdicts, and whether turns were taken: other deciders then wait for us.

    What is for a pool is decided again after it has taken its turn there: the turn is a fact.
    """
    found = [Judged(one.facts, decide(ruleset, one.facts)) for one in asked]
    if ruleset.routing is None:
        return found, False
    wanted = [
        _pools_wanted(one, judged.verdict, workspace)
        for one, judged in zip(asked, found, strict=True)
    ]
    turns_wanted: dict[str, int] = {}
    for pools in wanted:
        for pool in pools:
            turns_wanted[pool] = turns_wanted.get(pool, 0) + 1
    if not turns_wanted:
        return found, False
    upcoming = turns.take(connection, turns_wanted)
    for number, pools in enumerate(wanted):
        if not pools:
            continue
        facts, positions = found[number].facts, dict(found[number].facts.positions)
        for pool in sorted(pools):
            positions[pool] = upcoming[pool]
            upcoming[pool] += 1
        facts = facts.model_copy(update={"positions": positions})
        found[number] = Judged(facts, decide(ruleset, facts))
    return found, True


def _pools_wanted(one: Question, verdict: Verdict, workspace: Workspace) -> set[str]:
    """The pools of which it takes a turn: where something is made, and it has none yet."""
    facts, kinds = one.facts, workspace.vocabulary.actions
    if one.history:
        return set()
    has_case = any(kinds[intent.kind].opens_case for intent in verdict.intents)
    address, open_cases = facts.customer.get("email"), facts.history.open_cases
    unheard = why_withheld(one.quiet, address, has_case, open_cases)
    return {
        intent.pool
        for intent in verdict.intents
        if intent.pool
        and intent.pool not in facts.positions
        and not intent.refused
        and not (unheard and kinds[intent.kind].to_customer)
    }
