"""The thread that writes to a SQLite file: it groups the transactions of everybody who waits into
one commit, and lets webhooks go first.

A sender waits for its 202 and gives up after seconds; nobody waits for a decision to the
millisecond. So everything else works in turns of 20 ms, and where senders crowd the door after a
turn, it rests for as long as that turn took: it gets half of the time under any load, and all of it
otherwise.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from connector.store.trouble import StoreDown, is_down

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

THREAD = "store-writer"
_GROUP = 256  # jobs per commit; more would only make the first of them wait longer
_TURN_SECONDS = 0.02  # then what is no webhook commits, and rests where there is a crowd
_CROWD = 10  # senders that wait at the end of a turn: 500 come in a second
_LONGEST_REST_SECONDS = 0.2  # a long job is not paid back for seconds
_BUSY_SECONDS = 0.05  # for so long we write without a gap ...
_GAP_SECONDS = 0.003  # ... in which another process that asks gets its turn


class Writer:
    """Runs jobs, each in a savepoint of its own. Safe to use from many threads.

    `senders` says how many wait for their 202.
    """

    def __init__(self, engine: Engine, senders: Callable[[], int]) -> None:
        self._engine = engine
        self._senders = senders
        self._urgent: deque[_Job] = deque()
        self._usual: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._crowded = False  # at the end of the last turn
        self._rest_until = float("-inf")
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], Any], urgent: bool) -> Future[Any]:
        """Its result, once it is durable; or the error as the driver raised it.

        Raises:
            StoreDown: when this was closed.
        """
        job = _Job(work)
        with self._changed:
            if self._closing:
                raise StoreDown("the store is closed")
            (self._urgent if urgent else self._usual).append(job)
            self._changed.notify()
        return job.future

    def is_current_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Do what waits, then end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        busy_since = time.monotonic()
        while True:
            asked_at = time.monotonic()
            urgent = self._whose_turn()
            if urgent is None:
                return
            began = time.monotonic()
            if began - asked_at >= _GAP_SECONDS:
                busy_since = began
            self._commit(self._jobs(urgent))
            ended = time.monotonic()
            if self._crowded and not urgent:
                self._rest_until = ended + min(ended - began, _LONGEST_REST_SECONDS)
            if ended - busy_since > _BUSY_SECONDS:
                time.sleep(_GAP_SECONDS)
                busy_since = time.monotonic()

    def _whose_turn(self) -> bool | None:
        """Wait until somebody may write: webhooks (True) or the others; None when closed."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._usual and (now >= self._rest_until or self._closing):
                    return False
                if self._urgent:
                    return True
                if self._closing:
                    return None
                self._changed.wait(self._rest_until - now if self._usual else None)

    def _jobs(self, urgent: bool) -> Iterator[_Job]:
        """What goes into one commit: webhooks alone, or a turn of the others and with it the
        webhooks that have come meanwhile."""
        if not urgent:
            end = time.monotonic() + _TURN_SECONDS
            for job in _taken(self._usual):
                yield job
                if self._urgent and time.monotonic() >= end:
                    break
            self._crowded = self._senders() >= _CROWD
        yield from _taken(self._urgent)

    def _commit(self, jobs: Iterator[_Job]) -> None:
        """One transaction for all; a job that fails is rolled back alone."""
        first = next(jobs)
        begun: list[_Job] = []
        done: list[tuple[_Job, Any]] = []
        try:
            with self._engine.begin() as connection:
                for job in itertools.chain([first], jobs):
                    begun.append(job)
                    try:
                        with connection.begin_nested():
                            result = job.work(connection)
                    except Exception as error:
                        if is_down(error):
                            raise
                        job.future.set_exception(error)
                    else:
                        done.append((job, result))
        except Exception as error:  # noqa: BLE001 - whoever waits for a job gets its error
            for job in itertools.chain([first], begun, jobs):
                if not job.future.done():
                    job.future.set_exception(error)
            return
        for job, result in done:
            job.future.set_result(result)


class _Job:
    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()


def _taken(queue: deque[_Job]) -> Iterator[_Job]:
    """Who waits at this moment, the first first; who comes later waits for the next commit."""
    for _ in range(min(len(queue), _GROUP)):
        yield queue.popleft()
