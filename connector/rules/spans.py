"""The customer's past, as far as a rule looks back: `history.answers within 90d` is a field.

Time is counted from when this answer was given; where nobody knows that, from when it was decided.
It never comes from a clock, so that the past can be decided again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.text import parse_duration, written_duration

if TYPE_CHECKING:
    from connector.domain import Facts, PastAnswer

WITHIN = "within"
DROP, DAYS_SINCE_ANSWER = "history.drop", "history.days_since_answer"
COUNTS = ("history.answers", "history.detractor_answers")
SPANNED = (
    *COUNTS,
    "history.previous_score",
    "history.previous_segment",
    DROP,
)
_BETWEEN = f" {WITHIN} "


def spanned(field: str, within: timedelta) -> str:
    """The name of the field that looks back so far; the same time has the same name."""
    return f"{field}{_BETWEEN}{written_duration(within)}"


def plain(name: str) -> str:
    """The field without its time span."""
    return name.partition(_BETWEEN)[0] if name.startswith("history.") else name


def span_of(name: str) -> timedelta | None:
    """How far a field looks back; None where it says nothing about that."""
    written = name.partition(_BETWEEN)[2] if name.startswith("history.") else ""
    span = parse_duration(written) if written else None
    return span if isinstance(span, timedelta) else None


def reader_of(name: str) -> Callable[[Facts], Any] | None:
    """What takes such a field from facts; None where it stands in them as it is."""
    field, within = plain(name), span_of(name)
    if field == DAYS_SINCE_ANSWER:
        return days_since_answer
    if within is None and field != DROP:
        return None
    read = _READERS[field]
    return lambda facts: read(facts, within)


def days_since_answer(facts: Facts) -> int | None:
    """Whole days between the answer before and this one."""
    at, past = asked_at(facts), facts.history.past
    return max((at - past[0].answered_at).days, 0) if at is not None and past else None


def drop(facts: Facts, within: timedelta | None = None) -> int | None:
    """Points below the highest earlier score on the same scale; 0 where it did not fall."""
    score = facts.score
    if score is None:
        return None
    scale = (facts.scale_low, facts.scale_high)
    before = [
        one.score
        for one in _recent(facts, within)
        if one.score is not None and (one.scale_low, one.scale_high) == scale
    ]
    return max(max(before) - score, 0) if before else None


def asked_at(facts: Facts) -> datetime | None:
    """The moment from which time is counted back."""
    return facts.answered_at or facts.decided_at


def _recent(facts: Facts, within: timedelta | None) -> Sequence[PastAnswer]:
    """Earlier answers, newest first; exactly `within` ago is still within."""
    at, past = asked_at(facts), facts.history.past
    if within is None or not past:
        return past
    if at is None:
        return ()
    for number, one in enumerate(past):
        if at - one.answered_at > within:
            return past[:number]
    return past


def _answers(facts: Facts, within: timedelta | None) -> int:
    return len(_recent(facts, within))


def _detractor_answers(facts: Facts, within: timedelta | None) -> int:
    return sum(one.segment == "detractor" for one in _recent(facts, within))


def _previous_score(facts: Facts, within: timedelta | None) -> int | None:
    recent = _recent(facts, within)
    return recent[0].score if recent else None


def _previous_segment(facts: Facts, within: timedelta | None) -> str | None:
    recent = _recent(facts, within)
    return recent[0].segment if recent else None


_READERS: dict[str, Callable[[Facts, timedelta | None], Any]] = dict(
    zip(
        SPANNED,
        (_answers, _detractor_answers, _previous_score, _previous_segment, drop),
        strict=True,
    )
)
