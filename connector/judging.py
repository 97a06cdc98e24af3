"""Verdicts about answers whose facts were gathered: what happened to their customers before, and
whose turn it is, become facts too."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.rules.decide import decide
from connector.rules.effects import why_withheld
from connector.store import effects, turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.domain import Facts, Verdict
    from connector.rules.model import ActionKind, Ruleset, Vocabulary


class Pending(NamedTuple):
    """Facts to be judged. `customer` is whose answer it is, `stranger` one about whom nothing was
    known before. `quiet` says why they get no message; `acts` is false for history."""

    facts: Facts
    customer: str | None
    stranger: bool
    quiet: str
    acts: bool

    @property
    def known(self) -> str | None:
        return None if self.stranger else self.customer


class Judged(NamedTuple):
    """All facts that the verdict was made from."""

    facts: Facts
    verdict: Verdict


def judge(
    connection: Connection,
    vocabulary: Vocabulary,
    ruleset: Ruleset,
    pending: Sequence[Pending],
    now: datetime,
) -> tuple[list[Judged], bool]:
    """The verdicts, and whether turns were taken: other deciders then wait for us. No two of one
    customer, who is locked.

    What is for a pool is decided again after it has taken its turn there: the turn is a fact.
    """
    complete = _complete(connection, ruleset, pending, now)
    found = [Judged(facts, decide(ruleset, facts)) for facts in complete]
    if ruleset.routing is None:
        return found, False
    kinds = vocabulary.actions
    wanted = [_pools_wanted(*each, kinds) for each in zip(pending, found, strict=True)]
    counted: dict[str, int] = {}
    for pools in wanted:
        for pool in pools:
            counted[pool] = counted.get(pool, 0) + 1
    if not counted:
        return found, False
    upcoming = turns.take(connection, counted)
    for number, pools in enumerate(wanted):
        if not pools:
            continue
        positions = dict(found[number].facts.positions)
        for pool in sorted(pools):
            positions[pool] = upcoming[pool]
            upcoming[pool] += 1
        facts = found[number].facts.model_copy(update={"positions": positions})
        found[number] = Judged(facts, decide(ruleset, facts))
    return found, True


def _complete(
    connection: Connection, ruleset: Ruleset, pending: Sequence[Pending], now: datetime
) -> list[Facts]:
    """The facts with whose they are, and with what this ruleset asks of the past."""
    known = [one.known for one in pending if one.known is not None]
    mine = [one.facts.response_id for one in pending]
    earlier = effects.earlier_effects(connection, known, mine, ruleset.recall, now)
    revised = [one.facts.response_id for one in pending if one.facts.revision > 1]
    positions = turns.taken(connection, revised) if ruleset.routing else {}
    found: list[Facts] = []
    for facts, customer, *_ in pending:
        more: dict[str, object] = {"customer_id": customer}
        if customer in earlier:
            history = facts.history.model_copy(update=earlier[customer]._asdict())
            more["history"] = history
        if facts.response_id in positions:
            more["positions"] = positions[facts.response_id]
        found.append(facts.model_copy(update=more))
    return found


def _pools_wanted(one: Pending, judged: Judged, kinds: Mapping[str, ActionKind]) -> set[str]:
    """The pools of which it takes a turn: where something is made, and it has none yet."""
    facts, intents = judged.facts, judged.verdict.intents
    if not one.acts:
        return set()
    has_case = any(kinds[intent.kind].opens_case for intent in intents)
    address, open_cases = facts.customer.get("email"), facts.history.open_cases
    unheard = why_withheld(one.quiet, address, has_case, open_cases)
    return {
        intent.pool
        for intent in intents
        if intent.pool
        and intent.pool not in facts.positions
        and not intent.refused
        and not (unheard and kinds[intent.kind].to_customer)
    }
