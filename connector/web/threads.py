"""Threads of their own for the pages: slow ones must not keep a webhook waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_THREADS = 4
_MOST_WAITING = 64


class Busy(Exception):
    """Too many pages are asked for at once."""


class Threads:
    def __init__(self, threads: int = _THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="page")
        self._waiting = 0  # in the event loop's thread alone

    async def run(self, work: Callable[[], T]) -> T:
        """Raises Busy rather than letting a queue grow without end."""
        if self._waiting >= _MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
