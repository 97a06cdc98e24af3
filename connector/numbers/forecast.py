"""How many come on a day: what is usual for its weekday, how well that would have told the past.

Empirical percentiles, no model: cases come in bursts (a mailing, an outage), and a Poisson
distribution would promise far too narrow a range.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARES = (0.5, 0.9, 0.95)
LEAST_WEEKS = 8  # of a weekday, before anything is expected of it
LOOKS_BACK = 26  # weeks: older ones say little of today


class Usual(NamedTuple):
    """The smallest numbers that half, 90 % and 95 % of the days keep to; None for too few days."""

    n: int
    p50: int | None = None
    p90: int | None = None
    p95: int | None = None


class Checked(NamedTuple):
    """Of `days` of the past, foretold from the weeks before each, so many kept to the p90."""

    days: int
    kept: int


def usual(counts: Sequence[int], least: int = LEAST_WEEKS) -> Usual:
    """Of the days of one weekday, the oldest first."""
    recent = sorted(counts[-LOOKS_BACK:])
    if len(recent) < least:
        return Usual(len(recent))
    return Usual(len(recent), *(_at(recent, share) for share in SHARES))


def backtest(counts: Sequence[int], least: int = LEAST_WEEKS) -> Checked:
    """What `usual` would have said each week, beside what came."""
    kept = days = 0
    for week in range(least, len(counts)):
        said = usual(counts[:week], least).p90
        if said is not None:
            days += 1
            kept += counts[week] <= said
    return Checked(days, kept)


def _at(ordered: Sequence[int], share: float) -> int:
    """One more day is as likely to fall behind each of these: with n days the rank of share*(n+1)
    keeps its promise for the next one, however they are distributed."""
    rank = min(ceil(share * (len(ordered) + 1)), len(ordered))
    return ordered[rank - 1]
