"""How well the loop is closed: on time, closed by cohort, both clocks, reopened, causes, per group.

All of it is about the cases whose answer was given in a time, as they stand now. Nothing is counted
by the day on which it was closed: that would leave out what still waits.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from math import inf
from operator import add
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from connector.numbers.ranking import MOST_RANKED, Place, places_of_shares
from connector.numbers.shares import Share
from connector.numbers.survival import Quantile, Waited, quantiles
from connector.reports.grouping import Grouping, groups_of
from connector.reports.nps import MOST_GROUPS, TooManyGroups
from connector.store import looping
from connector.store.case_counting import WITHIN_DAYS
from connector.store.counting import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from connector.store.counting import By, Period

SHARES = (0.5, 0.9, 0.95)  # the percentiles that are told
LEAST = 30  # cases that a figure needs
_TIMES = ("week", "month")
_Key = TypeVar("_Key")
_ALL = ""  # stands for all groups together


class Question(NamedTuple):
    period: Period
    grouping: Grouping
    survey: str | None = None
    least: int = LEAST


class Clocks(NamedTuple):
    """Time to the first touch: the customer's clock, over all cases; the working clock, over those
    that are due. `n` cases, `over` of them touched."""

    customer: tuple[Quantile, ...]
    n: int
    over: int
    working: tuple[Quantile, ...]
    working_n: int
    working_over: int


@dataclass
class Sums:
    """Cases of one group; `counts` has the names of `looping.Measured`."""

    counts: Counter[str] = field(default_factory=Counter)
    clocks: Clocks | None = None
    place: Place | None = None

    @property
    def on_time(self) -> Share:
        return Share(self.counts["on_time"], self.counts["due"])

    @property
    def reopened(self) -> Share:
        return Share(self.counts["reopened"], self.counts["was_closed"])

    def told(self, what: str) -> Share:
        """Closed with a `cause`, an `action` or `both`."""
        return Share(self.counts[f"with_{what}"], self.counts["closed"])


@dataclass
class Cohort:
    """The cases of the answers of one week. `within`: days -> closed in them, None where the week
    is not that old yet."""

    week: str
    counts: Counter[str]
    within: dict[int, int | None]


@dataclass
class Loop:
    """`groups` are empty where nothing was grouped by. `causes`, `actions`: the most frequent
    first, of closed cases that tell one."""

    whole: Sums
    cohorts: list[Cohort]
    groups: dict[str | None, Sums]
    causes: list[tuple[str, int]]
    actions: list[tuple[str, int]]


def report(
    connection: Connection, question: Question, now: datetime, group_clocks: bool = True
) -> Loop:
    """Without `group_clocks` the percentiles are told of all groups together only.

    Raises:
        TooManyGroups: nobody reads a thousand of them.
    """
    name = question.grouping.name
    by_week: dict[str, Sequence[int]] = {}
    by_group: dict[str | None, Sequence[int]] = {}
    asked = looping.Cases(connection, question.period, now, question.survey)
    with closing(asked.measured(question.grouping.by)) as rows:
        for row in rows:
            (week,) = groups_of("week", row.day)
            _add(by_week, str(week), row)
            for group in _groups_of(name, row):
                _add(by_group, group, row)
            if len(by_group) > MOST_GROUPS:
                raise TooManyGroups(
                    f"'{name}' has more than {MOST_GROUPS:,} values: nearly everybody is a group"
                )
    weeks = {week: _counter(numbers) for week, numbers in by_week.items()}
    whole = Sums(sum(weeks.values(), Counter()))
    groups = {group: Sums(_counter(numbers)) for group, numbers in by_group.items()}
    whole.clocks = _clocks(asked, NOTHING).get(None)
    if group_clocks and question.grouping.by != NOTHING:
        for group, clocks in _clocks(asked, question.grouping.by).items():
            if group in groups:
                groups[group].clocks = clocks
    _rank(groups, question)
    ended = list(asked.endings())
    return Loop(
        whole=whole,
        cohorts=[_cohort(week, weeks[week], now) for week in sorted(weeks)],
        groups=dict(sorted(groups.items(), key=lambda one: _order(name, *one))),
        causes=_ranked((one.cause, one.cases) for one in ended),
        actions=_ranked((one.action, one.cases) for one in ended),
    )


def _add(sums: dict[_Key, Sequence[int]], key: _Key, row: looping.Measured) -> None:
    sums[key] = [*map(add, sums[key], row.numbers)] if key in sums else row.numbers


def _counter(numbers: Sequence[int]) -> Counter[str]:
    return Counter(dict(zip(looping.Measured.names(), numbers, strict=True)))


def _groups_of(name: str, row: looping.Measured) -> Iterable[str | None]:
    return groups_of(name, row.day) if name in _TIMES else (row.group,)


def _order(name: str, group: str | None, sums: Sums) -> tuple[bool, int, str]:
    """Times as they pass, other groups by size; what is not known comes last."""
    return group is None, 0 if name in _TIMES else -sums.counts["cases"], group or ""


def _cohort(week: str, counts: Counter[str], now: datetime) -> Cohort:
    sunday = date.fromisocalendar(int(week[:4]), int(week[6:]), 7)
    old = (now.date() - sunday).days - 1  # whole days since the last answer of it
    within = {days: counts[f"closed_in_{days}"] if old >= days else None for days in WITHIN_DAYS}
    return Cohort(week, counts, within)


def _clocks(asked: looping.Cases, by: By) -> dict[str | None, Clocks]:
    customer, working = _waited(asked.waits(by)), _waited(asked.working_waits(by))
    found = {}
    for group in customer.keys() | working.keys():
        mine, worked = customer.get(group, []), working.get(group, [])
        found[group] = Clocks(
            tuple(quantiles(mine, SHARES)),
            *_sizes(mine),
            tuple(quantiles(worked, SHARES)),
            *_sizes(worked),
        )
    return found


def _waited(rows: Iterable[looping.Wait]) -> dict[str | None, list[Waited]]:
    found: dict[str | None, list[Waited]] = {}
    for row in rows:
        seconds = inf if row.seconds is None else max(row.seconds, 0)
        ended, waiting = (row.cases, 0) if row.over else (0, row.cases)
        found.setdefault(row.group, []).append(Waited(seconds, ended, waiting))
    return found


def _sizes(waited: Iterable[Waited]) -> tuple[int, int]:
    pairs = [(one.ended + one.waiting, one.ended) for one in waited]
    return sum(n for n, _ in pairs), sum(over for _, over in pairs)


def _rank(groups: Mapping[str | None, Sums], question: Question) -> None:
    """A place by on-time rate, of groups with enough due cases."""
    ranked = [
        sums
        for group, sums in groups.items()
        if group is not None and sums.on_time.n >= max(question.least, 1)
    ]
    if question.grouping.ranked and 1 < len(ranked) <= MOST_RANKED:
        for sums, place in zip(ranked, places_of_shares([s.on_time for s in ranked]), strict=True):
            sums.place = place


def _ranked(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter()
    for name, number in pairs:
        if name:
            counts[name] += number
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
