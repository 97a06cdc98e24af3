"""Reads are repeated a little, nothing else."""

from collections.abc import Callable

import pytest

from connector.errors import ConnectorError, LookFirst, Paused, TryLater
from connector.patience import at_leisure, patiently


@pytest.fixture
def impatience() -> None:
    """Here the pauses are what is tested; nobody sleeps."""


def failing(times: int, error: ConnectorError) -> Callable[[], int]:
    calls = iter(range(100))

    def read() -> int:
        if (made := next(calls)) < times:
            raise error
        return made

    return read


def test_a_read_is_repeated_twice_after_short_waits() -> None:
    waits: list[float] = []
    assert patiently(failing(2, TryLater("busy")), waits.append) == 2
    assert waits == [0.4, 0.8]


def test_patience_ends_with_the_last_error() -> None:
    waits: list[float] = []
    with pytest.raises(TryLater, match="busy"):
        patiently(failing(3, TryLater("busy")), waits.append)
    assert len(waits) == 2


def test_a_short_wish_of_the_far_side_is_granted_a_long_one_is_passed_on() -> None:
    waits: list[float] = []
    assert patiently(failing(1, TryLater("busy", retry_after_seconds=1)), waits.append) == 1
    assert waits == [1]
    with pytest.raises(TryLater):
        patiently(failing(1, TryLater("busy", retry_after_seconds=2)), waits.append)
    assert waits == [1]


@pytest.mark.parametrize("error", [LookFirst("unknown"), Paused("revoked")])
def test_only_try_later_is_tried_again(error: ConnectorError) -> None:
    waits: list[float] = []
    with pytest.raises(type(error)):
        patiently(failing(1, error), waits.append)
    assert waits == []


def test_who_waits_at_a_terminal_waits_as_long_as_the_far_side_wishes() -> None:
    waits: list[float] = []
    busy = TryLater("ten pages a minute", retry_after_seconds=58)
    assert at_leisure(failing(2, busy), waits.append) == 2
    assert waits == [58, 58]
    with pytest.raises(TryLater):
        at_leisure(failing(6, TryLater("busy")), waits.append)
    assert waits[2:] == [0.4, 0.8, 1.6, 3.2, 6.4]


@pytest.mark.parametrize("error", [TryLater("tomorrow", 3600), LookFirst("unknown"), Paused("no")])
def test_there_is_a_limit_to_that_too(error: ConnectorError) -> None:
    waits: list[float] = []
    with pytest.raises(type(error)):
        at_leisure(failing(1, error), waits.append)
    assert waits == []
