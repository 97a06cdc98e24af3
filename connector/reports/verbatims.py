"""What people said, the newest first: found by words and marks, each with what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.rules.model import DEFAULT_ID
from connector.store import readings, searching, verbatims
from connector.store.readings import Behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

PAGE = 50
MOST_NEWS = 100


class Wanted(NamedTuple):
    """Empty: everything. `customer` is an id."""

    words: str = ""
    survey: str = ""
    language: str = ""
    segment: str = ""
    topic: str = ""
    score: str = ""
    customer: str = ""


class Made(NamedTuple):
    """One effect: its action, what it is, how it stands (of a case: at the far side), and why."""

    action: int
    kind: str
    sink: str
    state: str
    rule: str
    why: str
    remote_id: str
    url: str
    opens_case: bool


class Verbatim(NamedTuple):
    id: int
    response: str
    given: datetime
    survey: str
    score: int | None
    segment: str | None
    language: str | None
    comment: str
    customer: str | None
    name: str
    topics: tuple[str, ...]
    cases: tuple[Made, ...]
    others: tuple[Made, ...]
    why: str  # there is no case


class Page(NamedTuple):
    """`before` is where the next page begins, None on the last. `seq` grows with what is new."""

    verbatims: list[Verbatim]
    before: int | None
    seq: int
    behind: Behind


class News(NamedTuple):
    """Since a page was made: how many fit that are new or others, up to MOST_NEWS; was somebody
    erased, since it was last told, who may stand on it; and how far this goes."""

    number: int
    erased: bool
    seq: int


def news(connection: Connection, wanted: Wanted, seen: int, told: int) -> News:
    """The page was made at `seen`, and asked last at `told`."""
    seq = verbatims.newest_seq(connection)
    found = 0
    if not _finds_nothing(wanted):
        tokens = _tokens(wanted)
        found = verbatims.changed_since(connection, seen, wanted.customer, tokens, MOST_NEWS)
    return News(found, verbatims.erased_since(connection, told), seq)


def page(
    connection: Connection, wanted: Wanted, before: int | None = None, limit: int = PAGE
) -> Page:
    """One page; the next one begins at its `before`."""
    seq = verbatims.newest_seq(connection)
    ids = _ids(connection, wanted, limit + 1, before or searching.EVERYTHING)
    more = ids[limit - 1] if len(ids) > limit else None
    rows = verbatims.details(connection, ids[:limit]) if ids else []
    made = verbatims.made_for(connection, [row.response_id for row in rows]) if rows else {}
    found = [verbatim(row, made.get(row.response_id, ())) for row in rows]
    return Page(found, more, seq, readings.behind(connection))


def _ids(connection: Connection, wanted: Wanted, limit: int, before: int) -> list[int]:
    tokens = _tokens(wanted)
    if _finds_nothing(wanted):
        return []
    if wanted.customer:
        return verbatims.of_customer(connection, wanted.customer, tokens, limit, before)
    if tokens:
        said = searching.mark("c", "1")
        return searching.find(connection, [*tokens, said], limit, before)
    return verbatims.with_comment(connection, limit, before)


def _finds_nothing(wanted: Wanted) -> bool:
    """Only signs were typed, which nothing is found by."""
    return bool(wanted.words.strip()) and not searching.asked_words(wanted.words)


def _tokens(wanted: Wanted) -> list[str]:
    words = [searching.beginning(word) for word in searching.asked_words(wanted.words)]
    marks = (
        ("v", wanted.survey),
        ("l", wanted.language),
        ("g", wanted.segment),
        ("t", wanted.topic),
        ("s", wanted.score),
    )
    return [*words, *(searching.mark(kind, value) for kind, value in marks if value)]


def verbatim(row: Any, made: Sequence[Any]) -> Verbatim:
    effects = [_made(one) for one in made]
    counted = [(dimension, value) for dimension, value in row.counted if value]
    rules = [value for dimension, value in counted if dimension == "rule"]
    cases = tuple(one for one in effects if one.opens_case)
    return Verbatim(
        id=row.id,
        response=row.response_id,
        given=row.given,
        survey=row.survey,
        score=row.score,
        segment=row.segment,
        language=row.language,
        comment=str(row.content.get("comment") or ""),
        customer=row.customer_id,
        name=row.name or "",
        topics=tuple(value for dimension, value in counted if dimension == "topic"),
        cases=cases,
        others=tuple(one for one in effects if not one.opens_case),
        why="" if cases else _why_none(row.history, rules),
    )


def _made(row: Any) -> Made:
    return Made(
        action=row.id,
        kind=row.kind,
        sink=row.sink,
        state=row.case_state or row.state,
        rule=row.rule_id,
        why=row.error or "",
        remote_id=row.remote_id or "",
        url=row.url or "",
        opens_case=row.opens_case,
    )


def _why_none(history: bool, rules: Sequence[str]) -> str:
    if history:
        return "decided as history: nothing is made for old or imported answers"
    matched = [rule for rule in rules if rule != DEFAULT_ID]
    if not matched:
        return "no live rule matched"
    return f"{', '.join(matched)} matched and opened no case"
