"""NPS per survey and group: counted from the store, told with its interval, n and verdict.

Scales are never merged: every survey is a block of its own, and a score becomes a segment by the
thresholds that the survey has today, so that all of its figures mean the same.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connector.numbers.change import LEAST, WEEKS, Change, change
from connector.numbers.ranking import MOST_RANKED, Place, places
from connector.numbers.score import Counts
from connector.reports.grouping import TIMES, Grouping, groups_of
from connector.store.counting import By, Counted, Period, scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from connector.domain import Survey

MOST_GROUPS = 1_000
_WEEK = timedelta(days=7)
_SEGMENTS = ("promoter", "passive", "detractor")


class TooManyGroups(ValueError):
    """What was asked for has a value of its own for nearly everybody."""


class Question(NamedTuple):
    period: Period
    grouping: Grouping
    survey: str | None = None
    least: int = LEAST  # answers that a figure needs


@dataclass
class Tally:
    """Answers of one group. `scores`: score -> how many."""

    scores: Counter[int] = field(default_factory=Counter)
    segments: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> Counts:
        return Counts(*(self.segments[segment] for segment in _SEGMENTS))

    @property
    def n(self) -> int:
        return sum(self.scores.values())


@dataclass
class Block:
    """One survey. `survey` is None where it is no longer configured: then the stored segments
    count. `unscored` answers have no score, `off_scale` one that is not on the survey's scale of
    today; neither is in any n. `monday` ends the last week that the verdict looks at."""

    id: str
    survey: Survey | None
    whole: Tally = field(default_factory=Tally)
    groups: dict[str | None, Tally] = field(default_factory=dict)
    unscored: int = 0
    off_scale: int = 0
    places: dict[str | None, Place] = field(default_factory=dict)
    change: Change | None = None
    monday: date | None = None

    @property
    def has_segments(self) -> bool:
        if self.survey is None:
            return sum(self.whole.counts) > 0
        return self.survey.promoter_from is not None


def report(
    connection: Connection, surveys: Mapping[str, Survey], question: Question
) -> list[Block]:
    """One block for each survey that was answered in that time, in the order of the configuration.

    Raises:
        TooManyGroups: nobody reads a thousand of them.
    """
    blocks: dict[str, Block] = {}
    name = question.grouping.name
    grouped = question.grouping.by.kind != "nothing"
    asked = (question.period, question.grouping.by, question.survey)
    with closing(scores(connection, *asked)) as rows:
        for row in rows:
            block = blocks.setdefault(row.survey, Block(row.survey, surveys.get(row.survey)))
            if not is_counted(block, row):
                continue
            add(block.whole, block, row)
            for group in groups_of(name, row.group) if grouped else ():
                add(block.groups.setdefault(group, Tally()), block, row)
            if len(block.groups) > MOST_GROUPS:
                raise TooManyGroups(
                    f"'{name}' has more than {MOST_GROUPS:,} values: nearly everybody is a group"
                )
    arrange(blocks, question)
    period = judged_period(question)
    judge(blocks, question, scores(connection, period, By("day"), question.survey))
    return in_order(blocks, surveys)


def arrange(blocks: Mapping[str, Block], question: Question) -> None:
    """Groups in the order in which they are told, with the places that they can have."""
    name = question.grouping.name
    for block in blocks.values():
        block.groups = dict(sorted(block.groups.items(), key=lambda one: _order(name, *one)))
        if question.grouping.ranked and block.has_segments:
            block.places = _places(block, question.least)


def in_order(blocks: Mapping[str, Block], surveys: Mapping[str, Survey]) -> list[Block]:
    """As the configuration has them."""
    known = list(surveys)
    order = {id: known.index(id) if id in known else len(known) for id in blocks}
    return sorted(blocks.values(), key=lambda block: (order[block.id], block.id))


def is_counted(block: Block, row: Counted) -> bool:
    """Has it a score on the survey's scale? What has none is counted as such."""
    if row.score is None:
        block.unscored += row.answers
    elif not _is_on_scale(block, row.score):
        block.off_scale += row.answers
    else:
        return True
    return False


def _is_on_scale(block: Block, score: int) -> bool:
    return block.survey is None or block.survey.low <= score <= block.survey.high


def add(tally: Tally, block: Block, row: Counted) -> None:
    if row.score is None:
        return
    tally.scores[row.score] += row.answers
    segment = row.segment if block.survey is None else block.survey.segment(row.score)
    if segment is not None:
        tally.segments[segment] += row.answers


def _order(name: str, group: str | None, tally: Tally) -> tuple[bool, int, str]:
    """Times as they pass, other groups by size; what is not known comes last."""
    return group is None, 0 if name in TIMES else -tally.n, group or ""


def _places(block: Block, least: int) -> dict[str | None, Place]:
    """Of the groups that have enough answers; none where they are too many or only one."""
    ranked = {
        group: tally.counts
        for group, tally in block.groups.items()
        if group is not None and tally.n >= max(least, 1)
    }
    if not 1 < len(ranked) <= MOST_RANKED:
        return {}
    return dict(zip(ranked, places(list(ranked.values())), strict=True))


def judged_period(question: Question) -> Period:
    """The whole weeks before the end of the time that was asked for, whatever its beginning."""
    until = question.period.until.astimezone(UTC)
    ends = datetime.combine(until.date() - timedelta(days=until.weekday()), time(), UTC)
    return Period(ends - WEEKS * _WEEK, ends)


def judge(blocks: Mapping[str, Block], question: Question, days: Iterable[Counted]) -> None:
    """The verdict on change of each block that has segments; `days` are the answers of
    `judged_period`, their groups are days, or Mondays."""
    judged = {id: block for id, block in blocks.items() if block.has_segments}
    period = judged_period(question)
    weekly = {id: [Tally() for _ in range(WEEKS)] for id in judged}
    for row in days:
        block = judged.get(row.survey)
        if block is None or row.group is None or row.score is None:
            continue
        if _is_on_scale(block, row.score):
            week = (date.fromisoformat(row.group) - period.since.date()).days // 7
            add(weekly[row.survey][week], block, row)
    for id, block in judged.items():
        block.change = change([week.counts for week in weekly[id]], question.least)
        block.monday = period.until.date()
