"""`when`: field-keyed conditions, read and checked against what exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector.documents import Document
from connector.domain import Problem
from connector.rules.fields import ALL_OPERATORS, OPERATORS, FieldRule, field_rule, nearest_field
from connector.rules.model import Condition, Group, GroupWord, Vocabulary
from connector.rules.operands import BadOperand, operand
from connector.rules.topics import DERIVED
from connector.text import did_you_mean, one_line

_GROUPS: tuple[GroupWord, ...] = ("all", "any", "none")
_DEEPEST = 2
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
        found: list[Condition] = []
        for operator, wanted in value.items():
            found.extend(self.condition(rule, operator, wanted, (*at, operator)))
        return found

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
            hint = did_you_mean(operator, ALL_OPERATORS) or f"allowed: {', '.join(allowed)}"
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
