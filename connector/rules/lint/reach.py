"""Rules and lines that can never hold, or no longer count."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime

from connector.domain import Problem
from connector.rules.explain import said
from connector.rules.lint.answers import Answers
from connector.rules.lint.places import Places
from connector.rules.model import Condition, Group, Rule, Ruleset, Status

Member = Condition | Group
_MOST_STOPS = 8


def standing(rule: Rule, now: datetime) -> Status:
    """What the rule is for an answer of today, in whatever survey."""
    over = bool(rule.ends) and all(end <= now for end in rule.ends.values())
    return "draft" if over else rule.status


def over(ruleset: Ruleset, places: Places, now: datetime) -> Iterator[Problem]:
    """Rules whose last day has passed."""
    for rule in ruleset.rules:
        if rule.status != "draft" and standing(rule, now) == "draft":
            message = f"'{rule.id}' counts as a draft: its last day was {rule.until}"
            hint = "remove the rule, or move the day"
            yield places.problem(message, rule, "until", hint=hint, severity="warning")


def contradictions(ruleset: Ruleset, places: Places, answers: Answers) -> Iterator[Problem]:
    """Rules that no answer satisfies, and lines of an `any` that never help."""
    for rule in ruleset.rules:
        culprits = _culprits(rule.when, answers)
        if culprits:
            said_so = " and ".join(_told(member) for member in culprits)
            yield places.problem(
                f"'{rule.id}' can never fire: no answer fits {said_so}",
                rule,
                *places.condition(rule, _field(culprits[-1])),
                hint=_cure(culprits, answers),
            )
            continue
        for number, member in enumerate(rule.when.members):
            if isinstance(member, Group) and member.word == "any":
                others = [m for n, m in enumerate(rule.when.members) if n != number]
                yield from _dead_lines(rule, member, others, places, answers)


def _culprits(when: Group, answers: Answers) -> Sequence[Member]:
    """The fewest lines that contradict each other; none where the whole can hold."""
    if not answers.satisfying((when, True)).impossible:
        return ()
    for count in (1, 2):
        for some in itertools.combinations(when.members, count):
            if answers.satisfying(*((member, True) for member in some)).impossible:
                return some
    return when.members


def _dead_lines(
    rule: Rule, group: Group, others: Sequence[Member], places: Places, answers: Answers
) -> Iterator[Problem]:
    for number, line in enumerate(group.members):
        wanted = [(member, True) for member in (*others, line)]
        if answers.satisfying(*wanted).impossible:
            yield places.problem(
                f"'{rule.id}': this line of any can never hold with the others: {_told(line)}",
                rule,
                "when",
                "any",
                number,
                hint="remove it, or change what it contradicts",
                severity="warning",
            )


def shut_out(
    ruleset: Ruleset, places: Places, answers: Answers, now: datetime
) -> dict[str, Problem]:
    """Rule id -> the finding, for rules that never get their turn."""
    found: dict[str, Problem] = {}
    stops: list[Rule] = []
    for rule in ruleset.rules:
        stoppers = _stoppers(rule, stops, answers)
        if stoppers:
            listed = ", ".join(f"'{one.id}'" for one in stoppers)
            verb = "matches first and stops" if len(stoppers) == 1 else "match first and stop"
            message = f"'{rule.id}' can never fire: {listed} {verb}"
            found[rule.id] = places.problem(message, rule, hint="move it up", severity="warning")
        if rule.stop and standing(rule, now) == "live":
            stops.append(rule)
    return found


def _stoppers(rule: Rule, stops: Sequence[Rule], answers: Answers) -> Sequence[Rule]:
    if not stops or answers.satisfying((rule.when, True)).impossible:
        return ()
    for one in stops:
        if answers.satisfying((rule.when, True), (one.when, False)).impossible:
            return (one,)
    some = stops[:_MOST_STOPS]
    refused = [(one.when, False) for one in some]
    return some if answers.satisfying((rule.when, True), *refused).impossible else ()


def _told(member: Member) -> str:
    if isinstance(member, Condition):
        return said(member)
    return f"{member.word} of ({'; '.join(_told(each) for each in member.members)})"


def _field(member: Member) -> str:
    return member.field if isinstance(member, Condition) else member.word


def _cure(culprits: Sequence[Member], answers: Answers) -> str:
    fields = {one.field for one in culprits if isinstance(one, Condition)}
    if "segment" not in fields or not fields & {"score", "survey"}:
        return "change one of them, or put them under 'any' if one of them is enough"
    spans: dict[str, list[str]] = {}
    for survey, cells in itertools.groupby(answers.cells, key=lambda cell: cell["survey"]):
        scores: dict[str, list[int]] = {}
        for cell in cells:
            if cell["segment"]:
                scores.setdefault(str(cell["segment"]), []).append(int(str(cell["score"])))
        told = ", ".join(f"{name} {min(of)}-{max(of)}" for name, of in scores.items())
        spans.setdefault(told or "no segments", []).append(str(survey))
    return "; ".join(f"{', '.join(surveys)}: {told}" for told, surveys in spans.items())
