"""How far from the middle an interval of some confidence reaches."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()


@lru_cache
def normal(confidence: float) -> float:
    """Half-width in standard errors of a two-sided interval; 1.96 for 0.95."""
    return _NORMAL.inv_cdf((1 + confidence) / 2)


def student(confidence: float, freedom: float) -> float:
    """The same where the standard error was itself estimated, with so many degrees of freedom.

    A series in 1/freedom, right to 1 % from 10 degrees on at the levels that are used here
    (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5).
    """
    z = normal(confidence)
    z2 = z * z
    terms = (
        (z2 + 1) / 4,
        ((5 * z2 + 16) * z2 + 3) / 96,
        (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384,
        ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160,
    )
    return z * (1 + sum(term / freedom**power for power, term in enumerate(terms, start=1)))
