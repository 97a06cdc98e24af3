"""What the weekly digest tells of the seven days before a moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connector.numbers.change import LEAST
from connector.numbers.score import nps, nps_interval
from connector.numbers.shares import share_interval
from connector.reports.coverage import cover
from connector.reports.grouping import Grouping
from connector.reports.nps import Block, Question, Tally, report
from connector.sinks.weekly.content import (
    Gap,
    Language,
    LoopFigures,
    Point,
    SurveyFigures,
    Topic,
    Verbatim,
    Weekly,
)
from connector.store import looping, weekly
from connector.store.counting import By, Period

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy import Connection

    from connector.domain import Survey

WEEKS_DRAWN = 13
WEEKS_TOLD = 4  # of the NPS and the on-time rate
MOST_TOPICS = 5
MOST_WORDS = 600  # characters of a comment that are kept
# Which comments are told, and at most how many of each; what is left goes to the next.
_CHOSEN = (("detractor", 3), ("promoter", 1), ("passive", 1))
MOST_VERBATIMS = 5
_WEEK = timedelta(days=7)


class Wanted(NamedTuple):
    """`surveys`: those that are told of; None for all. `until`: a midnight in `zone`."""

    until: datetime
    zone: ZoneInfo
    language: Language
    surveys: Collection[str] | None
    dashboard: str


def digest_of(
    connection: Connection, surveys: Mapping[str, Survey], wanted: Wanted, now: datetime
) -> Weekly:
    """One snapshot, if the connection is one."""
    until = wanted.until
    week = Period(until - _WEEK, until)
    told = {id: s for id, s in surveys.items() if wanted.surveys is None or id in wanted.surveys}
    last = until.astimezone(wanted.zone).date() - timedelta(days=1)
    return Weekly(
        language=wanted.language,
        first=last - timedelta(days=6),
        last=last,
        zone=str(wanted.zone),
        surveys=tuple(_surveys(connection, told, last + timedelta(days=1))),
        loop=_loop(connection, wanted, now),
        gaps=tuple(_gaps(connection, week, now)),
        topics=_topics(weekly.topics(connection, week, wanted.surveys)),
        verbatims=tuple(_verbatims(connection, told, week)),
        dashboard=wanted.dashboard,
    )


def _surveys(
    connection: Connection, surveys: Mapping[str, Survey], end: date
) -> Iterator[SurveyFigures]:
    """Those with segments that were answered lately; `end` is the day after the last, in UTC."""
    by_week = Grouping("day", By("day"), ranked=False)
    until = datetime.combine(end, time(), UTC)
    since = until - WEEKS_DRAWN * _WEEK
    for block in report(connection, surveys, Question(Period(since, until), by_week)):
        if block.id in surveys and block.has_segments:
            yield _figures(block, end)


def _figures(block: Block, end: date) -> SurveyFigures:
    weeks = [_week(block, end, ago) for ago in range(WEEKS_DRAWN - 1, -1, -1)]
    lately = Tally()
    for _, tally in weeks[-WEEKS_TOLD:]:
        lately.segments.update(tally.segments)
    figures = _shown(lately)
    change = block.change
    one = change.told if change else None
    return SurveyFigures(
        name=(block.survey.name if block.survey else "") or block.id,
        answers=weeks[-1][1].counts.n,
        n=lately.counts.n,
        **figures,
        verdict=change.word if change else "too few to say",
        difference=one.difference if one else None,
        change_low=one.low if one else None,
        change_high=one.high if one else None,
        weeks=one.weeks if one else WEEKS_TOLD,
        points=tuple(
            Point(monday=first, n=tally.counts.n, **_shown(tally)) for first, tally in weeks
        ),
    )


def _week(block: Block, end: date, ago: int) -> tuple[date, Tally]:
    """The seven days that ended so many weeks ago, by the day of each answer in UTC."""
    first = end - (ago + 1) * _WEEK
    tally = Tally()
    for number in range(7):
        day = block.groups.get(str(first + timedelta(days=number)))
        if day is not None:
            tally.segments.update(day.segments)
    return first, tally


def _shown(tally: Tally) -> dict[str, float | None]:
    """The NPS and its interval; None where too few answered."""
    counts = tally.counts
    interval = nps_interval(counts) if counts.n >= LEAST else None
    if interval is None:
        return dict.fromkeys(("nps", "low", "high"))
    return {"nps": nps(counts), "low": interval.low, "high": interval.high}


def _loop(connection: Connection, wanted: Wanted, now: datetime) -> LoopFigures:
    until = wanted.until
    week, month = Period(until - _WEEK, until), Period(until - WEEKS_TOLD * _WEEK, until)
    counted = weekly.counts(connection, week, now, wanted.surveys)
    due = on_time = 0
    for row in looping.Cases(connection, month, now).measured(By("case", ("survey",))):
        if wanted.surveys is None or row.group in wanted.surveys:
            due, on_time = due + row.due, on_time + row.on_time
    interval = share_interval(on_time, due)
    low, high = interval or (None, None)
    return LoopFigures(**counted._asdict(), on_time=on_time, due=due, low=low, high=high)


def _gaps(connection: Connection, week: Period, now: datetime) -> Iterator[Gap]:
    for gap in cover(connection, week, now).gaps():
        yield Gap(what=gap.what, number=gap.number)


def _topics(found: Mapping[str, int]) -> tuple[Topic, ...]:
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Topic(name=name, number=number) for name, number in ranked[:MOST_TOPICS])


def _verbatims(
    connection: Connection, surveys: Mapping[str, Survey], week: Period
) -> Sequence[Verbatim]:
    found = {
        segment: weekly.comments(connection, week, segment, list(surveys), MOST_VERBATIMS)
        for segment in (*(name for name, _ in _CHOSEN), None)
    }
    chosen = [one for segment, most in _CHOSEN for one in found[segment][:most]]
    rest = [one for some in found.values() for one in some if one not in chosen]
    chosen += rest[: MOST_VERBATIMS - len(chosen)]
    return [
        Verbatim(
            response=one.response,
            score=one.score,
            high=surveys[one.survey].high,
            segment=surveys[one.survey].segment(one.score),
            survey=surveys[one.survey].name or one.survey,
            words=one.words[:MOST_WORDS],
        )
        for one in chosen
    ]
