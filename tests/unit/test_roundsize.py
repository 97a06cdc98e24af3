"""How many actions a round takes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.ports import Capabilities
from connector.roundsize import MOST, ROUND_SECONDS, RoundSize

KEYED = Capabilities(key_lifetime=timedelta(hours=1))


def rounds(size: RoundSize, call_seconds: float, count: int = 20) -> list[int]:
    """The sizes of full rounds, one after the other, whose calls take so long each."""
    sizes = []
    for _ in range(count):
        sizes.append(size.actions)
        size.learn(size.actions, size.actions, size.actions * call_seconds)
    return sizes


def test_rounds_grow_step_by_step_to_what_fits_into_their_time() -> None:
    assert rounds(RoundSize(KEYED), ROUND_SECONDS / 5)[:5] == [1, 2, 4, 5, 5]
    assert rounds(RoundSize(KEYED), 0.0)[-1] == MOST


def test_a_slow_call_is_alone_and_a_slower_far_side_makes_rounds_smaller_at_once() -> None:
    assert set(rounds(RoundSize(KEYED), 10 * ROUND_SECONDS)) == {1}
    size = RoundSize(KEYED)
    rounds(size, ROUND_SECONDS / 100)
    assert rounds(size, ROUND_SECONDS / 2)[:2] == [100, 2]


@pytest.mark.parametrize("taken", [0, 1])
def test_where_few_are_due_a_round_leaves_the_others_their_share(taken: int) -> None:
    size = RoundSize(KEYED)
    rounds(size, 0.001)
    size.learn(size.actions, taken, 0.001)
    assert size.actions == 1


def test_a_round_is_a_whole_number_of_calls() -> None:
    size = RoundSize(Capabilities(batch=30, can_find=True))
    assert {size % 30 for size in rounds(size, ROUND_SECONDS / 100)} == {0}
    assert size.actions == 90
    assert rounds(RoundSize(Capabilities(batch=500, can_find=True)), 0.0)[-1] == 500


def test_what_can_be_neither_repeated_nor_looked_up_is_marked_one_call_at_a_time() -> None:
    assert set(rounds(RoundSize(Capabilities()), 0.0)) == {1}
