"""Why did a rule fire, or not? Recomputed from the facts at any time, never stored as prose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector.domain import Facts, Value
from connector.rules.caps import refusal
from connector.rules.decide import Reading, read_rules
from connector.rules.match import View, holds
from connector.rules.model import Condition, Group, GroupWord, Ruleset, Status
from connector.rules.render import Renderer
from connector.rules.routing import Assigned
from connector.rules.topics import COMPLAINT, CONTRADICTION, TopicBook
from connector.rules.words import spelled, spelled_word
from connector.text import one_line

_LONGEST_VALUE = 300
_FEW = 3  # of a long list
_WORDS = {
    "is": "is",
    "in": "is one of",
    "not": "is not",
    "at_most": "is at most",
    "at_least": "is at least",
    "mentions": "mentions",
    "matches": "matches",
}


class ConditionReport(Value):
    """One condition. `group` is the way to it (`""`, `any`, `none`, `any/all`); `seen` is None
    where the value was missing, and cut where it is long. `found` are the words that stand
    in the text: of a `mentions`, or of the topics that were seen."""

    field: str
    operator: str
    wanted: Any
    seen: Any
    held: bool
    group: str = ""
    found: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`score is at most 3: saw 4`; without Python's own signs."""
        mentions = self.operator == "mentions"
        asked = _asked(self.field, self.operator, self.wanted, self.found if mentions else ())
        by = f" ({_said(self.found)})" if self.found and not mentions else ""
        return f"{asked}: saw {_said(self.seen)}{by}"


def said(condition: Condition) -> str:
    """`score is at most 3`."""
    return _asked(condition.field, condition.operator, condition.wanted)


def _asked(field: str, operator: str, wanted: Any, found: Sequence[str] = ()) -> str:
    if operator == "exists":
        return f"{field} {'exists' if wanted else 'is missing'}"
    if operator == "between":
        low, high = wanted
        return f"{field} is between {_said(low)} and {_said(high)}"
    value = spelled(wanted) if isinstance(wanted, Mapping) else wanted
    return f"{field} {_WORDS[operator]} {_said(value, found)}"


class GroupReport(Value):
    """`all`, `any` or `none` of its members, and whether that held."""

    word: GroupWord
    held: bool
    members: tuple[ConditionReport | GroupReport, ...]


class RuleReport(Value):
    """One rule. `fired` counts shadows too; `note` says what else decided."""

    rule_id: str
    name: str
    status: Status
    fired: bool
    when: GroupReport
    note: str = ""

    @property
    def conditions(self) -> tuple[ConditionReport, ...]:
        """Every condition of `when`, in the order of the file."""
        return tuple(_flat(self.when))


def explain(ruleset: Ruleset, facts: Facts) -> list[RuleReport]:
    """Every rule in the order of the file, fired or not, with the values that decided."""
    reading = read_rules(ruleset, facts)
    view = View(facts)
    kept_out: dict[str, list[str]] = {}
    for case in reading.kept_out:
        said = f"its {case.kind} in {case.sink} is already opened by {case.by}"
        kept_out.setdefault(case.rule_id, []).append(said)
    for rule_id, _, action in reading.actions:
        if why := refusal(rule_id, action, facts):
            kept_out.setdefault(rule_id, []).append(f"its {action.kind} is withheld: {why}")
    return [
        RuleReport(
            rule_id=rule.id,
            name=rule.name,
            status=rule.status_for(facts),
            fired=number in reading.fired,
            when=_group_report(rule.when, view),
            note="; ".join(
                filter(None, (_note(ruleset, facts, reading, number), *kept_out.get(rule.id, ())))
            ),
        )
        for number, rule in enumerate(ruleset.rules)
    ]


def assigned(ruleset: Ruleset, facts: Facts) -> Assigned | None:
    """Who it is for, and the line of `routing` that says so; None where nobody says so."""
    return Renderer(ruleset, facts).assigned


class Changed(Value):
    """A rule that says something else today. None: it does not exist."""

    rule_id: str
    then: bool | None
    today: bool | None


def changed(then: Sequence[RuleReport], today: Sequence[RuleReport]) -> list[Changed]:
    """The rules that fire now and did not, or the other way round; in the order of today's file."""
    was, fires = ({r.rule_id: r.fired for r in reports} for reports in (then, today))
    return [
        Changed(rule_id=id, then=was.get(id), today=fires.get(id))
        for id in {**fires, **was}
        if bool(was.get(id)) is not bool(fires.get(id))
    ]


def condition_reports(when: Group, view: View) -> Iterator[ConditionReport]:
    """Every condition below a group, in the order of the file."""
    return _flat(_group_report(when, view))


def _flat(group: GroupReport) -> Iterator[ConditionReport]:
    for member in group.members:
        if isinstance(member, GroupReport):
            yield from _flat(member)
        else:
            yield member


def _group_report(group: Group, view: View, way: str = "") -> GroupReport:
    members: list[ConditionReport | GroupReport] = []
    for member in group.members:
        if isinstance(member, Group):
            inner = f"{way}/{member.word}" if way else member.word
            members.append(_group_report(member, view, inner))
        else:
            members.append(_report(member, view, way))
    return GroupReport(word=group.word, held=holds(group, view), members=tuple(members))


def _report(condition: Condition, view: View, way: str) -> ConditionReport:
    seen = view.seen(condition)
    held = holds(condition, view)
    found: tuple[str, ...] = ()
    if held and condition.operator == "mentions":
        text, language = view.folded(condition.field), view.language
        words = (word for word in condition.probe if word.is_in(text, language))
        found = tuple(map(spelled_word, words))
    if condition.book is not None:
        found = _heard(condition.book, condition.field, view)
    if isinstance(seen, str):
        seen = one_line(seen, _LONGEST_VALUE)
    return ConditionReport(
        field=condition.field,
        operator=condition.operator,
        wanted=condition.wanted,
        seen=seen,
        held=held,
        group=way,
        found=found,
    )


def _heard(book: TopicBook, field: str, view: View) -> tuple[str, ...]:
    """The words by which a topic, a request or a contradiction was seen."""
    heard = book.heard(view.facts)
    if field == CONTRADICTION:
        return heard.words.get((COMPLAINT, ""), ())
    named = book.value(field, view.facts)
    return tuple(dict.fromkeys(word for name in named for word in heard.words[field, name]))


def _said(value: Any, first: Sequence[str] = ()) -> str:
    """A value as a person writes it; of a long list some, `first` before the others."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if not isinstance(value, list | tuple):
        return str(value)
    few = list(first) or (list(value) if len(value) <= _FEW + 1 else list(value[:_FEW]))
    hidden = len(value) - len(few)
    listed = ", ".join(_said(one) for one in few) or "nothing"
    return f"{listed} +{hidden} more" if hidden else listed


def _note(ruleset: Ruleset, facts: Facts, reading: Reading, number: int) -> str:
    rule, held = ruleset.rules[number], number in reading.held
    status = rule.status_for(facts)
    if status == "draft" and rule.status != "draft":
        return f"over after {rule.until}" + (": it would have matched" if held else "")
    if status == "draft":
        return "a draft: it would have matched" if held else "a draft"
    if reading.stopper is not None and not reading.is_read(number):
        return f"not read: {ruleset.rules[reading.stopper].id} ended the reading"
    if status == "shadow" and held:
        return "a shadow: it asks for nothing"
    if number in reading.held_out:
        who = "customer" if facts.customer_id else "answer"
        return f"held out: the {who} falls into the {rule.holdout}"
    return ""
