"""What a replay adds up to: per rule, per day and team, and for whom something changes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import ceil
from typing import Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from connector.domain import Facts
from connector.rules.backtest import Compared
from connector.rules.made import Effect, Outcome
from connector.text import one_line

Key = TypeVar("Key")
Change = Literal["appears", "disappears", "moves"]
MATCHED = "answers"
HELD_OUT = "held out"
_WORDS = 120  # characters of a comment
_Pair = list[int]  # under the active ruleset, under the candidate


class Difference(NamedTuple):
    """One effect that only one of the rulesets makes, or that goes to another rule or team.

    `was` and `becomes` are the rule, and for cases the team, under the active ruleset and under the
    candidate; empty where there is none. `why` says why a message would be withheld.
    """

    number: int  # of the decision, by which they are ordered
    change: Change
    kind: str
    sink: str
    was: str
    becomes: str
    why: str
    response: str
    decided_at: datetime
    survey: str
    score: int | None
    segment: str | None
    name: str
    company: str
    words: str


@dataclass
class Tally:
    """Sums that can be added up. Pairs are (active ruleset, candidate).

    `rules`: by rule and what was counted: `answers`, `held out`, an action's kind, or that kind and
    `withheld`.
    `cases`: by team and day.
    """

    limit: int | None
    zone: ZoneInfo
    decisions: int = 0
    answers: int = 0
    history: int = 0
    rules: dict[tuple[str, str], _Pair] = field(default_factory=dict)
    cases: dict[tuple[str, date], _Pair] = field(default_factory=dict)
    changes: dict[tuple[Change, str], int] = field(default_factory=dict)  # by change and kind
    differences: list[Difference] = field(default_factory=list)

    def add(self, compared: Compared) -> None:
        """The last word about one answer."""
        past, active, candidate = compared
        self.answers += 1
        if not past.acts:
            self.history += 1
        for side, outcome in enumerate((active, candidate)):
            self._count(side, past.at, outcome)
        if active.effects or candidate.effects:
            self._differ(compared)

    def _count(self, side: int, at: datetime, outcome: Outcome) -> None:
        rules = self.rules
        for rule in outcome.fired:
            key = (rule, MATCHED)
            pair = rules.get(key)
            if pair is None:
                pair = rules[key] = [0, 0]
            pair[side] += 1
        for rule in outcome.held_out:
            rules.setdefault((rule, HELD_OUT), [0, 0])[side] += 1
        for effect in outcome.effects.values():
            if effect.stood:
                continue
            asked = effect.asked
            what = f"{asked.action.kind} withheld" if effect.withheld else asked.action.kind
            key = (asked.rule_id, what)
            pair = rules.get(key)
            if pair is None:
                pair = rules[key] = [0, 0]
            pair[side] += 1
            if asked.action.opens_case:
                day = (effect.team, at.astimezone(self.zone).date())
                self.cases.setdefault(day, [0, 0])[side] += 1

    def _differ(self, compared: Compared) -> None:
        active, candidate = compared.active.effects, compared.candidate.effects
        for key, was in active.items():
            if was.withheld or was.stood:
                continue
            becomes = candidate.get(key)
            if becomes is None or becomes.withheld:
                why = becomes.withheld if becomes else ""
                self._note("disappears", compared, was, _said(was), "", why)
            elif was.asked.rule_id != becomes.asked.rule_id or _team(was) != _team(becomes):
                self._note("moves", compared, becomes, _said(was), _said(becomes))
        for key, becomes in candidate.items():
            if not (becomes.withheld or becomes.stood):
                was_none = active.get(key)
                if was_none is None or was_none.withheld:
                    self._note("appears", compared, becomes, "", _said(becomes))

    def _note(
        self,
        change: Change,
        compared: Compared,
        effect: Effect,
        was: str,
        becomes: str,
        why: str = "",
    ) -> None:
        action = effect.asked.action
        kind = (change, action.kind)
        self.changes[kind] = self.changes.get(kind, 0) + 1
        past, facts = compared.past, compared.past.facts
        found = Difference(
            number=past.number,
            change=change,
            kind=action.kind,
            sink=action.sink,
            was=was,
            becomes=becomes,
            why=why,
            response=past.response,
            decided_at=past.at,
            survey=facts.survey,
            score=facts.score,
            segment=facts.segment,
            name=_who(facts),
            company=str(facts.company.get("name") or facts.customer.get("company") or ""),
            words=one_line(facts.comment, _WORDS),
        )
        if self.limit is None or len(self.differences) < self.limit:
            self.differences.append(found)
            if len(self.differences) == self.limit:
                heapq.heapify(self.differences)
        elif self.limit:
            heapq.heappushpop(self.differences, found)

    def merge(self, other: Tally) -> None:
        """Add what another part of the past came to."""
        self.decisions += other.decisions
        self.answers += other.answers
        self.history += other.history
        _add(self.rules, other.rules)
        _add(self.cases, other.cases)
        for kind, count in other.changes.items():
            self.changes[kind] = self.changes.get(kind, 0) + count
        self.differences = sorted(self.differences + other.differences, reverse=True)[: self.limit]


def _add(into: dict[Key, _Pair], more: Mapping[Key, _Pair]) -> None:
    for key, pair in more.items():
        mine = into.setdefault(key, [0, 0])
        into[key] = [mine[0] + pair[0], mine[1] + pair[1]]


def _said(effect: Effect) -> str:
    rule = effect.asked.rule_id
    return f"{rule} ({_team(effect)})" if effect.asked.action.opens_case else rule


def _team(effect: Effect) -> str:
    """Of a pool it is chance whose turn it is: one more case before, and everybody moves."""
    return f"pool {effect.pool}" if effect.pool else effect.team


def _who(facts: Facts) -> str:
    customer = facts.customer
    return one_line(str(customer.get("name") or customer.get("email") or ""), _WORDS)


class Load(NamedTuple):
    """Cases on the days of a time, those without one included; `over`: days above `capacity`."""

    total: int
    p50: int
    p90: int
    most: int
    by_weekday: tuple[float, ...]  # Monday first: cases on such a day, on average
    capacity: int | None
    over: int | None


def load(counts: Mapping[date, int], days: Sequence[date], capacity: int | None) -> Load:
    """`counts`: cases by day. A percentile is the smallest number that so many days keep to."""
    each = [counts.get(day, 0) for day in days]
    ordered = sorted(each) or [0]
    weekdays: list[list[int]] = [[] for _ in range(7)]
    for day, count in zip(days, each, strict=True):
        weekdays[day.weekday()].append(count)
    return Load(
        total=sum(each),
        p50=_percentile(ordered, 0.5),
        p90=_percentile(ordered, 0.9),
        most=ordered[-1],
        by_weekday=tuple(sum(some) / len(some) if some else 0.0 for some in weekdays),
        capacity=capacity,
        over=None if capacity is None else sum(count > capacity for count in each),
    )


def _percentile(ordered: Sequence[int], share: float) -> int:
    return ordered[max(ceil(share * len(ordered)), 1) - 1]


def days_between(first: datetime, last: datetime, zone: ZoneInfo) -> list[date]:
    """Every day from the first moment to the last."""
    begin, end = first.astimezone(zone).date(), last.astimezone(zone).date()
    return [begin + timedelta(days=number) for number in range((end - begin).days + 1)]


def by_day(
    cases: Mapping[tuple[str, date], Sequence[int]], side: int, teams: Iterable[str]
) -> dict[date, int]:
    """Cases of these teams together, by day; side 0 is the active ruleset."""
    wanted = set(teams)
    found: dict[date, int] = {}
    for (team, day), pair in cases.items():
        if team in wanted:
            found[day] = found.get(day, 0) + pair[side]
    return found
