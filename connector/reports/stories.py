"""One customer, or one answer: who they are, and everything that happened, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from connector.rules.model import DEFAULT_ID
from connector.store import stories, suppressions, verbatims
from connector.text import clean_email, clean_phone, hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

FOUND = 20
Kind = Literal["answer", "decision", "effect", "case", "alarm"]
_RANK: dict[Kind, int] = {"answer": 0, "decision": 1, "effect": 2, "case": 3, "alarm": 4}


class Event(NamedTuple):
    """One line of the story. `words` is what the customer wrote; `page` leads on within the pages,
    `url` to the far side; `state` is a word for how it stands."""

    at: datetime
    kind: Kind
    title: str
    detail: str = ""
    words: str = ""
    page: str = ""
    url: str = ""
    state: str = ""
    score: int | None = None
    segment: str | None = None


class Person(NamedTuple):
    id: str
    name: str
    company: str
    keys: tuple[tuple[str, str], ...]  # kind and value
    attributes: tuple[tuple[str, str], ...]
    suppressed: bool  # their e-mail address gets no mail
    answers: int
    open_cases: int


class Story(NamedTuple):
    """`person` is None for an anonymous or erased answer. The newest event comes first; `shown` of
    the person's answers are in it. Of a person `cases` holds every open one, however old."""

    person: Person | None
    events: tuple[Event, ...]
    cases: tuple[Any, ...]
    shown: int
    erased: datetime | None = None


class Found(NamedTuple):
    id: str
    name: str
    addresses: tuple[str, ...]
    answers: int
    newest: datetime | None


def search(connection: Connection, typed: str, limit: int = FOUND) -> list[Found]:
    """Customers with this e-mail address, phone number or external id; else those whose name or
    address has these words; where nobody has, the last may be a beginning."""
    from connector.store.searching import asked_words

    exact = (
        ("email", clean_email(typed)),
        ("phone", clean_phone(typed)),
        ("external_id", typed.strip() or None),
    )
    ids = verbatims.customers_with_key(connection, [(k, v) for k, v in exact if v])
    ids = ids or verbatims.customers_named(connection, asked_words(typed), limit)
    keys = stories.keys_of(connection, ids)
    return [
        Found(
            row.id,
            row.name or "",
            tuple(v for _, v in keys.get(row.id, ())),
            row.answers,
            row.newest,
        )
        for row in stories.customers_of(connection, ids)
    ]


def customer_story(connection: Connection, id: str) -> Story | None:
    """None where there is no such customer (any more)."""
    row = stories.customer(connection, id)
    if row is None:
        return None
    answers = stories.answers_of(connection, id)
    events, cases = _events(connection, answers)
    shown = {case.action_id for case in cases}
    older = [case for case in stories.open_cases_of(connection, id) if case.action_id not in shown]
    return Story(_person(connection, row), events, (*cases, *older), len(answers))


def response_story(connection: Connection, response: str) -> Story | None:
    """Of one answer alone; None where there is none."""
    answer = stories.answer(connection, response)
    if answer is None:
        return None
    events, cases = _events(connection, [answer])
    person = None
    if answer.customer_id is not None:
        row = stories.customer(connection, answer.customer_id)
        person = _person(connection, row) if row is not None else None
    return Story(person, events, cases, 1, answer.erased_at)


def _person(connection: Connection, row: Any) -> Person:
    keys = tuple(stories.keys_of(connection, [row.id]).get(row.id, ()))
    emails = [value for kind, value in keys if kind == "email"]
    return Person(
        id=row.id,
        name=row.name or "",
        company=row.company_name or "",
        keys=keys,
        attributes=tuple((name, str(value)) for name, value in sorted(row.attributes.items())),
        suppressed=any(
            suppressions.why_suppressed(connection, hashed("address", email)) for email in emails
        ),
        answers=stories.count_answers(connection, row.id),
        open_cases=stories.count_open_cases(connection, row.id),
    )


def _events(
    connection: Connection, answers: Sequence[Any]
) -> tuple[tuple[Event, ...], tuple[Any, ...]]:
    """The newest first, and the cases."""
    ids = [row.id for row in answers]
    if not ids:
        return (), ()
    effects = stories.effects_of(connection, ids)
    cases = tuple(stories.cases_of(connection, ids))
    numbers = [row.id for row in effects]
    found = [
        *_answers(answers, stories.revisions_of(connection, ids)),
        *map(_decision, stories.decisions_of(connection, ids)),
        *map(_effect, effects),
        *_case_events(cases, stories.events_of(connection, [row.action_id for row in cases])),
        *map(_alarm, stories.alarms_about(connection, numbers)),
    ]
    found.sort(key=lambda event: (event.at, _RANK[event.kind]), reverse=True)
    return tuple(found), cases


def _answers(answers: Sequence[Any], revisions: Sequence[Any]) -> Iterator[Event]:
    """Each answer at its time, and each later revision when it came in."""
    by_id = {row.id: row for row in answers}
    for row in answers:
        if not any(one.response_id == row.id for one in revisions):
            yield _answer(row, row.content, row.answered_at or row.received_at, 1)
    for one in revisions:
        row = by_id[one.response_id]
        first = one.number == 1
        at = (row.answered_at or row.received_at) if first else one.received_at
        yield _answer(row, one.content or {}, at, one.number)


def _answer(row: Any, content: dict[str, Any], at: datetime, number: int) -> Event:
    title = f"Answer to {row.survey}" if number == 1 else f"Answer revised ({number})"
    detail = f"by {row.source}" + (", history" if row.history else "")
    score = content.get("score", row.score) if row.erased_at is None else row.score
    return Event(
        at=at,
        kind="answer",
        title=title,
        detail=f"{detail}, erased" if row.erased_at else detail,
        words=str(content.get("comment") or ""),
        page=f"/responses/{row.id}",
        url=str(content.get("link") or ""),
        score=score,
        segment=row.segment if score == row.score else None,
    )


def _decision(row: Any) -> Event:
    matches = (row.verdict or {}).get("matches") or []
    rules = [f"{one['rule_id']}{_status(one['status'])}" for one in matches]
    said = ", ".join(rules) or DEFAULT_ID
    again = "; decided again because of a late answer" if row.late_answer else ""
    history = "; history: nothing was made" if row.history else ""
    return Event(
        at=row.decided_at,
        kind="decision",
        title=f"Decision {row.number}",
        detail=f"rules: {said}{history}{again}",
        page=f"/decisions/{row.number}",
    )


def _status(status: str) -> str:
    return "" if status == "live" else f" ({status.replace('_', ' ')})"


def _effect(row: Any) -> Event:
    what = f"{row.kind} in {row.sink}" + (f" {row.remote_id}" if row.remote_id else "")
    notes = [f"rule {row.rule_id}", *(text for text in (row.error, row.remark) if text)]
    if row.amends:
        notes.append("added to its case")
    return Event(
        at=row.finished_at or row.first_sent_at or row.created_at,
        kind="effect",
        title=what,
        detail="; ".join(notes),
        page=f"/deliveries/{row.id}",
        url=row.url or "",
        state=row.state,
    )


def _case_events(cases: Sequence[Any], events: Sequence[Any]) -> Iterator[Event]:
    by_action = {case.action_id: case for case in cases}
    for row in events:
        case = by_action[row.action_id]
        notes = [text for text in (row.who, row.detail) if text]
        yield Event(
            at=row.at,
            kind="case",
            title=f"Case {case.remote_id}: {row.kind}",
            detail="; ".join(notes),
            url=case.url or "",
        )


def _alarm(row: Any) -> Event:
    state = "over" if row.cleared_at else "open"
    return Event(row.raised_at, "alarm", f"Alarm: {row.kind}", row.message, state=state)
