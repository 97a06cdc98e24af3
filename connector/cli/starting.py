"""A process that starts while the database is being restarted waits for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_fixed,
)

from connector.store.database import StoreDown

log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
TRIES = 60

T = TypeVar("T")


def once_there(open_it: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """What `open_it` returns; for about a minute it is tried again while the database is down.

    Raises:
        StoreDown: it is still down then.
        Whatever else `open_it` raises, at once.
    """
    repeated = Retrying(
        retry=retry_if_exception_type(StoreDown),
        wait=wait_fixed(WAIT_SECONDS),
        stop=stop_after_attempt(TRIES),
        before_sleep=_say_once,
        sleep=sleep,
        reraise=True,
    )
    return repeated(open_it)


def _say_once(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        log.warning("%s; it is tried again for a minute", state.outcome.exception())
