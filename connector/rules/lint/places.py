"""Where in `rules.yaml` something stands, so that a finding points at the token to change."""

from __future__ import annotations

from typing import Any

from connector.documents import Document
from connector.domain import Problem, Severity
from connector.rules.model import DEFAULT_ID, LOG, Group, Rule, Ruleset
from connector.rules.spans import plain

Way = tuple[str | int, ...]


def with_default(ruleset: Ruleset) -> tuple[Rule, ...]:
    """All rules, and `default` as the last."""
    nothing = Group("all", ())
    last = Rule(DEFAULT_ID, "", "", "live", nothing, ruleset.default, False, (), (0, 0))
    return (*ruleset.rules, last)


class Places:
    """The places of the rules in one file. `default` counts as the rule of that name."""

    def __init__(self, document: Document) -> None:
        self._document = document
        rules = document.data.get("rules") if isinstance(document.data, dict) else None
        count = len(rules) if isinstance(rules, list) else 0
        self._numbers = {document.place("rules", number): number for number in range(count)}

    def action(self, rule: Rule, number: int, *inner: str | int) -> Way:
        """The way within a rule to its action `number`, and on to what stands in it."""
        then = self._raw(rule)["then"]
        at = [place for place, item in enumerate(then) if LOG not in item][number]
        return ("then", at, next(iter(then[at])), *inner)

    def condition(self, rule: Rule, field: str) -> Way:
        """The way to the first line of `when` that asks for this field; else to `when`."""
        name = plain(field)
        return _search(self._raw(rule).get("when"), name, ("when",)) or ("when",)

    def problem(
        self,
        message: str,
        rule: Rule,
        *way: str | int,
        hint: str = "",
        severity: Severity = "error",
        key: bool = False,
    ) -> Problem:
        """A problem at `way` within a rule; `key`: at the key itself, not at its value."""
        at = (*self._root(rule), *way)
        line, column = self._document.key_place(*at) if key else self._document.place(*at)
        return self._problem(line, column, message, hint, severity)

    def inside(
        self, message: str, rule: Rule, *way: str | int, line: int, hint: str, severity: Severity
    ) -> Problem:
        """A problem in line `line` (from 1) of the text at `way`."""
        at = (*self._root(rule), *way)
        row = self._document.line_inside(line, *at)
        return self._problem(row, self._document.place(*at)[1], message, hint, severity)

    def written(self, rule: Rule, *way: str | int) -> bool:
        """Does something stand there, or is it the kind's own default?"""
        here = self._raw(rule)
        for step in way:
            if isinstance(here, dict) and step not in here:
                return False
            here = here[step]
        return True

    def has_default(self) -> bool:
        """Does the file say what happens when no rule matched?"""
        return self._document.data.get("default") is not None

    def in_defaults(self, *keys: str) -> set[object]:
        """What the file says under these keys of `defaults`."""
        defaults = self._document.data.get("defaults")
        return {defaults.get(key) for key in keys} if isinstance(defaults, dict) else set()

    def of_file(self, message: str, *way: str | int, hint: str, severity: Severity) -> Problem:
        """A problem of the file, not of one rule."""
        line, column = self._document.place(*way)
        return self._problem(line, column, message, hint, severity)

    def _problem(
        self, line: int, column: int, message: str, hint: str, severity: Severity
    ) -> Problem:
        return Problem(
            file=self._document.file,
            line=line,
            column=column,
            severity=severity,
            message=message,
            hint=hint,
        )

    def _root(self, rule: Rule) -> Way:
        return ("default",) if rule.id == DEFAULT_ID else ("rules", self._numbers[rule.place])

    def _raw(self, rule: Rule) -> Any:
        here = self._document.data
        for step in self._root(rule):
            here = here[step]
        return here


def _search(here: Any, field: str, way: Way) -> Way | None:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(here, dict):
        if field in here:
            return (*way, field)
        inner = [(word, here[word]) for word in ("all", "any", "none") if word in here]
    elif isinstance(here, list):
        inner = list(enumerate(here))
    found = (_search(part, field, (*way, step)) for step, part in inner)
    return next((one for one in found if one), None)
