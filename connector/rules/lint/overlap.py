"""Rules that want the same case: one answer has at most one in a sink, and the order decides."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from connector.domain import Problem
from connector.rules.lint.answers import TOGETHER, Answers, Given, shown
from connector.rules.lint.places import Places
from connector.rules.lint.reach import standing
from connector.rules.match import View, holds
from connector.rules.model import Action, Condition, Group, Rule, Ruleset
from connector.text import describe_duration

_RANKS = {"low": 0, "normal": 1, "medium": 1, "high": 2, "urgent": 3}
_MOST_QUESTIONS = 10_000  # a second or two; only hundreds of rules in one sink ask more
_MOST_TOGETHER = 6
_CURE = (
    "move the more urgent one up, exclude the other's answers with 'none', or write such an answer "
    "into the examples if that is meant"
)


class _Asked(NamedTuple):
    """A case that a rule asks for; `mask` are the scores and surveys for which it may."""

    rule: Rule
    action: Action
    mask: int


def overlaps(
    ruleset: Ruleset,
    places: Places,
    answers: Answers,
    now: datetime,
    shut_out: Collection[str],
) -> Iterator[Problem]:
    """Cases that another rule always opens, and cases that the order alone decides.

    An earlier rule that is narrower or more urgent is how files are meant to be written.
    """
    opened: dict[str, list[_Asked]] = {}
    for rule in ruleset.rules:
        if standing(rule, now) != "live" or rule.id in shut_out:
            continue
        for number, action in enumerate(rule.then):
            if not action.opens_case:
                continue
            one = _Asked(rule, action, answers.mask(rule.when))
            before = opened.setdefault(action.sink, [])
            rivals = [other for other in before if other.mask & one.mask]
            way = places.action(rule, number)
            if answers.asked > _MOST_QUESTIONS:
                message = "too many rules ask for a case here: from here on they are not compared"
                hint = "exclude each other's answers with 'none', or split the file by survey"
                yield places.problem(message, rule, *way, hint=hint, severity="note")
                return
            found = _never(one, rivals, answers) or _undecided(one, rivals, answers)
            if found:
                yield places.problem(found[0], rule, *way, hint=found[1], severity="warning")
            if all(other.rule is not rule for other in before):
                before.append(one)


def _never(one: _Asked, rivals: Sequence[_Asked], answers: Answers) -> tuple[str, str] | None:
    """Do others open this case whenever the rule matches?"""
    fields = _asked_for(one.rule.when)
    groups = [(rival,) for rival in rivals if _plainly_asked_for(rival.rule.when) <= fields]
    if 1 < len(rivals) <= _MOST_TOGETHER:
        groups.append(tuple(rivals))  # type: ignore[arg-type]  # the last group is longer
    for some in groups:
        refused = [(rival.rule.when, False) for rival in some]
        if answers.satisfying((one.rule.when, True), *refused).impossible:
            listed = ", ".join(f"'{rival.rule.id}'" for rival in some)
            verb = ("matches", "stands") if len(some) == 1 else ("match", "stand")
            message = (
                f"'{one.rule.id}' never opens its {one.action.kind} in {one.action.sink}: "
                f"{listed} always {verb[0]} too, and {verb[1]} first"
            )
            return message, "move the narrower rule up"
    return None


def _asked_for(when: Group) -> set[str]:
    """Every field of a `when`, and those that hang together with one of them."""
    found = set(TOGETHER)
    for member in when.members:
        found |= {member.field} if isinstance(member, Condition) else _asked_for(member)
    return found


def _plainly_asked_for(when: Group) -> set[str]:
    """The fields without which this cannot hold for certain."""
    return {m.field for m in when.members if isinstance(m, Condition) and m.operator != "not"}


def _undecided(one: _Asked, rivals: Sequence[_Asked], answers: Answers) -> tuple[str, str] | None:
    """Answers for which only the order says who opens the case."""
    found: list[tuple[_Asked, Given | None]] = []
    for rival in rivals:
        if rival.rule.stop or _more_urgent(rival.action, one.action):
            continue
        both = ((rival.rule.when, True), (one.rule.when, True))
        if answers.satisfying(*both).impossible or _meant(rival.rule, one.rule):
            continue
        if answers.satisfying((rival.rule.when, True), (one.rule.when, False)).impossible:
            continue
        found.append((rival, None if any(given for _, given in found) else answers.example(*both)))
    if not found:
        return None
    rival, given = min(found, key=lambda each: each[1] is None)
    others = [f"'{each.rule.id}'" for each, _ in found if each is not rival]
    more = f"; so does {', '.join(others)} with others" if others else ""
    example = f", for example {shown(given)}" if given else ""
    theirs, ours = _terms(rival.action), _terms(one.action)
    told = f" ({theirs}), not this one ({ours})" if theirs != ours else ""
    message = (
        f"'{one.rule.id}' and '{rival.rule.id}' want the same {one.action.kind} in "
        f"{one.action.sink}{example}: '{rival.rule.id}' stands first and opens it{told}{more}"
    )
    return message, _CURE


def _meant(first: Rule, second: Rule) -> bool:
    """Has somebody written down an answer that both match?"""
    for example in (*first.examples, *second.examples):
        view = View(example.facts)
        if holds(first.when, view) and holds(second.when, view):
            return True
    return False


def _more_urgent(first: Action, second: Action) -> bool:
    """Is the first case at least as urgent in all, and more in something?"""
    one, other = _urgency(first), _urgency(second)
    return one != other and one[0] >= other[0] and one[1] <= other[1]


def _urgency(action: Action) -> tuple[int, timedelta]:
    priority = str(getattr(action.params, "priority", "")).casefold()
    return _RANKS.get(priority, 1), action.respond_within or timedelta.max


def _terms(action: Action) -> str:
    names = ("priority", "group", "assignee", "owner")
    told = [str(value) for name in names if (value := getattr(action.params, name, ""))]
    if action.respond_within:
        told.append(f"due in {describe_duration(action.respond_within)}")
    return ", ".join(told) or "without a due time"
