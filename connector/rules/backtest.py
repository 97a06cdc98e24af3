"""What a ruleset would have done with the decisions of the past, one after the other. Pure.

The kept facts are what rules saw then. Only what depends on the rules themselves is worked out
anew: which cases a customer has open, what caps and contacts count, whose turn it is in a pool.
Everything else about an answer's history had been decided before it, whatever the rules were.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from connector.domain import Facts, PastEffect
from connector.rules.caps import Cap, refusal
from connector.rules.decide import reading_of
from connector.rules.effects import DECIDED_AGAIN, effect_parts, why_withheld
from connector.rules.index import Index
from connector.rules.made import Asked, Effect, Effects, Known, Outcome, Plan, Recalled, asked_key
from connector.rules.memory import Memory, Remembered
from connector.rules.model import Action, Condition, Group, Rule, Ruleset
from connector.rules.past import Past, owner_of
from connector.rules.routing import Assigned
from connector.rules.teams import Teams, team_of
from connector.rules.templates import TextTemplate

OPEN_CASES, CONTACT = "history.open_cases", "history.days_since_contact"
_NOTHING, _STRANGER = Outcome((), {}), Recalled(0)
_MOST_PLANS = 50_000  # sets of rules that matched together; then the oldest are forgotten


class Side:
    """One ruleset on its way through the past, with the cases that it would have opened."""

    def __init__(self, ruleset: Ruleset, known: Known, offset: int = 0) -> None:
        self.ruleset = ruleset
        self._offset = offset  # the number of its first rule in the common index
        self._known = known
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._ending = [rule for rule in ruleset.rules if rule.ends]
        self._drawing = {offset + n: r for n, r in enumerate(ruleset.rules) if r.holdout}
        self._teams = Teams(ruleset.routing, ruleset.book)
        self._memory = Memory(ruleset.recall, known.earlier)
        self._remembers = bool(ruleset.recall)
        self._answers: dict[str, Outcome] = {}  # those that are still to be revised
        self._open: dict[str, list[tuple[str, datetime | None]]] = {}  # by customer: response, end
        for response, made in known.standing.items():
            self._answers[response] = Outcome((), {e.asked.key: e for _, e in made})
            for customer, effect in made:
                if customer is not None and effect.asked.action.opens_case:
                    self._open.setdefault(customer, []).append((response, effect.ended_at))

    def recalled(self, past: Past, customer: str | None) -> Recalled:
        """What this side knows of the customer now."""
        if customer is None:
            return _STRANGER
        cases, theirs = 0, self._open.get(customer)
        if theirs:
            now, mine = past.at, past.response
            for one, end in theirs:
                if one != mine and (end is None or end > now):
                    cases += 1
        if self._remembers:
            return Recalled(cases, *self._memory.of(customer, past.response, past.at))
        return Recalled(cases) if cases else _STRANGER

    def decide(
        self, past: Past, customer: str | None, held: tuple[int, ...], others: int
    ) -> Outcome:
        """`held`: the rules whose `when` holds, by their numbers in the common index. `others`:
        cases of their other answers. The facts say what else was recalled."""
        plan = self._plan(past.facts, held)
        before = self._answers.pop(past.response, _NOTHING) if self._answers else _NOTHING
        effects = before.effects
        if past.acts:
            effects = self._placed(past, plan, others, before.effects)
            if customer is not None and (before.effects or plan.has_case):
                self._remember(customer, past.response, effects)
            if customer is not None and self._remembers and (before.effects or effects):
                made = [_remembered(past, effect) for effect in effects.values()]
                there = [one for one in made if one is not None]
                self._memory.remember(customer, past.response, there, past.at)
        outcome = Outcome(plan.fired, effects, plan.held_out)
        if not past.is_last:
            self._answers[past.response] = outcome
        return outcome

    def _placed(self, past: Past, plan: Plan, others: int, before: Effects) -> Effects:
        """As `connector.ordering` places a verdict: what was sent stays, the rest is replaced."""
        now, who = past.at, self._whom(past, plan, others, before) if plan.routed else None
        if not before and plan.distinct:  # as nearly always
            why, has_case = self._why_withheld, plan.has_case
            return {
                one.key: self._effect(past, one, why(past, one, has_case, others, None), who)
                for one in plan.asked
            }
        effects = {key: old for key, old in before.items() if old.withheld or old.is_sent(now)}
        has_case = plan.has_case or any(
            old.asked.action.opens_case and old.is_sent(now) and old.is_open(now)
            for old in before.values()
        )
        placed: set[str] = set()
        for asked in plan.asked:
            old_one = before.get(asked.key)
            if old_one is not None and old_one.is_sent(now):
                continue
            withheld = self._why_withheld(past, asked, has_case, others, old_one)
            if asked.key not in placed or (effects[asked.key].withheld and not withheld):
                effects[asked.key] = self._effect(past, asked, withheld, who)
                placed.add(asked.key)
        return effects

    def _whom(self, past: Past, plan: Plan, others: int, before: Effects) -> Assigned | None:
        """Takes a turn of a pool where something would be made for its member."""
        for asked in plan.asked:
            old_one = before.get(asked.key)
            if asked.action.routed and not self._why_withheld(
                past, asked, plan.has_case, others, old_one
            ):
                return self._teams.assigned(past.response, past.facts, not past.is_last)
        return None

    def _why_withheld(
        self, past: Past, asked: Asked, has_case: bool, others: int, before: Effect | None
    ) -> str:
        action, withheld = asked.action, ""
        if action.to_customer:
            if past.again and (before is None or before.withheld):
                return before.withheld if before else DECIDED_AGAIN
            address = past.facts.customer.get("email")
            withheld = why_withheld(past.quiet, address, has_case, others)
        if action.cap and not withheld:
            return refusal(asked.rule_id, action, past.facts)
        return withheld

    def _effect(self, past: Past, asked: Asked, withheld: str, who: Assigned | None) -> Effect:
        action, now = asked.action, past.at
        team = asked.team
        if isinstance(team, TextTemplate):
            team = self._teams.told(team, action, past.facts, who)
        if withheld:
            return Effect(asked, team, None, None, withheld)
        pool = who.pool if who is not None and action.routed else ""
        fate = self._known.fates.get((past.response, asked.key))
        if fate is not None:
            sent_at, ended_at, refused = fate
            return Effect(asked, team, sent_at, ended_at, "", False, now, refused, pool)
        after = self._known.closes_after if action.opens_case else None
        ended_at = None if after is None else now + after
        sent_at = self._sends_at(past, action)
        return Effect(asked, team, sent_at, ended_at, "", False, now, False, pool)

    def _sends_at(self, past: Past, action: Action) -> datetime:
        ready = past.at + action.settle
        if not (action.send_hours or action.digest):
            return ready
        times, survey = self.ruleset.timetable, past.facts.survey
        return times.sends_at(action.send_hours, action.digest, survey, ready)

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
        if self._drawing:
            drawn = self._drawing
            key = (*key, -2, *(n for n in held if n in drawn and drawn[n].holds_out(facts)))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._new_plan(facts, held)
        return plan

    def _new_plan(self, facts: Facts, held: tuple[int, ...]) -> Plan:
        numbers = [number - self._offset for number in held]
        reading = reading_of(self.ruleset, facts, numbers)
        asked: dict[tuple[str, Cap | None], Asked] = {}
        for rule_id, _, action in reading.actions:
            one = self._asked(rule_id, action)
            # Another sink of that account, or told twice; but a cap may refuse the first.
            asked.setdefault((one.key, action.cap), one)
        fired = tuple(self.ruleset.rules[number].id for number in reading.fired)
        held_out = tuple(self.ruleset.rules[number].id for number in sorted(reading.held_out))
        has_case = any(action.opens_case for _, _, action in reading.actions)
        routed = any(action.routed for _, _, action in reading.actions)
        distinct = len({one.key for one in asked.values()}) == len(asked)
        return Plan(fired, tuple(asked.values()), has_case, held_out, routed, distinct)

    def _asked(self, rule_id: str, action: Action) -> Asked:
        parts = effect_parts(action.to_customer, action.sink, rule_id)
        account = self._known.accounts.get(action.sink, action.sink)
        key = asked_key(action.opens_case, account, action.kind, parts)
        return Asked(key, rule_id, action, team_of(action))


def _remembered(past: Past, effect: Effect) -> Remembered | None:
    if effect.withheld or effect.made_at is None:
        return None
    rule_id, action = effect.asked.rule_id, effect.asked.action
    case = action.opens_case
    made = PastEffect.model_construct(
        kind=action.kind, sink=action.sink, rule_id=rule_id, at=effect.made_at, case=case
    )
    gone_at = effect.ended_at if effect.refused else None
    return Remembered(past.response, made, case or action.to_customer, gone_at)


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
        rules = (*active.rules, *candidate.rules)
        self._asks = _asks(rules, OPEN_CASES) or _asks(rules, CONTACT)
        self._recalls = bool(active.recall or candidate.recall)
        self._draws = any(rule.holdout for rule in rules)

    def compare(self, past: Past) -> Compared:
        facts, border = past.facts, self._border
        customer = owner_of(past.customer, facts)
        if self._draws and facts.customer_id is None:  # kept before that was a fact
            vars(facts)["customer_id"] = customer
        here = self.active.recalled(past, customer)
        there = self.candidate.recalled(past, customer)
        self._put(past, here)
        held = self._index.matching(facts)
        cut = bisect_left(held, border)
        mine = tuple(held[:cut])
        active = self.active.decide(past, customer, mine, here.open_cases)
        if here is not there and here != there:
            self._put(past, there)
            if self._asks:
                held = self._index.matching(facts)
                cut = bisect_left(held, border)
        theirs = tuple(held[cut:])
        candidate = self.candidate.decide(past, customer, theirs, there.open_cases)
        return Compared(past, active, candidate)

    def _put(self, past: Past, recalled: Recalled) -> None:
        """What this side knows becomes a fact."""
        seen = vars(past.facts.history)
        seen["open_cases"] = recalled.open_cases
        if self._recalls:
            seen["effects"], seen["days_since_contact"] = recalled.effects, recalled.days
            vars(past.facts)["decided_at"] = past.at


def _asks(rules: Collection[Rule], field: str) -> bool:
    def asks(member: Condition | Group) -> bool:
        if isinstance(member, Condition):
            return member.field == field
        return any(asks(each) for each in member.members)

    return any(asks(rule.when) for rule in rules)
