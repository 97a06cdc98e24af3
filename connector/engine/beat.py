"""The schedule: rings for every stage now and then, so that a lost wake-up costs seconds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from connector.engine.alive import touch

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from connector.engine.wakeups import Wakeup

_LONGEST_SLEEP_SECONDS = 5.0


class Beat:
    """What is due when. It keeps nothing: two may run, and one may be killed at any time."""

    def __init__(self, every: Mapping[Wakeup, float], ring: Callable[[Wakeup], None]) -> None:
        self._every = every
        self._ring = ring
        self._due = dict.fromkeys(every, float("-inf"))

    def tick(self, now: float) -> float:
        """Ring for what is due; returns how many seconds nothing else will be."""
        for wakeup, due in self._due.items():
            if due <= now:
                self._ring(wakeup)
                # After a standstill the rhythm begins anew; nothing is caught up with.
                ahead = due + self._every[wakeup]
                self._due[wakeup] = ahead if ahead > now else now + self._every[wakeup]
        return min(self._due.values()) - now


def beat(
    every: Mapping[Wakeup, float],
    ring: Callable[[Wakeup], None],
    stop: threading.Event,
    alive: Path | None = None,
) -> None:
    """Until `stop` is set."""
    clock = Beat(every, ring)
    while not stop.is_set():
        touch(alive)
        stop.wait(min(clock.tick(time.monotonic()), _LONGEST_SLEEP_SECONDS))
