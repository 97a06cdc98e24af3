"""What a ruleset would have done with the decisions of the past, one after the other. Pure.

The kept facts are what rules saw then. Only what depends on the rules themselves is worked out
anew: which cases a customer has open. Everything else about an answer's history had been decided
before it, whatever the rules were.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from connector.domain import Facts
from connector.rules.decide import reading_of
from connector.rules.effects import effect_parts, why_withheld
from connector.rules.index import Index
from connector.rules.model import Action, Condition, Group, Rule, Ruleset
from connector.rules.past import Fate, Past, filled, owner_of
from connector.rules.templates import TextTemplate

OPEN_CASES = "history.open_cases"
_TEAM = ("group", "owner", "assignee")  # the parameters that say whose work a case is
_MOST_PLANS = 50_000  # sets of rules that matched together; then the oldest are forgotten


class Asked(NamedTuple):
    """An action as the replay sees it. `key` tells it apart from all others of one answer; `team`
    is a template where it depends on the answer."""

    key: str
    rule_id: str
    action: Action
    team: str | TextTemplate


class Plan(NamedTuple):
    """What follows when just these rules match."""

    fired: tuple[str, ...]
    asked: tuple[Asked, ...]
    has_case: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that would have been made. `sent_at`: from when on it cannot be taken back; None:
    never. `ended_at`: until when the case was open; None: to the end. `stood`: it was there before
    the first decision that is replayed."""

    asked: Asked
    team: str
    sent_at: datetime | None
    ended_at: datetime | None
    withheld: str = ""
    stood: bool = False

    def is_sent(self, now: datetime) -> bool:
        return self.sent_at is not None and self.sent_at <= now

    def is_open(self, now: datetime) -> bool:
        return self.ended_at is None or self.ended_at > now


Effects = dict[str, Effect]  # of one answer, by `Asked.key`


class Outcome(NamedTuple):
    """Where an answer stands after a decision."""

    fired: tuple[str, ...]
    effects: Effects


_NOTHING = Outcome((), {})


@dataclass(frozen=True)
class Known:
    """What is known about the time that is replayed.

    `accounts`: sink -> what its vendor limits. `fates`: by response and `Asked.key`. `standing`:
    what was there before the first decision, by response. `closes_after`: how long a case is taken
    to be open that never was; None: to the end.
    """

    accounts: Mapping[str, str]
    fates: Mapping[tuple[str, str], Fate]
    standing: Mapping[str, Sequence[tuple[str | None, Effect]]]
    closes_after: timedelta | None = None


def asked_key(opens_case: bool, account: str, kind: str, parts: tuple[str, str]) -> str:
    """One case for each account; anything else by its kind and `effect_parts`."""
    return f"case {account}" if opens_case else " ".join((kind, *parts))


class Side:
    """One ruleset on its way through the past, with the cases that it would have opened."""

    def __init__(self, ruleset: Ruleset, known: Known, offset: int = 0) -> None:
        self.ruleset = ruleset
        self._offset = offset  # the number of its first rule in the common index
        self._known = known
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._ending = [rule for rule in ruleset.rules if rule.ends]
        self._answers: dict[str, Outcome] = {}  # those that are still to be revised
        self._open: dict[str, list[tuple[str, datetime | None]]] = {}  # by customer: response, end
        for response, made in known.standing.items():
            self._answers[response] = Outcome((), {e.asked.key: e for _, e in made})
            for customer, effect in made:
                if customer is not None and effect.asked.action.opens_case:
                    self._open.setdefault(customer, []).append((response, effect.ended_at))

    def open_cases(self, past: Past, customer: str | None) -> int:
        """Cases of their other answers that would be open now."""
        theirs = self._open.get(customer) if customer is not None else None
        if not theirs:
            return 0
        now, mine = past.at, past.response
        return sum(1 for one, end in theirs if one != mine and (end is None or end > now))

    def decide(
        self, past: Past, customer: str | None, held: tuple[int, ...], others: int
    ) -> Outcome:
        """`held`: the rules whose `when` holds, by their numbers in the common index. `others`:
        what `open_cases` said."""
        plan = self._plan(past.facts, held)
        before = self._answers.pop(past.response, _NOTHING) if self._answers else _NOTHING
        effects = before.effects
        if past.acts:
            effects = self._placed(past, plan, others, before.effects)
            if customer is not None and (before.effects or plan.has_case):
                self._remember(customer, past.response, effects)
        outcome = Outcome(plan.fired, effects)
        if past.revision < past.revisions:
            self._answers[past.response] = outcome
        return outcome

    def _placed(self, past: Past, plan: Plan, others: int, before: Effects) -> Effects:
        """As `connector.ordering` places a verdict: what was sent stays, the rest is replaced."""
        if not before:
            has_case = plan.has_case
            return {one.key: self._effect(past, one, has_case, others) for one in plan.asked}
        now = past.at
        effects = {key: old for key, old in before.items() if old.withheld or old.is_sent(now)}
        has_case = plan.has_case or any(
            old.asked.action.opens_case and old.is_sent(now) and old.is_open(now)
            for old in before.values()
        )
        for asked in plan.asked:
            old_one = before.get(asked.key)
            if old_one is None or not old_one.is_sent(now):
                effects[asked.key] = self._effect(past, asked, has_case, others)
        return effects

    def _effect(self, past: Past, asked: Asked, has_case: bool, others: int) -> Effect:
        action, team = asked.action, asked.team
        if isinstance(team, TextTemplate):
            team = filled(team, past.facts, self.ruleset.book).strip() or _no_team(action)
        withheld = ""
        if action.to_customer:
            address = past.facts.customer.get("email")
            withheld = why_withheld(past.quiet, address, has_case, others)
        if withheld:
            return Effect(asked, team, None, None, withheld)
        fate = self._known.fates.get((past.response, asked.key))
        if fate is not None:
            return Effect(asked, team, *fate)
        after = self._known.closes_after if action.opens_case else None
        ended_at = None if after is None else past.at + after
        return Effect(asked, team, past.at + action.settle, ended_at)

    def _remember(self, customer: str, response: str, effects: Effects) -> None:
        theirs = [one for one in self._open.get(customer, ()) if one[0] != response]
        theirs += [
            (response, effect.ended_at)
            for effect in effects.values()
            if effect.asked.action.opens_case
        ]
        if theirs:
            self._open[customer] = theirs
        else:
            self._open.pop(customer, None)

    def _plan(self, facts: Facts, held: tuple[int, ...]) -> Plan:
        key = held
        if self._ending:
            key = (*held, -1, *(rule.status_for(facts) == "draft" for rule in self._ending))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._new_plan(facts, held)
        return plan

    def _new_plan(self, facts: Facts, held: tuple[int, ...]) -> Plan:
        numbers = [number - self._offset for number in held]
        reading = reading_of(self.ruleset, facts, numbers)
        asked: dict[str, Asked] = {}
        for rule_id, _, action in reading.actions:
            one = self._asked(rule_id, action)
            asked.setdefault(one.key, one)  # another sink of that account, or told twice
        fired = tuple(self.ruleset.rules[number].id for number in reading.fired)
        has_case = any(action.opens_case for _, _, action in reading.actions)
        return Plan(fired, tuple(asked.values()), has_case)

    def _asked(self, rule_id: str, action: Action) -> Asked:
        parts = effect_parts(action.to_customer, action.sink, rule_id)
        account = self._known.accounts.get(action.sink, action.sink)
        key = asked_key(action.opens_case, account, action.kind, parts)
        return Asked(key, rule_id, action, _team(action))


def _team(action: Action) -> str | TextTemplate:
    for name in _TEAM:
        if isinstance(action.templates.get(name), TextTemplate):
            template: TextTemplate = action.templates[name]
            return template
        value = getattr(action.params, name, "")
        if value:
            return str(value)
    return _no_team(action)


def _no_team(action: Action) -> str:
    return f"{action.sink}, nobody named"


class Compared(NamedTuple):
    """One decision under both rulesets."""

    past: Past
    active: Outcome
    candidate: Outcome


class Backtest:
    """Two rulesets go through the same past; every decision is matched once for both, as long as
    their open cases make no difference to a rule."""

    def __init__(self, active: Ruleset, candidate: Ruleset, known: Known) -> None:
        self._border = len(active.rules)
        self.active, self.candidate = Side(active, known), Side(candidate, known, self._border)
        self._index = Index((*active.rules, *candidate.rules))
        self._asks_open = _asks((*active.rules, *candidate.rules), OPEN_CASES)

    def compare(self, past: Past) -> Compared:
        facts, border = past.facts, self._border
        customer = owner_of(past.customer, facts)
        here = self.active.open_cases(past, customer)
        there = self.candidate.open_cases(past, customer)
        seen = vars(facts.history)
        seen["open_cases"] = here
        held = self._index.matching(facts)
        cut = bisect_left(held, border)
        mine = tuple(held[:cut])
        if here != there and self._asks_open:
            seen["open_cases"] = there
            held = self._index.matching(facts)
            cut = bisect_left(held, border)
        theirs = tuple(held[cut:])
        active = self.active.decide(past, customer, mine, here)
        return Compared(past, active, self.candidate.decide(past, customer, theirs, there))


def _asks(rules: Collection[Rule], field: str) -> bool:
    def asks(member: Condition | Group) -> bool:
        if isinstance(member, Condition):
            return member.field == field
        return any(asks(each) for each in member.members)

    return any(asks(rule.when) for rule in rules)
