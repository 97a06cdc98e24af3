"""A bell: whoever waits is woken at once; a ring while nobody waits is not lost."""

from __future__ import annotations

import threading


class Bell:
    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Until it rings, at most so long."""
        self._rung.wait(seconds)
        self._rung.clear()
