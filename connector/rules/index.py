"""Which rules hold for some facts? All at once, so that many cost little more than few.

`match.holds` says what a rule means; this gives the same answer without a loop over the rules.
Every set of lines that must all hold (a `when`, a part of an `any`) is a row, a bit of one whole
number. For each field one look-up gives the rows that hold for the value seen, and these are ANDed.
What is left are the choices. A choice lies in the number as a stretch of bits, one for each part,
with a free bit above. Adding all ones to the stretch carries into the free bit where at least one
part holds; adding one carries where all hold. So one addition settles the choices of all rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from connector.domain import Facts
from connector.rules import spans
from connector.rules.columns import Column, columns
from connector.rules.formula import Every, Literal, normal
from connector.rules.match import View, holds
from connector.rules.model import Condition, Group


class Conditional(Protocol):
    """What has conditions: a rule, a line of routing."""

    @property
    def when(self) -> Group: ...


@dataclass
class _Step:
    """One addition for all choices of one depth: `((rows & parts) | filled) + added`."""

    parts: int = 0
    filled: int = 0
    added: int = 0
    carried: int = 0


@dataclass
class _Plan:
    """Where everything lies in the number."""

    bits: int = 0
    rows: int = 0
    asked: dict[Any, list[tuple[int, Literal]]] = field(default_factory=dict)
    steps: list[_Step] = field(default_factory=list)

    def bit(self) -> int:
        self.bits += 1
        return 1 << (self.bits - 1)

    def every(self, part: Every) -> tuple[int, int]:
        """The bit that tells whether this part holds, and after how many steps it does."""
        row = self.bit()
        self.rows |= row
        for literal in part.literals:
            about = (literal.condition.field, literal.condition.book)
            self.asked.setdefault(about, []).append((row, literal))
        if not part.choices:
            return row, 0
        inner = [self.choice(choice) for choice in part.choices]
        parts = row
        for bit, _ in inner:
            parts |= bit
        carried = self.bit()
        depth = max(depth for _, depth in inner)
        return self.settle(depth, parts, (carried - row) & ~parts, row, carried)

    def choice(self, parts: Sequence[Every]) -> tuple[int, int]:
        begin = 1 << self.bits
        inner = [self.every(part) for part in parts]
        bits = 0
        for bit, _ in inner:
            bits |= bit
        carried = self.bit()
        depth = max((depth for _, depth in inner), default=0)
        return self.settle(depth, bits, 0, carried - begin, carried)

    def settle(
        self, depth: int, parts: int, filled: int, added: int, carried: int
    ) -> tuple[int, int]:
        if depth == len(self.steps):
            self.steps.append(_Step())
        step = self.steps[depth]
        step.parts |= parts
        step.filled |= filled
        step.added |= added
        step.carried |= carried
        return carried, depth + 1


class Index:
    """Compiled once for a ruleset; immutable, so that threads may share it."""

    def __init__(self, rules: Sequence[Conditional]) -> None:
        self._rules = rules
        plan = _Plan()
        bits = [plan.every(normal(rule.when))[0] for rule in rules]
        self._rows = plan.rows
        self._steps = [(s.parts, s.filled, s.added, s.carried) for s in plan.steps]
        self._rule_bits = sum(bits)
        self._number = {bit.bit_length(): number for number, bit in enumerate(bits)}
        self._open = {n for n, rule in enumerate(rules) if _asks_pattern(rule.when)}
        self._first, self._last = _in_order(plan)

    def matching(self, facts: Facts) -> list[int]:
        """The numbers (from 0, in their order) of the rules whose `when` holds, of any status."""
        rows = self._rows
        for _, read, ready, judge in self._first:
            value = read(facts)
            held = ready.get(value)
            rows &= judge(value) if held is None else held
        for asked, read, ready, judge in self._last:
            if rows & asked:
                value = read(facts)
                held = ready.get(value)
                rows &= judge(value) if held is None else held
        for parts, filled, added, carried in self._steps:
            rows |= (((rows & parts) | filled) + added) & carried
        left = rows & self._rule_bits
        found: list[int] = []
        while left:
            highest = left.bit_length()
            left ^= 1 << (highest - 1)
            found.append(self._number[highest])
        found.reverse()
        if self._open and not self._open.isdisjoint(found):
            view = View(facts)
            return [n for n in found if n not in self._open or holds(self._rules[n].when, view)]
        return found


def _in_order(plan: _Plan) -> tuple[list[Column], list[Column]]:
    """What takes longest last: where nobody who is left asks for words, no text is looked at."""
    first: list[Column] = []
    last: list[Column] = []
    for asked in plan.asked.values():
        found = columns(asked, plan.rows)
        if any(_listens(literal.condition) for _, literal in asked):
            last.extend(found)
        elif spans.reader_of(asked[0][1].condition.field):
            last[:0] = found
        else:
            first.extend(found)
    return first, last


def _listens(condition: Condition) -> bool:
    return condition.operator == "mentions" or condition.book is not None


def _asks_pattern(member: Condition | Group) -> bool:
    if isinstance(member, Condition):
        return member.operator == "matches"
    return any(_asks_pattern(each) for each in member.members)
