"""Mails to people who wait for a call."""

from __future__ import annotations

from collections.abc import Iterator

from connector.domain import Problem
from connector.rules.lint.answers import Answers
from connector.rules.lint.places import Places
from connector.rules.model import Condition, Ruleset

_WAITING = Condition("history.open_cases", "count", "at_least", 1, 1.0)


def mails_despite_cases(ruleset: Ruleset, places: Places, answers: Answers) -> Iterator[Problem]:
    """A customer with an open case gets no mail (`ordering` withholds it): say so where a rule
    sends one all the same, and where nobody will ever get it."""
    for rule in ruleset.rules:
        for number, action in enumerate(rule.then):
            if not action.to_customer:
                continue
            if answers.satisfying((rule.when, True), (_WAITING, True)).impossible:
                continue
            way = places.action(rule, number)
            if answers.satisfying((rule.when, True), (_WAITING, False)).impossible:
                message = f"'{rule.id}' never sends its mail: all whom it matches have an open case"
                hint = "a person talks to them first; ask for history.open_cases: 0"
                yield places.problem(message, rule, *way, hint=hint, severity="warning")
            else:
                message = f"'{rule.id}' also reaches customers with an open case: they get no mail"
                hint = "to count only those who get it, add to when: history.open_cases: 0"
                yield places.problem(message, rule, *way, hint=hint, severity="note")
