"""Why did a rule fire, or not? Recomputed from the facts at any time, never stored as prose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector.domain import Facts, Value
from connector.rules.decide import Step, read_rules
from connector.rules.match import View, holds
from connector.rules.model import Condition, Group, Ruleset, Status
from connector.text import one_line

_LONGEST_VALUE = 300


class ConditionReport(Value):
    """One condition. `group` is the way to it (`""`, `any`, `none`, `any/all`); `seen` is None
    where the value was missing, and cut where it is long."""

    field: str
    operator: str
    wanted: Any
    seen: Any
    held: bool
    group: str = ""

    def __str__(self) -> str:
        seen = "missing" if self.seen is None else f"was {self.seen!r}"
        return f"{self.field} {self.operator} {self.wanted!r}: {seen}"


class RuleReport(Value):
    """One rule. `fired` counts shadows too; `note` says what else decided."""

    rule_id: str
    name: str
    status: Status
    fired: bool
    conditions: tuple[ConditionReport, ...]
    note: str = ""


def explain(ruleset: Ruleset, facts: Facts) -> list[RuleReport]:
    """Every rule in the order of the file, fired or not, with the values that decided."""
    reading = read_rules(ruleset, facts)
    view = View(facts)
    kept_out: dict[str, list[str]] = {}
    for case in reading.kept_out:
        said = f"its {case.kind} in {case.sink} is already opened by {case.by}"
        kept_out.setdefault(case.rule_id, []).append(said)
    return [
        RuleReport(
            rule_id=step.rule.id,
            name=step.rule.name,
            status=step.rule.status,
            fired=step.fired,
            conditions=tuple(condition_reports(step.rule.when, view)),
            note="; ".join(filter(None, (_note(step), *kept_out.get(step.rule.id, ())))),
        )
        for step in reading.steps
    ]


def condition_reports(when: Group, view: View, way: str = "") -> Iterator[ConditionReport]:
    """Every condition below a group, in the order of the file."""
    for member in when.members:
        if isinstance(member, Group):
            inner = f"{way}/{member.word}" if way else member.word
            yield from condition_reports(member, view, inner)
        else:
            yield _report(member, view, way)


def _report(condition: Condition, view: View, way: str) -> ConditionReport:
    seen = view.value(condition.field)
    if isinstance(seen, str):
        seen = one_line(seen, _LONGEST_VALUE)
    return ConditionReport(
        field=condition.field,
        operator=condition.operator,
        wanted=condition.wanted,
        seen=seen,
        held=holds(condition, view),
        group=way,
    )


def _note(step: Step) -> str:
    if step.rule.status == "draft":
        return "a draft: it would have matched" if step.held else "a draft"
    if step.stopped_by:
        return f"not read: {step.stopped_by} ended the reading"
    if step.rule.status == "shadow" and step.held:
        return "a shadow: it asks for nothing"
    return ""
