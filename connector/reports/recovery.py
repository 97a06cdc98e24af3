"""What customers answered next after their case was closed, only beside those nobody had called.

Whoever scores 3 today tends to score more next time, called or not: the lowest do not stay the
lowest. So no figure stands without that of the same first segment without a case.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from connector.numbers.shares import Share, share_difference
from connector.reports.loop_telling import percent, rounded, share
from connector.store import returning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from connector.domain import Survey
    from connector.reports.loop import Question

_ORDER = ("detractor", "passive", "promoter")
WARNING = (
    "Those who were called were not chosen by chance, so the difference is no effect of the call; "
    "connector report lift compares people who were."
)


def recovery(
    connection: Connection, surveys: Mapping[str, Survey], question: Question
) -> list[dict[str, Any]]:
    """One entry for each survey and first segment that can rise. Segments are those of today's
    thresholds; of each customer the first answer in the time counts, and the next one."""
    counts: Counter[tuple[str, str, str, bool]] = Counter()
    for row in returning.next_answers(connection, question.period, question.survey):
        survey = surveys.get(row.survey)
        first = survey and survey.segment(row.score)
        then = survey and survey.segment(row.next_score)
        if first and then:
            rose = _ORDER.index(then) > _ORDER.index(first)
            counts[row.survey, first, row.fate, rose] += row.customers
    return [
        _compared(counts, survey, segment, question.least)
        for survey in surveys
        for segment in _ORDER[:-1]
        if any((survey, segment, "closed", rose) in counts for rose in (True, False))
    ]


def _compared(
    counts: Counter[tuple[str, str, str, bool]], survey: str, segment: str, least: int
) -> dict[str, Any]:
    def rose(fate: str) -> Share:
        up, not_up = (counts[survey, segment, fate, one] for one in (True, False))
        return Share(up, up + not_up)

    closed, none, other = rose("closed"), rose("none"), rose("other")
    enough = min(closed.n, none.n) >= max(least, 1)
    found = share_difference(closed, none) if enough else None
    return {
        "survey": survey,
        "segment": segment,
        "enough": enough,
        "closed": share(closed, least) if enough else {"n": closed.n},
        "no_contact": share(none, least) if enough else {"n": none.n},
        "left_out": other.n,
        "low": rounded(found and found.low),
        "high": rounded(found and found.high),
    }


def words(found: list[dict[str, Any]]) -> Iterator[str]:
    """For people: every figure beside its baseline, and what it cannot say."""
    if not found:
        yield "Next answers: nobody of this time has answered again."
        return
    yield "In a better segment by their next answer:"
    for one in found:
        about = f"{one['survey']}, first a {one['segment']}"
        if not one["enough"]:
            ns = f"n {one['closed']['n']:,} closed, {one['no_contact']['n']:,} without a case"
            yield f"  {about}: too few to say, {ns}."
            continue
        low, high = 100 * one["low"], 100 * one["high"]
        yield (
            f"  {about}: case closed {percent(one['closed'])}; no case {percent(one['no_contact'])}"
            f"; difference {low:+.0f} to {high:+.0f} points."
        )
    yield WARNING
