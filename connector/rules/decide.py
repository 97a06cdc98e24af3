"""The decision itself: facts in, verdict out. Pure: no clock, no store, no network."""

from __future__ import annotations

from dataclasses import dataclass

from connector.domain import Facts, RuleMatch, Verdict
from connector.rules.match import View, holds
from connector.rules.model import DEFAULT_ID, Action, Rule, Ruleset, Status
from connector.rules.render import Renderer

DEFAULT_NAME = "Default"


@dataclass(frozen=True)
class Step:
    """One rule as it was read. `stopped_by` is the rule after which nothing was read any more;
    `status` is the one that counted for this answer (`until` makes a draft of a rule)."""

    rule: Rule
    held: bool
    status: Status
    stopped_by: str = ""

    @property
    def fired(self) -> bool:
        """Did this rule match, for real or as a shadow?"""
        return self.held and not self.stopped_by and self.status != "draft"

    @property
    def acts(self) -> bool:
        """Did it match for real?"""
        return self.fired and self.status == "live"


@dataclass(frozen=True)
class KeptOut:
    """A case that a rule asked for although an earlier rule (`by`) opens one in the same sink."""

    rule_id: str
    kind: str
    sink: str
    by: str


@dataclass(frozen=True)
class Reading:
    """How the rules were read, for `decide` and for everybody who asks why."""

    steps: tuple[Step, ...]
    actions: tuple[tuple[str, str, Action], ...]  # rule id, rule name, action
    kept_out: tuple[KeptOut, ...]
    default_ran: bool


def read_rules(ruleset: Ruleset, facts: Facts) -> Reading:
    """Top to bottom: every live match acts, `stop` ends the reading, shadows only watch."""
    view = View(facts)
    steps: list[Step] = []
    asked: list[tuple[str, str, Action]] = []
    stopped_by = ""
    for rule in ruleset.rules:
        step = Step(rule, holds(rule.when, view), rule.status_for(facts), stopped_by)
        steps.append(step)
        if step.acts:
            asked.extend((rule.id, rule.name, action) for action in rule.then)
            stopped_by = rule.id if rule.stop else ""
    default_ran = not any(step.acts for step in steps)
    if default_ran:
        asked.extend((DEFAULT_ID, DEFAULT_NAME, action) for action in ruleset.default)
    actions, kept_out = _one_case_a_sink(asked)
    return Reading(tuple(steps), actions, kept_out, default_ran)


def decide(ruleset: Ruleset, facts: Facts) -> Verdict:
    """What these rules say to these facts. The same arguments always give the same verdict."""
    reading = read_rules(ruleset, facts)
    matches = tuple(
        RuleMatch(rule_id=step.rule.id, status="live" if step.acts else "shadow")
        for step in reading.steps
        if step.fired
    )
    if not reading.actions:
        return Verdict(matches=matches)
    renderer = Renderer(ruleset.mails, facts)
    return Verdict(matches=matches, intents=tuple(renderer.intent(*a) for a in reading.actions))


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
