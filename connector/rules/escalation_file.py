"""The steps of `escalation` as they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector.documents import Document, validate
from connector.domain import Problem
from connector.rules.actions import At
from connector.rules.conditions import read_when
from connector.rules.escalation import Step
from connector.rules.match import always_there
from connector.rules.model import LOG, Action, Group, Vocabulary
from connector.rules.written import EscalationText
from connector.text import one_line

Read = Callable[[At, frozenset[str]], tuple[Action, ...]]  # a `then`, and what is surely there


def read_escalation(
    document: Document, vocabulary: Vocabulary, read_actions: Read
) -> tuple[tuple[Step, ...], list[Problem]]:
    """Every step, and every problem; `read_actions` keeps its own."""
    raw = document.data.get("escalation") if isinstance(document.data, dict) else None
    if raw is None:
        return (), []
    if not isinstance(raw, list) or not raw:
        hint = "start each step with '- id: …'"
        return (), [document.problem("escalation: must be a list", "escalation", hint=hint)]
    steps: list[Step] = []
    problems: list[Problem] = []
    for number, item in enumerate(raw):
        step = _step(document, ("escalation", number), item, vocabulary, read_actions, problems)
        if step is not None:
            steps.append(step)
    problems += _twins(document, steps)
    return tuple(steps), problems


def _step(
    document: Document,
    at: At,
    raw: Any,
    vocabulary: Vocabulary,
    read_actions: Read,
    problems: list[Problem],
) -> Step | None:
    head, found = validate(document, EscalationText, at=at)
    problems += found
    if not isinstance(raw, dict):
        return None
    when = Group("all", ())
    if isinstance(raw.get("when"), dict):
        when, found = read_when(document, (*at, "when"), vocabulary)
        problems += found
    then: tuple[Action, ...] = ()
    if isinstance(raw.get("then"), list):
        then = read_actions((*at, "then"), always_there(when))
        problems += _idle(document, at, raw["then"])
    problems += _to_customers(document, at, then)
    if head is None or len(then) != len(raw["then"]):
        return None  # what is wrong was said
    return Step(
        id=head.id,
        name=head.name or head.id,
        when=when,
        still=head.still,
        overdue_by=head.overdue_by,
        then=then,
        written=tuple(_written(item) for item in raw["then"]),
        place=document.place(*at),
    )


def _written(item: Any) -> frozenset[str]:
    (params,) = item.values()
    return frozenset(params or ())


def _idle(document: Document, at: At, then: list[Any]) -> list[Problem]:
    """A rule may only note; a step that does would never be seen."""
    hint = "tell a colleague, or change the case"
    return [
        document.problem(f"{LOG}: an escalation has to do something", *at, "then", place, hint=hint)
        for place, item in enumerate(then)
        if isinstance(item, dict) and LOG in item
    ]


def _to_customers(document: Document, at: At, then: tuple[Action, ...]) -> list[Problem]:
    hint = "tell a colleague, or change the case"
    return [
        document.problem(
            f"{action.kind}: an escalation writes to no customer", *at, "then", hint=hint
        )
        for action in then
        if action.to_customer
    ]


def _twins(document: Document, steps: list[Step]) -> list[Problem]:
    first: dict[str, Step] = {}
    found: list[Problem] = []
    for step in steps:
        if step.id in first:
            line = first[step.id].place[0]
            message = f"the id '{one_line(step.id, 60)}' is taken in line {line}"
            hint = "an id is unique and never changes"
            number = steps.index(step)
            found.append(document.problem(message, "escalation", number, "id", hint=hint))
        first.setdefault(step.id, step)
    return found
