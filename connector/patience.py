"""Patience with reads: a short wait and another try where repeating cannot do harm."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from connector.errors import TryLater

TRIES = 3
FIRST_WAIT_SECONDS = 0.4
LONGEST_WAIT_SECONDS = 1.5  # whoever asks for more gets it from the outbox, not from a held thread

LEISURELY_TRIES = 6
LEISURELY_WAIT_SECONDS = 120.0

T = TypeVar("T")


def patiently(call: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """The result of `call`, a read or a token request: three tries within about three seconds.

    Never around a write. A `retry_after_seconds` above 1.5 s is not waited for.

    Raises:
        TryLater: the last one, when the tries are used up or the wish is too long.
        Whatever else `call` raises, at once.
    """
    return _repeat(call, TRIES, LONGEST_WAIT_SECONDS, sleep)


def at_leisure(call: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """The same for a person who waits at a terminal: six tries, each pause as long as the far side
    wishes, two minutes at most. Never in a worker: it would hold its thread.

    Raises:
        TryLater: the last one, when the tries are used up or the wish is too long.
        Whatever else `call` raises, at once.
    """
    return _repeat(call, LEISURELY_TRIES, LEISURELY_WAIT_SECONDS, sleep)


def _repeat(
    call: Callable[[], T], tries: int, longest_seconds: float, sleep: Callable[[float], None]
) -> T:
    def is_bearable(error: BaseException) -> bool:
        return isinstance(error, TryLater) and (error.retry_after_seconds or 0) <= longest_seconds

    repeated = Retrying(
        retry=retry_if_exception(is_bearable),
        wait=_wait_seconds,
        stop=stop_after_attempt(tries),
        sleep=sleep,
        reraise=True,
    )
    return repeated(call)


def _wait_seconds(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wish = error.retry_after_seconds if isinstance(error, TryLater) else None
    return max(wish or 0.0, FIRST_WAIT_SECONDS * 2.0 ** (state.attempt_number - 1))
