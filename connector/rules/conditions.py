"""`when`: field-keyed conditions, read and checked against what exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connector.documents import Document
from connector.domain import MOST_PAST, Problem
from connector.rules import spans
from connector.rules.fields import ALL_OPERATORS, OPERATORS, FieldRule, field_rule, nearest_field
from connector.rules.model import Condition, Group, GroupWord, Vocabulary
from connector.rules.operands import BadOperand, operand
from connector.rules.topics import DERIVED
from connector.text import did_you_mean, one_line, parse_duration

_GROUPS: tuple[GroupWord, ...] = ("all", "any", "none")
_DEEPEST = 2
_COUNTED = ("at_least", "between", "is", "in")
_SYMBOLS = re.compile(r"\s*([<>]=?|==?|!=)\s*(-?\d{1,9})\s*")


def read_when(
    document: Document, at: tuple[str | int, ...], vocabulary: Vocabulary
) -> tuple[Group, list[Problem]]:
    """The conditions of the map that stands at `at`, and every problem in them."""
    reader = _Reader(document, vocabulary)
    data: Any = document.data
    for step in at:
        data = data[step]
    return Group("all", tuple(reader.lines(data, at, 0))), reader.problems


class _Reader:
    def __init__(self, document: Document, vocabulary: Vocabulary) -> None:
        self.document, self.vocabulary = document, vocabulary
        self.problems: list[Problem] = []

    def wrong(
        self, message: str, at: tuple[str | int, ...], hint: str = "", key: bool = False
    ) -> None:
        place = self.document.key_place(*at) if key else self.document.place(*at)
        line, column = place
        self.problems.append(
            Problem(file=self.document.file, line=line, column=column, message=message, hint=hint)
        )

    def lines(
        self, data: Mapping[str, Any], at: tuple[str | int, ...], depth: int
    ) -> list[Condition | Group]:
        found: list[Condition | Group] = []
        for name, value in data.items():
            word = next((word for word in _GROUPS if word == name), None)
            if word:
                found.extend(self.group(word, value, (*at, name), depth + 1))
            else:
                found.extend(self.field(name, value, (*at, name)))
        return found

    def group(
        self, word: GroupWord, items: Any, at: tuple[str | int, ...], depth: int
    ) -> list[Group]:
        if depth > _DEEPEST:
            self.wrong(
                f"'{word}' is nested too deeply", at, "groups may be two deep: split the rule"
            )
            return []
        if not isinstance(items, list) or not items:
            self.wrong(f"{word}: must be a list", at, "start each condition with '- '")
            return []
        members: list[Condition | Group] = []
        for number, item in enumerate(items):
            where = (*at, number)
            if not isinstance(item, Mapping) or not item:
                self.wrong(
                    f"{word}: item {number + 1}: must be a condition",
                    where,
                    "write 'field: {operator: value}'",
                )
                continue
            lines = self.lines(item, where, depth)
            members.append(lines[0] if len(lines) == 1 else Group("all", tuple(lines)))
        return [Group(word, tuple(members))]

    def field(self, name: str, value: Any, at: tuple[str | int, ...]) -> list[Condition]:
        rule = field_rule(name, self.vocabulary)
        if rule is None:
            hint = did_you_mean(name, _GROUPS) or nearest_field(name, self.vocabulary)
            self.wrong(f"unknown field '{one_line(name, 60)}'", at, hint, key=True)
            return []
        if value is None or value in ({}, []):
            self.wrong(f"{name}: is empty", at, "write what it must be, or {exists: false}")
            return []
        if isinstance(value, list):
            return self.condition(rule, "in", value, at, short=True)
        if not isinstance(value, Mapping):
            return self.condition(rule, "is", value, at, short=True)
        asked, within = dict(value), None
        if spans.WITHIN in asked:
            within = self.span(name, asked.pop(spans.WITHIN), at, alone=not asked)
            if within is None:
                return []
        found: list[Condition] = []
        for operator, wanted in asked.items():
            found.extend(self.condition(rule, operator, wanted, (*at, operator)))
        if within is None:
            return found
        for one in found:
            self.bounded(one, (*at, one.operator))
        return [replace(one, field=spans.spanned(name, within)) for one in found]

    def bounded(self, condition: Condition, at: tuple[str | int, ...]) -> None:
        """No more answers are counted within a time than are kept with a decision."""
        if condition.field not in spans.COUNTS or condition.operator not in _COUNTED:
            return
        named = condition.probe if isinstance(condition.probe, frozenset | tuple) else ()
        if max(named, default=condition.probe) > MOST_PAST:
            said = f"{condition.field}: {condition.operator}: is never so many within a time"
            self.wrong(said, at, f"the newest {MOST_PAST} earlier answers are counted")

    def span(
        self, name: str, written: Any, at: tuple[str | int, ...], alone: bool
    ) -> timedelta | None:
        """How far back the operators beside it look; None where that is wrong."""
        here = (*at, spans.WITHIN)
        if name not in spans.SPANNED:
            allowed = f"allowed for {', '.join(spans.SPANNED)}"
            self.wrong(f"{name}: does not take '{spans.WITHIN}'", here, allowed, key=True)
            return None
        try:
            span = parse_duration(written)
        except ValueError as error:
            self.wrong(f"{name}: within: {error}", here)
            return None
        if not isinstance(span, timedelta) or not span:
            self.wrong(f"{name}: within: must be longer than 0", here, "write a time such as 90d")
            return None
        if alone:
            hint = "write what it must be beside it: {at_least: 2, within: 90d}"
            self.wrong(f"{name}: 'within' stands alone", here, hint, key=True)
            return None
        return span

    def condition(
        self,
        rule: FieldRule,
        operator: str,
        wanted: Any,
        at: tuple[str | int, ...],
        short: bool = False,
    ) -> list[Condition]:
        allowed = OPERATORS[rule.type]
        if operator not in ALL_OPERATORS:
            known = (*ALL_OPERATORS, *([spans.WITHIN] if rule.name in spans.SPANNED else ()))
            hint = did_you_mean(operator, known) or f"allowed: {', '.join(allowed)}"
            self.wrong(f"unknown operator '{one_line(operator, 40)}'", at, hint, key=True)
            return []
        if operator not in allowed:
            hint = f"allowed: {', '.join(allowed)}"
            if short:
                hint = "write one value" if operator == "in" else hint
            self.wrong(f"{rule.name}: cannot be asked with '{operator}'", at, hint, key=not short)
            return []
        try:
            probe = operand(rule, operator, wanted, self.vocabulary)
        except BadOperand as bad:
            hint = _comparison_hint(wanted) or bad.hint
            said = rule.name if short else f"{rule.name}: {operator}"
            self.wrong(f"{said}: {bad}", (*at, *bad.way), hint, key=bad.at_key)
            return []
        book = self.vocabulary.book if rule.name in DERIVED else None
        return [Condition(rule.name, rule.type, operator, wanted, probe, book)]


def _comparison_hint(wanted: Any) -> str:
    """`score: <= 6` is text to YAML; say how a comparison is written here."""
    found = _SYMBOLS.fullmatch(wanted) if isinstance(wanted, str) else None
    if not found:
        return ""
    sign, number = found[1], int(found[2])
    forms = {
        "<": f"{{at_most: {number - 1}}}",
        "<=": f"{{at_most: {number}}}",
        ">": f"{{at_least: {number + 1}}}",
        ">=": f"{{at_least: {number}}}",
        "!=": f"{{not: {number}}}",
    }
    return f"write {forms.get(sign, str(number))}"
