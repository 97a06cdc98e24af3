"""What the rules say to answers that were just kept; whose turn it is becomes one of the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.facts import gather
from connector.rules.decide import decide
from connector.rules.effects import quiet_by_age, why_withheld
from connector.store import turns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.domain import Facts, Verdict
    from connector.rules.model import Ruleset
    from connector.understanding import Kept
    from connector.workspace import Workspace


class Judged(NamedTuple):
    """One answer and what was decided about it; `quiet` says why its customer gets no message."""

    kept: Kept
    facts: Facts
    verdict: Verdict
    quiet: str


def judge(
    connection: Connection,
    workspace: Workspace,
    ruleset: Ruleset,
    kept: Sequence[Kept],
    now: datetime,
) -> tuple[list[Judged], bool]:
    """The verdicts, and whether turns were taken: other deciders then wait for us.

    What is for a pool is decided again after it has taken its turn there: the turn is a fact.
    """
    within = workspace.settings.act_on_customers_within
    found = [
        Judged(one, facts, decide(ruleset, facts), quiet_by_age(one.answered_at, now, within))
        for one, facts in zip(kept, gather(connection, kept, ruleset, now), strict=True)
    ]
    if ruleset.routing is None:
        return found, False
    wanted = [_pools_wanted(one, workspace) for one in found]
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
        one, positions = found[number], dict(found[number].facts.positions)
        for pool in sorted(pools):
            positions[pool] = upcoming[pool]
            upcoming[pool] += 1
        facts = one.facts.model_copy(update={"positions": positions})
        found[number] = one._replace(facts=facts, verdict=decide(ruleset, facts))
    return found, True


def _pools_wanted(one: Judged, workspace: Workspace) -> set[str]:
    """The pools of which it takes a turn: where something is made, and it has none yet."""
    facts, kinds = one.facts, workspace.vocabulary.actions
    if one.kept.history:
        return set()
    has_case = any(kinds[intent.kind].opens_case for intent in one.verdict.intents)
    address, open_cases = facts.customer.get("email"), facts.history.open_cases
    unheard = why_withheld(one.quiet, address, has_case, open_cases)
    return {
        intent.pool
        for intent in one.verdict.intents
        if intent.pool
        and intent.pool not in facts.positions
        and not intent.refused
        and not (unheard and kinds[intent.kind].to_customer)
    }
