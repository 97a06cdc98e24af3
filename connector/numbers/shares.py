"""The interval around a share, how many of how many, and around the difference of two."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from connector.numbers.quantiles import normal
from connector.numbers.score import Interval


class Share(NamedTuple):
    """`part` of `n`."""

    part: int
    n: int

    @property
    def value(self) -> float | None:
        return self.part / self.n if self.n else None


def share_interval(count: int, n: int, confidence: float = 0.95) -> Interval | None:
    """Wilson's interval around count/n, within 0..1; None for n = 0 (Newcombe 1998,
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C857::AID-SIM777%3E3.0.CO;2-E)."""
    if not n:
        return None
    z2 = normal(confidence) ** 2
    share = count / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if count == 0 else middle - reach
    high = 1.0 if count == n else middle + reach
    return Interval(low, high)


def share_difference(one: Share, other: Share, confidence: float = 0.95) -> Interval | None:
    """Around one minus other, within -1..1, for different people; None where a side is empty.

    Made of both Wilson intervals, so that it holds for few and for shares near 0 and 1 too
    (Newcombe 1998, method 10,
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C873::AID-SIM779%3E3.0.CO;2-I).
    """
    first, second = share_interval(*one, confidence), share_interval(*other, confidence)
    if first is None or second is None:
        return None
    mine, theirs = one.part / one.n, other.part / other.n
    low = sqrt((mine - first.low) ** 2 + (second.high - theirs) ** 2)
    high = sqrt((first.high - mine) ** 2 + (theirs - second.low) ** 2)
    return Interval(mine - theirs - low, mine - theirs + high)
