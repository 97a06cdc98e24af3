"""Who may work on one stage at the same time within a process, and with which tool."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Tool = TypeVar("Tool")


class Crew(Generic[Tool]):
    """At most `most` turns at once, each with a tool that nobody else holds meanwhile.

    Tools are made when they are first needed and then lent again, the last one returned first. Who
    comes while all are busy leaves word and goes: one of the busy ones takes another turn, so that
    no wake-up is lost by meeting a worker that was just about to end.
    """

    def __init__(self, most: int, make: Callable[[], Tool]) -> None:
        self._most = most
        self._make = make
        self._made = 0
        self._free: list[Tool] = []
        self._lock = threading.Lock()
        self._called = False

    def turn(self, work: Callable[[Tool], None]) -> None:
        with self._lock:
            self._called = True
        while self._is_called() and (lent := self._borrow()) is not None:
            try:
                work(lent[0])
            finally:
                with self._lock:
                    self._free.append(lent[0])

    def _is_called(self) -> bool:
        with self._lock:
            return self._called

    def _borrow(self) -> tuple[Tool] | None:
        with self._lock:
            if self._free:
                self._called = False
                return (self._free.pop(),)
            if self._made == self._most:
                return None
            self._made += 1
            self._called = False
        try:
            return (self._make(),)
        except BaseException:
            with self._lock:
                self._made -= 1
            raise
