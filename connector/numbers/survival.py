"""How long something takes where some of it has not happened yet: Kaplan and Meier's estimate.

To leave out what still waits would count only the quick ones. What has waited for so long counts
as "longer than that", and what is known of it is used (Kaplan, Meier 1958,
https://doi.org/10.1080/01621459.1958.10501452). Intervals are those of Greenwood on the scale of
log(-log), which stay within 0..1 (Kalbfleisch, Prentice: The Statistical Analysis of Failure Time
Data, 1.4).
"""

from __future__ import annotations

from math import exp, inf, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from connector.numbers.quantiles import normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NOISE = 1e-9  # of a product of many shares


class Waited(NamedTuple):
    """So many came to their end after this time, and so many had waited for it and still do."""

    time: float
    ended: int
    waiting: int


class Quantile(NamedTuple):
    """By `value` this share has ended; None where that is not reached. So with the interval: `high`
    is None where it is open."""

    share: float
    value: float | None
    low: float | None
    high: float | None


class _Step(NamedTuple):
    time: float
    left: float  # the share that takes longer
    low: float
    high: float


def quantiles(
    waited: Iterable[Waited], shares: Sequence[float], confidence: float = 0.95
) -> list[Quantile]:
    """One for each share. `time` may be infinite for what is only known to take longer."""
    steps = _steps(waited, confidence)
    return [_quantile(steps, share) for share in shares]


def _steps(waited: Iterable[Waited], confidence: float) -> list[_Step]:
    times: dict[float, tuple[int, int]] = {}
    for one in waited:
        ended, waiting = times.get(one.time, (0, 0))
        times[one.time] = (ended + one.ended, waiting + one.waiting)
    at_risk = sum(map(sum, times.values()))
    steps, left, variance, reach = [], 1.0, 0.0, normal(confidence)
    for time in sorted(times):
        ended, waiting = times[time]
        if ended and time < inf:
            left *= 1 - ended / at_risk
            if ended < at_risk:
                variance += ended / (at_risk * (at_risk - ended))
            steps.append(_Step(time, left, *_bounds(left, variance, reach)))
        at_risk -= ended + waiting
    return steps


def _bounds(left: float, variance: float, reach: float) -> tuple[float, float]:
    if left < _NOISE:
        return 0.0, 0.0
    far = reach * sqrt(variance) / log(left)  # below zero
    return left ** exp(-far), left ** exp(far)


def _quantile(steps: Sequence[_Step], share: float) -> Quantile:
    most = 1 - share + _NOISE

    def first(name: str) -> float | None:
        return next((step.time for step in steps if getattr(step, name) <= most), None)

    return Quantile(share, first("left"), first("low"), first("high"))
