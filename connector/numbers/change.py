"""Has the NPS changed? A verdict that may be asked for every week of a year.

Whoever looks 52 times at a 95 % test sees changes that are none in most years. Here the 5 % are
shared out evenly: over the 52 weekly looks of a year and over the windows that each look compares.
By the union bound at most one series in twenty without a change then raises any alarm in a year,
however much the looks and windows overlap. A look is a week that is over: asking more often asks
the same question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from connector.numbers.score import Counts, difference_interval, nps

if TYPE_CHECKING:
    from collections.abc import Sequence

Word = Literal["fell", "rose", "no evidence of change", "too few to say"]

FALSE_ALARMS = 0.05  # a year, of series that do not change
LOOKS = 52  # a year
WINDOWS = (4, 13)  # whole weeks, each against those before; the first that tells is told
BEFORE = 52  # weeks before a window that it is compared with
WEEKS = BEFORE + max(WINDOWS)  # that a verdict looks at
LEAST = 30  # answers on either side
CONFIDENCE = 1 - FALSE_ALARMS / (LOOKS * len(WINDOWS))


class Comparison(NamedTuple):
    """The last `weeks` whole weeks against up to 52 before them. The figures are None where a side
    has too few answers; `low` and `high` hold over a year of looks."""

    weeks: int
    after: Counts
    before: Counts
    word: Word
    difference: float | None = None
    low: float | None = None
    high: float | None = None


class Change(NamedTuple):
    """`told` is the comparison that the verdict rests on; `every` are those of all windows."""

    told: Comparison
    every: tuple[Comparison, ...]

    @property
    def word(self) -> Word:
        return self.told.word


def change(weeks: Sequence[Counts], least: int = LEAST) -> Change:
    """The verdict over whole weeks, the oldest first; the last one is the newest that is over.

    `least`: answers that either side needs; never less than 30.
    """
    every = tuple(_compare(weeks, window, max(least, LEAST)) for window in WINDOWS)
    for words in (("fell", "rose"), ("no evidence of change",)):
        telling = [one for one in every if one.word in words]
        if telling:
            return Change(telling[0], every)
    return Change(every[0], every)


def _compare(weeks: Sequence[Counts], window: int, least: int) -> Comparison:
    start = max(len(weeks) - window, 0)
    after, before = _sum(weeks[start:]), _sum(weeks[max(start - BEFORE, 0) : start])
    new, old = nps(after), nps(before)
    found = difference_interval(after, before, CONFIDENCE)
    if min(after.n, before.n) < least or new is None or old is None or found is None:
        return Comparison(window, after, before, "too few to say")
    word: Word = "no evidence of change"
    if found.high < 0:
        word = "fell"
    elif found.low > 0:
        word = "rose"
    return Comparison(window, after, before, word, new - old, found.low, found.high)


def _sum(weeks: Sequence[Counts]) -> Counts:
    return Counts(*map(sum, zip(*weeks, strict=True)))
