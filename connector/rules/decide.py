"""The decision itself: facts in, verdict out. Pure: no clock, no store, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.domain import Facts, RuleMatch, Verdict
from connector.rules.model import DEFAULT_ID, Action, Rule, Ruleset
from connector.rules.render import Renderer

DEFAULT_NAME = "Default"


@dataclass(frozen=True)
class KeptOut:
    """A case that a rule asked for although an earlier rule (`by`) opens one in the same sink."""

    rule_id: str
    kind: str
    sink: str
    by: str


@dataclass(frozen=True)
class Reading:
    """How the rules were read, for `decide` and for everybody who asks why.

    `held` are the numbers of the rules whose `when` holds, also where nobody read them any more;
    `stopper` is the number of the rule that ended the reading.
    """

    held: tuple[int, ...]
    fired: tuple[int, ...]  # matched, for real or as a shadow
    held_out: frozenset[int]  # of these, live rules that ask for nothing as this customer is spared
    stopper: int | None
    actions: tuple[tuple[str, str, Action], ...]  # rule id, rule name, action
    kept_out: tuple[KeptOut, ...]
    default_ran: bool

    def is_read(self, number: int) -> bool:
        """Did the reading come as far as this rule?"""
        return self.stopper is None or number <= self.stopper


def read_rules(ruleset: Ruleset, facts: Facts) -> Reading:
    """Top to bottom: every live match acts, `stop` ends the reading, shadows only watch."""
    return reading_of(ruleset, facts, ruleset.index.matching(facts))


def reading_of(ruleset: Ruleset, facts: Facts, held: Sequence[int]) -> Reading:
    """The same where the numbers of the rules whose `when` holds are known already."""
    fired: list[int] = []
    asked: list[tuple[str, str, Action]] = []
    held_out: set[int] = set()
    stopper, default_runs = None, True
    for number in held:
        rule = ruleset.rules[number]
        status = rule.status_for(facts)
        if status == "draft":
            continue
        fired.append(number)
        if status == "live":
            default_runs = False
            if rule.holds_out(facts):
                held_out.add(number)
            else:
                asked.extend((rule.id, rule.name, action) for action in rule.then)
            if rule.stop:
                stopper = number
                break
    if default_runs:
        asked.extend((DEFAULT_ID, DEFAULT_NAME, action) for action in ruleset.default)
    actions, kept_out = _one_case_a_sink(asked)
    return Reading(
        held=tuple(held),
        fired=tuple(fired),
        held_out=frozenset(held_out),
        stopper=stopper,
        actions=actions,
        kept_out=kept_out,
        default_ran=default_runs,
    )


def decide(ruleset: Ruleset, facts: Facts) -> Verdict:
    """What these rules say to these facts. The same arguments always give the same verdict."""
    reading = read_rules(ruleset, facts)
    matches = tuple(_match(ruleset.rules[n], facts, n in reading.held_out) for n in reading.fired)
    renderer = Renderer(ruleset, facts)
    heard = ruleset.book.heard(facts)
    return Verdict(
        matches=matches,
        intents=tuple(renderer.intent(*action) for action in reading.actions),
        topics=heard.topics,
        flags=heard.flags,
        complaints=heard.complaints,
    )


def _match(rule: Rule, facts: Facts, held_out: bool) -> RuleMatch:
    if held_out:
        return RuleMatch(rule_id=rule.id, status="held_out")
    live = rule.status_for(facts) == "live"
    return RuleMatch(rule_id=rule.id, status="live" if live else "shadow")


def _one_case_a_sink(
    asked: list[tuple[str, str, Action]],
) -> tuple[tuple[tuple[str, str, Action], ...], tuple[KeptOut, ...]]:
    opened: dict[str, str] = {}
    kept: list[tuple[str, str, Action]] = []
    kept_out: list[KeptOut] = []
    for rule_id, rule_name, action in asked:
        if action.opens_case and action.sink in opened:
            kept_out.append(KeptOut(rule_id, action.kind, action.sink, opened[action.sink]))
            continue
        if action.opens_case:
            opened[action.sink] = rule_id
        kept.append((rule_id, rule_name, action))
    return tuple(kept), tuple(kept_out)
