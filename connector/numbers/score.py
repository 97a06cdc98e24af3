"""The NPS of some answers, its interval, and the difference between two of them.

Adjusted Wald: as if there had been three more answers, 3/4 of a promoter, 3/4 of a detractor and
1 1/2 passives (Rocks 2016, https://arxiv.org/abs/1601.07235). The plain interval is too narrow for
few answers, and has no width at all where everybody is a promoter.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from connector.numbers.quantiles import normal, student

_MORE = 3
_MORE_OF_EACH = 0.75


class Counts(NamedTuple):
    """How many answers fell into each segment."""

    promoters: int = 0
    passives: int = 0
    detractors: int = 0

    @property
    def n(self) -> int:
        return self.promoters + self.passives + self.detractors

    def plus(self, other: Counts) -> Counts:
        return Counts(*map(sum, zip(self, other, strict=True)))


class Interval(NamedTuple):
    low: float
    high: float


class _Estimate(NamedTuple):
    middle: float  # -1..1
    variance: float  # of the middle
    freedom: float


def nps(counts: Counts) -> float | None:
    """-100..100; None where nobody answered."""
    return 100 * (counts.promoters - counts.detractors) / counts.n if counts.n else None


def nps_interval(counts: Counts, confidence: float = 0.95) -> Interval | None:
    """Around the NPS, within -100..100; None where nobody answered."""
    if not counts.n:
        return None
    estimate = _estimate(counts)
    reach = normal(confidence) * sqrt(estimate.variance)
    return _clipped(estimate.middle, reach, 1)


def difference_interval(after: Counts, before: Counts, confidence: float = 0.95) -> Interval | None:
    """Around NPS after minus NPS before, within -200..200, for answers of different people; None
    where one of them has no answers.

    Student's t with Welch's degrees of freedom: at the levels that many looks leave, the normal
    distribution sees changes between few answers that are none.
    """
    if not (after.n and before.n):
        return None
    new, old = _estimate(after), _estimate(before)
    variance = new.variance + old.variance
    freedom = variance**2 / (new.variance**2 / new.freedom + old.variance**2 / old.freedom)
    reach = student(confidence, freedom) * sqrt(variance)
    return _clipped(new.middle - old.middle, reach, 2)


def _estimate(counts: Counts) -> _Estimate:
    n = counts.n + _MORE
    promoters = (counts.promoters + _MORE_OF_EACH) / n
    detractors = (counts.detractors + _MORE_OF_EACH) / n
    middle = promoters - detractors
    return _Estimate(middle, (promoters + detractors - middle**2) / n, n - 1)


def _clipped(middle: float, reach: float, most: int) -> Interval:
    return Interval(100 * max(middle - reach, -most), 100 * min(middle + reach, most))
