"""A ruleset as reviewers read it: a row for each rule, a column for each field that rules ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from connector.rules.model import LOG, Action, Condition, Group, Rule, Ruleset
from connector.rules.routing import Line
from connector.rules.words import spelled
from connector.text import describe_duration, one_line

_LONGEST_LINE = 200
_LONGEST_VALUE = 40  # of an action; longer ones are texts, which are read in the file
_WORDS = {
    "is": "",
    "in": "",
    "not": "not ",
    "at_most": "at most ",
    "at_least": "at least ",
    "mentions": "mentions ",
    "matches": "matches ",
}
_GROUPED = (
    "any 1, any 2, …: at least one of these numbers has to hold; none 1, none 2, …: none of them "
    "may. What has the same mark in one row has to hold together."
)

Cell = tuple[str, ...]  # lines


@dataclass(frozen=True)
class DecisionTable:
    """Lines are plain text of one line each, without control characters."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    legend: str = ""


class _Line(NamedTuple):
    """One row before it has a cell for each field."""

    number: str
    called: Cell
    status: Cell
    when: Group | None
    actions: Cell
    owner: Cell = ()


def decision_table(ruleset: Ruleset, few: int = 1_000_000) -> DecisionTable:
    """Every rule in the order in which they are read, then the default, who gets it, and what
    happens when nobody acts. Of a list of values at most so `few` are told."""
    lines = [*_rules(ruleset), *_routes(ruleset), *_steps(ruleset)]
    asked = [_asked(line.when, few) if line.when else [] for line in lines]
    fields = list(dict.fromkeys(field for told in asked for field, _ in told))
    rows = tuple(
        ((line.number,), line.called, line.status, *_cells(fields, told), line.actions, line.owner)
        for line, told in zip(lines, asked, strict=True)
    )
    grouped = any(isinstance(one, Group) for x in lines if x.when for one in x.when.members)
    columns = ("#", "rule", "status", *map(one_line, fields), "actions", "owner")
    calendars = (one_line(f"{one}.") for one in ruleset.timetable.calendars.values())
    legend = " ".join([*([_GROUPED] if grouped else []), *calendars])
    return DecisionTable(columns, rows, legend)


def _rules(ruleset: Ruleset) -> Iterator[_Line]:
    for number, rule in enumerate(ruleset.rules, 1):
        called = _lines(rule.id, rule.name if rule.name != rule.id else "")
        owner = _lines(rule.owner)
        yield _Line(str(number), called, _status(rule), rule.when, _actions(rule.then), owner)
    yield _Line("", ("default",), ("no live rule",), None, _actions(ruleset.default))


def _routes(ruleset: Ruleset) -> Iterator[_Line]:
    for number, line in enumerate(ruleset.routing.lines if ruleset.routing else (), 1):
        yield _Line("", (f"routing, line {number}",), (), line.when, _who(line, ruleset))


def _steps(ruleset: Ruleset) -> Iterator[_Line]:
    for step in ruleset.escalation:
        called = _lines(f"escalation, {step.id}", step.name if step.name != step.id else "")
        overdue = describe_duration(step.overdue_by) if step.overdue_by else ""
        due = f"{overdue} after it was due" if overdue else "when it is due"
        yield _Line("", called, _lines(f"still {step.still}", due), step.when, _actions(step.then))


def _actions(actions: Sequence[Action]) -> Cell:
    return _lines(*map(_action, actions)) or (LOG,)


def _lines(*lines: str) -> Cell:
    return tuple(one_line(line, _LONGEST_LINE) for line in lines if line)


def _status(rule: Rule) -> Cell:
    until = f"until {rule.until}" if rule.until else ""
    cap = f"cap: {rule.cap}" if rule.cap is not None else ""
    spared = f"holdout {rule.holdout}" if rule.holdout else ""
    return _lines(rule.status, until, "stops" if rule.stop else "", cap, spared)


def _who(line: Line, ruleset: Ruleset) -> Cell:
    members = ruleset.routing.pools.get(line.pool, ()) if ruleset.routing else ()
    return _lines(f"{line}: {', '.join(members)}" if members else str(line))


def _cells(fields: Sequence[str], lines: Sequence[tuple[str, str]]) -> Iterator[Cell]:
    """One for each field."""
    return (_lines(*(told for one, told in lines if one == field)) for field in fields)


def _asked(when: Group, few: int) -> list[tuple[str, str]]:
    """Field and what it must be, with the way to it where it stands in a group."""
    return list(_members(when, "", few, Counter()))


def _members(group: Group, way: str, few: int, seen: Counter[str]) -> Iterator[tuple[str, str]]:
    mark = ""
    if group.word != "all":
        before = seen[way + group.word]
        seen[way + group.word] += 1
        mark = chr(ord("A") + before) if before else ""  # a second `any` of the same rule
    for number, member in enumerate(group.members, 1):
        here = way if group.word == "all" else f"{way}{group.word} {mark}{number}"
        if isinstance(member, Condition):
            yield member.field, f"{here.rstrip(', ')}: {_must(member, few)}".removeprefix(": ")
        else:
            inner = f"{here}, " if here and not here.endswith(", ") else here
            yield from _members(member, inner, few, seen)


def _must(condition: Condition, few: int) -> str:
    wanted = condition.wanted
    if condition.operator == "exists":
        return "is there" if wanted else "is missing"
    if condition.operator == "between":
        return f"{_said(wanted[0])} to {_said(wanted[1])}"
    if isinstance(wanted, Mapping):
        wanted = spelled(wanted)
    values = wanted if isinstance(wanted, list | tuple) else [wanted]
    told = [_said(value) for value in values[:few]]
    more = f" +{len(values) - few} more" if len(values) > few else ""
    return f"{_WORDS[condition.operator]}{' | '.join(told)}{more}"


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _action(action: Action) -> str:
    """What the file says about it, but its texts: `zendesk.ticket: priority urgent, …`."""
    told = [
        f"{name} {_short(value)}"
        for name, value in action.params
        if name in action.params.model_fields_set
        and name not in action.templates
        and value is not None
        and (isinstance(value, timedelta) or len(_short(value)) <= _LONGEST_VALUE)
    ]
    if action.hours and action.respond_within:
        told.append(f"hours {action.hours}")
    told += [f"send_hours {action.send_hours}"] if action.send_hours else []
    told += [f"digest {action.digest}"] if action.digest else []
    return f"{action.kind}: {', '.join(told)}" if told else action.kind


def _short(value: Any) -> str:
    if isinstance(value, timedelta):
        return describe_duration(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_said(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return " + ".join(map(_said, value))
    return _said(value)
