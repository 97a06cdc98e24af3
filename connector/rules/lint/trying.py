"""The rules' own examples, and what every rule should say about itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector.domain import Problem
from connector.rules.explain import condition_reports
from connector.rules.match import View, holds
from connector.rules.model import RULES_FILE, Example, Group, Rule, Ruleset
from connector.rules.render import Renderer


def tried(ruleset: Ruleset) -> Iterator[Problem]:
    """Examples that do not come out as written."""
    stops: list[Rule] = []
    for rule in ruleset.rules:
        for example in rule.examples:
            yield from _try(ruleset, stops, rule, example)
        if rule.stop and rule.status == "live":
            stops.append(rule)


def nameless(ruleset: Ruleset) -> Iterator[Problem]:
    """Rules without a name or an owner."""
    for rule in ruleset.rules:
        if rule.name == rule.id:
            yield _at(rule.place, f"'{rule.id}' has no name", "people see it", warning=True)
        if not rule.owner:
            hint = "who is asked when it misfires"
            yield _at(rule.place, f"'{rule.id}' has no owner", hint, warning=True)


def _at(place: tuple[int, int], message: str, hint: str = "", warning: bool = False) -> Problem:
    line, column = place
    return Problem(
        file=RULES_FILE,
        line=line,
        column=column,
        severity="warning" if warning else "error",
        message=message,
        hint=hint,
    )


def _try(ruleset: Ruleset, stops: Sequence[Rule], rule: Rule, example: Example) -> list[Problem]:
    view = View(example.facts)
    held = holds(rule.when, view)
    stopped_by = next((stop.id for stop in stops if holds(stop.when, view)), "")
    if (held and not stopped_by) is not example.fires:
        said = "should fire and does not" if example.fires else "should not fire and does"
        message = f"example of '{rule.id}' {said}: {_reason(rule, example, stopped_by)}"
        return [_at(example.place, message)]
    if not example.fires or rule.status != "live":
        return []
    renderer = Renderer(ruleset, example.facts)
    intents = [renderer.intent(rule.id, rule.name, action) for action in rule.then]
    return [
        _at(example.place, f"example of '{rule.id}': {intent.kind}: {intent.problem}", warning=True)
        for intent in intents
        if intent.problem
    ]


def _reason(rule: Rule, example: Example, stopped_by: str) -> str:
    if stopped_by and example.fires and holds(rule.when, View(example.facts)):
        return f"'{stopped_by}' ended the reading before"
    view = View(example.facts)
    if not example.fires:
        held = [str(report) for report in condition_reports(rule.when, view) if report.held]
        return "; ".join(held) or "it has no condition"
    failed = next(member for member in rule.when.members if not holds(member, view))
    part = Group("all", (failed,))
    return "; ".join(
        f"{f'{report.group}: ' if report.group else ''}{report}"
        for report in condition_reports(part, view)
        if report.held is ("none" in report.group)
    )
