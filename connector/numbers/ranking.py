"""Who is better than whom, only where the answers can tell.

Every pair is compared at the same time: the 5 % are shared out evenly over all pairs (Bonferroni),
so that all places hold together in 95 % of cases. What a place can be follows from the pairs
(Mogstad, Romano, Shaikh, Wilhelm: Inference for Ranks, https://doi.org/10.1093/restud/rdad006).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from connector.numbers.score import Counts, difference_interval
from connector.numbers.shares import Share, share_difference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connector.numbers.score import Interval

Group = TypeVar("Group")
MOST_RANKED = 200  # groups that are compared with each other: so many make 19,900 pairs


class Place(NamedTuple):
    """The places that a group can have; 1 is the best."""

    best: int
    worst: int


def places(groups: Sequence[Counts], confidence: float = 0.95) -> list[Place]:
    """By NPS: one for each group, in the order given, for groups of different people with answers.

    Where all places go from 1 to the last, the groups cannot be told apart.
    """
    return _places(groups, difference_interval, confidence)


def places_of_shares(groups: Sequence[Share], confidence: float = 0.95) -> list[Place]:
    """The same by a share, of which more is better."""
    return _places(groups, share_difference, confidence)


def _places(
    groups: Sequence[Group],
    difference: Callable[[Group, Group, float], Interval | None],
    confidence: float,
) -> list[Place]:
    count = len(groups)
    pairs = count * (count - 1) // 2
    above, below = [0] * count, [0] * count
    for one in range(count):
        for other in range(one + 1, count):
            level = 1 - (1 - confidence) / pairs
            found = difference(groups[one], groups[other], level)
            if found is None:
                continue
            if found.low > 0:
                above[other] += 1
                below[one] += 1
            elif found.high < 0:
                above[one] += 1
                below[other] += 1
    return [Place(1 + above[each], count - below[each]) for each in range(count)]


def told_apart(found: Sequence[Place]) -> bool:
    """Is any group surely better than another?"""
    return any(place != (1, len(found)) for place in found)
