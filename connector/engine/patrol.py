"""What a worker does when nobody rings: it goes round by itself, more slowly."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from connector import faultpoints
from connector.engine.alive import touch

if TYPE_CHECKING:
    from pathlib import Path

    from connector.engine.wakeups import Wakeup

log = logging.getLogger(__name__)

_LOOK_SECONDS = faultpoints.seconds("patrol", 5.0)
_PATIENCE_SECONDS = faultpoints.seconds("patience", 10.0)


class Patrol:
    """Sets going whatever has heard no wake-up for its interval and ten seconds more.

    So neither a broker that is gone for hours nor a dead beat stops anything. `alive` is touched on
    every round.
    """

    def __init__(
        self,
        every: Mapping[Wakeup, float],
        go: Callable[[Wakeup], None],
        alive: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every = every
        self._go = go
        self._alive = alive
        self._clock = clock
        self._heard = dict.fromkeys(every, clock())
        self._alone = False
        self._stopping = threading.Event()
        self._walkers = ThreadPoolExecutor(len(every), thread_name_prefix="patrol")
        self._thread = threading.Thread(target=self._run, name="patrol", daemon=True)

    def start(self) -> None:
        touch(self._alive)
        self._thread.start()

    def stop(self) -> None:
        """What it has set going is finished first."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._walkers.shutdown()

    def heard(self, wakeup: Wakeup) -> None:
        if wakeup in self._heard:  # a new key would disturb the thread that looks
            self._heard[wakeup] = self._clock()
        if self._alone:
            self._alone = False
            log.info("wake-ups arrive again")

    def ring(self, wakeup: Wakeup) -> None:
        """While nobody rings, what this process would wake in another it does itself."""
        if self._alone and wakeup in self._every:
            with contextlib.suppress(RuntimeError):  # it is stopped: nothing more is begun
                self._walkers.submit(self._go, wakeup)

    def look(self) -> list[Wakeup]:
        """One round; returns what it has set going."""
        now = self._clock()
        if not self._alone and now - max(self._heard.values()) > min(self._every.values()) + (
            _PATIENCE_SECONDS
        ):
            self._alone = True
            log.warning("no wake-ups arrive (broker or beat down?); going round without them")
        late = [w for w, every in self._every.items() if self._is_late(w, every, now)]
        for wakeup in late:
            self._heard[wakeup] = now
            self._walkers.submit(self._go, wakeup)
        return late

    def _is_late(self, wakeup: Wakeup, every: float, now: float) -> bool:
        # Once it is known that nobody rings there is nothing to wait for.
        patience = 0.0 if self._alone else _PATIENCE_SECONDS
        return now - self._heard[wakeup] >= every + patience

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self.look()
            touch(self._alive)
