"""The programme: NPS per survey and group, over weeks, with the topics that people speak of.

The same figures as `connector report nps`, counted from the tallies, so of whole days (UTC).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.numbers.change import LEAST
from connector.numbers.score import nps, nps_interval
from connector.numbers.shares import share_interval
from connector.reports import telling
from connector.reports.dimensions import SHADOW, dimensions_of
from connector.reports.grouping import SURVEY, TIMES, Grouping, groups_of
from connector.reports.nps import (
    MOST_GROUPS,
    Block,
    Question,
    Tally,
    TooManyGroups,
    add,
    arrange,
    in_order,
    is_counted,
    judge,
    judged_period,
)
from connector.store import readings, tallies
from connector.store.counting import By, Period
from connector.store.readings import Behind
from connector.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from connector.domain import Survey
    from connector.rules.model import AttributeType
    from connector.store.counting import Counted

_NOT_RANKED = (SURVEY, *TIMES, "rule", "topic")
_WEEKS_SHOWN = 53
_FEWEST_WEEKS = 12
_MOST_TOPICS = 20


class Asked(NamedTuple):
    """Days from `since` on, before `until`; `by` is a dimension, day, week or month."""

    since: date
    until: date
    by: str = SURVEY
    survey: str | None = None
    least: int = LEAST


class Week(NamedTuple):
    """The figures are None where it has fewer answers than a figure needs."""

    monday: date
    n: int
    nps: float | None
    low: float | None
    high: float | None


class Topic(NamedTuple):
    """Of those who mention it; `share` of all answers to the survey, with its interval, in per
    cent."""

    name: str
    n: int
    nps: float | None
    low: float | None
    high: float | None
    share: float
    share_low: float
    share_high: float


class Programme(NamedTuple):
    """`told` as `connector report nps --json` has it; weeks and topics by survey."""

    told: dict[str, Any]
    weeks: dict[str, list[Week]]
    topics: dict[str, list[Topic]]
    behind: Behind


def choices(attributes: Mapping[str, AttributeType]) -> tuple[str, ...]:
    """What `by` may be."""
    plain = [one for one in dimensions_of(attributes) if one not in (SURVEY, SHADOW)]
    return (SURVEY, *TIMES, *plain)


def grouping_of(name: str, attributes: Mapping[str, AttributeType]) -> Grouping:
    """Raises ValueError for what nothing is counted by; the text says what is allowed."""
    allowed = choices(attributes)
    if name not in allowed:
        hint = did_you_mean(name, allowed) or f"allowed: {', '.join(allowed)}"
        raise ValueError(f"nothing is counted by '{name}'; {hint}")
    return Grouping(name, By(), ranked=name not in _NOT_RANKED)


def programme(
    connection: Connection, surveys: Mapping[str, Survey], grouping: Grouping, asked: Asked
) -> Programme:
    """All of the page, for the surveys that were answered in this time.

    Raises:
        TooManyGroups: there are more groups than anybody reads.
    """
    period = Period(_midnight(asked.since), _midnight(asked.until))
    question = Question(period, grouping, asked.survey, asked.least)
    days = (asked.since, asked.until)
    blocks: dict[str, Block] = {}
    for row in tallies.scores(connection, *days, survey=asked.survey):
        block = blocks.setdefault(row.survey, Block(row.survey, surveys.get(row.survey)))
        if is_counted(block, row):
            add(block.whole, block, row)
    _group(connection, blocks, question, days)
    arrange(blocks, question)
    judged = judged_period(question)
    last = asked.until - timedelta(days=1)
    shown = last - timedelta(days=last.weekday(), weeks=_WEEKS_SHOWN - 1)
    since = min(judged.since.date(), shown)
    weekly = tallies.scores(connection, since, asked.until, survey=asked.survey, times="week")
    weeks_judged = (judged.since.date().isoformat(), judged.until.date().isoformat())
    judge(blocks, question, _within(weekly, *weeks_judged))
    found = in_order(blocks, surveys)
    return Programme(
        telling.told(found, question),
        {block.id: _weeks(block, weekly, asked) for block in found if block.has_segments},
        _topics(connection, blocks, asked, days),
        readings.behind(connection),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _within(rows: Iterable[Counted], since: str, until: str) -> list[Counted]:
    return [row for row in rows if row.group is not None and since <= row.group < until]


def _group(
    connection: Connection, blocks: Mapping[str, Block], question: Question, days: tuple[date, date]
) -> None:
    name = question.grouping.name
    if name == SURVEY:
        return
    timed = name in TIMES
    rows = tallies.scores(
        connection,
        *days,
        dimension=SURVEY if timed else name,
        survey=question.survey,
        times=None if not timed else "day" if name != "week" else "week",
    )
    for row in rows:
        block = blocks.get(row.survey)
        if block is None or not _has_score(block, row):
            continue
        for group in groups_of(name, row.group) if timed else (row.group,):
            add(block.groups.setdefault(group, Tally()), block, row)
        if len(block.groups) > MOST_GROUPS:
            raise TooManyGroups(f"'{name}' has more than {MOST_GROUPS:,} values: choose less time")


def _has_score(block: Block, row: Counted) -> bool:
    survey = block.survey
    return row.score is not None and (survey is None or survey.low <= row.score <= survey.high)


def _weeks(block: Block, weekly: Iterable[Counted], asked: Asked) -> list[Week]:
    """Every week of a year up to the end of the time that was asked for, also those without an
    answer; of a survey that is younger, those since its first."""
    last = asked.until - timedelta(days=1)
    ends = last - timedelta(days=last.weekday())
    mondays = [ends - timedelta(weeks=back) for back in reversed(range(_WEEKS_SHOWN))]
    found = {monday: Tally() for monday in mondays}
    for row in weekly:
        if row.survey != block.id or row.group is None or not _has_score(block, row):
            continue
        tally = found.get(date.fromisoformat(row.group))
        if tally is not None:
            add(tally, block, row)
    weeks = [
        Week(monday, tally.n, *_figures(tally, asked.least)) for monday, tally in found.items()
    ]
    first = next((number for number, week in enumerate(weeks) if week.n), 0)
    return weeks[min(first, len(weeks) - _FEWEST_WEEKS) :]


def _figures(tally: Tally, least: int) -> tuple[float | None, float | None, float | None]:
    """NPS with its interval; nothing where there are too few answers."""
    interval = nps_interval(tally.counts, telling.INTERVAL)
    if tally.n < max(least, 1) or interval is None:
        return None, None, None
    values = (nps(tally.counts), interval.low, interval.high)
    return telling.rounded(values[0]), telling.rounded(values[1]), telling.rounded(values[2])


def _topics(
    connection: Connection, blocks: Mapping[str, Block], asked: Asked, days: tuple[date, date]
) -> dict[str, list[Topic]]:
    """By survey, the topics that most people mention."""
    counted: dict[str, dict[str, Tally]] = {}
    for row in tallies.scores(connection, *days, dimension="topic", survey=asked.survey):
        block = blocks.get(row.survey)
        if block is None or row.group is None or not _has_score(block, row):
            continue
        mine = counted.setdefault(row.survey, {})
        add(mine.setdefault(row.group, Tally()), block, row)
    found: dict[str, list[Topic]] = {}
    for survey, mine in counted.items():
        block = blocks[survey]
        largest = sorted(mine.items(), key=lambda one: (-one[1].n, one[0]))[:_MOST_TOPICS]
        found[survey] = [_topic(name, tally, block, asked.least) for name, tally in largest]
    return found


def _topic(name: str, tally: Tally, block: Block, least: int) -> Topic:
    total = max(block.whole.n, tally.n)
    share = share_interval(tally.n, total)
    low, high = (share.low, share.high) if share is not None else (0.0, 1.0)
    figures = _figures(tally, least) if block.has_segments else (None, None, None)
    percents = (100 * tally.n / total if total else 0.0, 100 * low, 100 * high)
    return Topic(name, tally.n, *figures, *percents)
