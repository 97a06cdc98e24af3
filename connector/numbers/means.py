"""The mean of some figures, and the difference of two means with its interval (Welch 1947,
https://doi.org/10.1093/biomet/34.1-2.28)."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from connector.numbers.quantiles import student
from connector.numbers.score import Interval


class Sums(NamedTuple):
    """How many figures there are, their sum, and the sum of their squares."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, figure: float) -> Sums:
        return Sums(self.n + 1, self.total + figure, self.squares + figure * figure)

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def variance(self) -> float:
        """Of the figures; of one alone nothing is known."""
        return max(self.squares - self.total**2 / self.n, 0.0) / (self.n - 1)


def mean_difference(one: Sums, other: Sums, confidence: float = 0.95) -> Interval | None:
    """Around one minus other, for different people, whose spread may differ too; None where a side
    has fewer than two figures, or all of both sides are the same: then nothing tells the spread."""
    if min(one.n, other.n) < 2:
        return None
    mine, theirs = one.variance / one.n, other.variance / other.n
    both = mine + theirs
    if not both:
        return None
    freedom = both**2 / (mine**2 / (one.n - 1) + theirs**2 / (other.n - 1))
    reach = student(confidence, freedom) * sqrt(both)
    difference = one.total / one.n - other.total / other.n
    return Interval(difference - reach, difference + reach)
