"""Does it help? Those for whom it was done beside those who were left out by chance.

The verdict may be asked for every week of a year: the 5 % of false alarms are shared out evenly
over 52 looks and over the two figures that are compared (the union bound), as in `numbers.change`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from connector.numbers.change import FALSE_ALARMS, LEAST, LOOKS
from connector.numbers.means import Sums, mean_difference
from connector.numbers.shares import Share, share_difference

if TYPE_CHECKING:
    from connector.numbers.score import Interval

Word = Literal["higher", "lower", "no evidence of a difference", "too few to say"]

FIGURES = 2  # the next score, and whether there is one
CONFIDENCE = 1 - FALSE_ALARMS / (LOOKS * FIGURES)


class Arm(NamedTuple):
    """Customers of one side, by assignment; `next` sums the next scores of those who gave one."""

    customers: int
    next: Sums

    @property
    def answered(self) -> Share:
        return Share(self.next.n, self.customers)


class Compared(NamedTuple):
    """The side acted on minus the one held out; None where a side has too few."""

    word: Word
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def next_score(acted: Arm, held_out: Arm, least: int = LEAST) -> Compared:
    """Of those who answered again; both sides need 30 of them, or `least` if that is more."""
    if min(acted.next.n, held_out.next.n) < max(least, LEAST):
        return Compared("too few to say")
    interval = mean_difference(acted.next, held_out.next, CONFIDENCE)
    mine, theirs = acted.next.mean, held_out.next.mean
    if interval is None or mine is None or theirs is None:
        return Compared("too few to say")
    return _judged(mine - theirs, interval)


def answered_again(acted: Arm, held_out: Arm, least: int = LEAST) -> Compared:
    """The share that answered again, of all customers of a side."""
    if min(acted.customers, held_out.customers) < max(least, LEAST):
        return Compared("too few to say")
    interval = share_difference(acted.answered, held_out.answered, CONFIDENCE)
    mine, theirs = acted.answered.value, held_out.answered.value
    if interval is None or mine is None or theirs is None:
        return Compared("too few to say")
    return _judged(mine - theirs, interval)


def _judged(difference: float, interval: Interval) -> Compared:
    word: Word = "no evidence of a difference"
    if interval.low > 0:
        word = "higher"
    elif interval.high < 0:
        word = "lower"
    return Compared(word, difference, interval.low, interval.high)
