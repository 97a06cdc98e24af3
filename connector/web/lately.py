"""Figures that take the database long: counted beside the pages, for a small part of the time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
_SHARE = 0.05  # of the time, however often somebody looks
_LEAST_SECONDS = 5.0


class Lately(Generic[T]):
    """`count` is called in a thread of its own; `value()` is what it last returned. What takes no
    longer than `wait_seconds` is of this moment."""

    def __init__(self, name: str, count: Callable[[], T], wait_seconds: float) -> None:
        self._count, self._wait = count, wait_seconds
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._counting: Future[None] | None = None
        self._again_at = float("-inf")
        self._value: T | None = None

    def value(self) -> T | None:
        """None before it was counted for the first time.

        Raises whatever `count` raised, where it has failed within this call.
        """
        with self._lock:
            if self._counting is None and time.monotonic() >= self._again_at:
                self._counting = self._pool.submit(self._work)
            counting = self._counting
        if counting is not None:
            with contextlib.suppress(TimeoutError):
                counting.result(self._wait)
        return self._value

    def _work(self) -> None:
        began = time.monotonic()
        try:
            self._value = self._count()
        finally:
            ended = time.monotonic()
            with self._lock:
                self._again_at = ended + max((ended - began) / _SHARE, _LEAST_SECONDS)
                self._counting = None
