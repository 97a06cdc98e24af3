"""The interval around a share: how many of how many."""

from __future__ import annotations

from math import sqrt

from connector.numbers.quantiles import normal
from connector.numbers.score import Interval


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
