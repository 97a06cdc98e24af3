"""What only shows when the rules are tried: failing examples, rules that never get their turn."""

from __future__ import annotations

from connector.domain import Problem
from connector.rules.decide import Reading, decide, read_rules
from connector.rules.explain import condition_reports
from connector.rules.match import View, holds
from connector.rules.model import RULES_FILE, Condition, Example, Group, Rule, Ruleset

_MEMBERSHIP = ("is", "in")


def check(ruleset: Ruleset) -> list[Problem]:
    """Runs every example and looks for rules without a name, an owner or a chance."""
    problems: list[Problem] = []
    for number, rule in enumerate(ruleset.rules):
        problems.extend(_who(rule))
        stopper = next((r for r in ruleset.rules[:number] if _shuts_out(r, rule)), None)
        if stopper:
            message = f"'{rule.id}' can never fire: '{stopper.id}' matches first and stops"
            problems.append(_at(rule.place, message, "move it up", warning=True))
        for example in rule.examples:
            problems.extend(_try(ruleset, number, example))
    return problems


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


def _who(rule: Rule) -> list[Problem]:
    problems: list[Problem] = []
    if rule.name == rule.id:
        problems.append(_at(rule.place, f"'{rule.id}' has no name", "people see it", warning=True))
    if not rule.owner:
        hint = "who is asked when it misfires"
        problems.append(_at(rule.place, f"'{rule.id}' has no owner", hint, warning=True))
    return problems


def _try(ruleset: Ruleset, number: int, example: Example) -> list[Problem]:
    rule, reading = ruleset.rules[number], read_rules(ruleset, example.facts)
    fires = number in reading.held and reading.is_read(number)
    if fires is not example.fires:
        said = "should fire and does not" if example.fires else "should not fire and does"
        message = f"example of '{rule.id}' {said}: {_reason(ruleset, number, example, reading)}"
        return [_at(example.place, message)]
    if not fires or rule.status != "live":
        return []
    return [
        _at(example.place, f"example of '{rule.id}': {intent.kind}: {intent.problem}", warning=True)
        for intent in decide(ruleset, example.facts).intents
        if intent.rule_id == rule.id and intent.problem
    ]


def _reason(ruleset: Ruleset, number: int, example: Example, reading: Reading) -> str:
    rule = ruleset.rules[number]
    if reading.stopper is not None and not reading.is_read(number) and example.fires:
        return f"'{ruleset.rules[reading.stopper].id}' ended the reading before"
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


def _shuts_out(earlier: Rule, later: Rule) -> bool:
    """Does `earlier` match, and end the reading, whenever `later` would match?"""
    if not earlier.stop or earlier.status != "live":
        return False
    return all(
        any(_implies(has, needs) for has in later.when.members) for needs in earlier.when.members
    )


def _implies(has: Condition | Group, needs: Condition | Group) -> bool:
    """True only where `has` being true makes `needs` true for certain."""
    if isinstance(has, Group) or isinstance(needs, Group):
        return has == needs
    if has.field != needs.field:
        return False
    if (has.operator, has.wanted) == (needs.operator, needs.wanted):
        return True
    if has.operator in _MEMBERSHIP and needs.operator in _MEMBERSHIP:
        return bool(has.probe <= needs.probe)
    inner, outer = _span(has), _interval(needs)
    return bool(inner and outer and outer[0] <= inner[0] and inner[1] <= outer[1])


def _interval(condition: Condition) -> tuple[float, float] | None:
    """The numbers that satisfy a comparison, as the lowest and the highest."""
    limitless = float("inf")
    if condition.operator == "at_most":
        return -limitless, condition.probe
    if condition.operator == "at_least":
        return condition.probe, limitless
    return condition.probe if condition.operator == "between" else None


def _span(condition: Condition) -> tuple[float, float] | None:
    """Between which numbers everything lies that satisfies the condition."""
    if condition.operator in _MEMBERSHIP and condition.type in ("score", "number", "count"):
        return min(condition.probe), max(condition.probe)
    return _interval(condition)
