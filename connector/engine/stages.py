"""The stages as wake-ups set them going: batch after batch until nothing is due."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connector import deciding, delivery, intake
from connector.engine.chores import do_chores
from connector.engine.crew import Crew
from connector.engine.wakeups import CHORES, DECIDE, Wakeup, deliver, poll
from connector.store import alarms, arrivals
from connector.store.database import StoreDown

if TYPE_CHECKING:
    from connector.ports import Sink, Source
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

_ROUND_SECONDS = 20.0  # then a successor is woken, perhaps in a process that has less to do
_HELP_SECONDS = 1.0
_SHORTEST_WAIT_SECONDS = 0.05  # many threads may wait for the same turn
_EARLY = 0.1  # of `poll_every`: the schedule's clock and ours need not agree to the millisecond


def utc_now() -> datetime:
    return datetime.now(UTC)


class Stages:
    """Safe to use from many threads. `calls` is how many batches of one sink are out at once.

    The vendors' clients are not thread-safe: a sink adapter is lent to one thread at a time.
    """

    def __init__(
        self,
        workspace: Workspace,
        ring: Callable[[Wakeup], None],
        calls: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.workspace = workspace
        self.stopping = threading.Event()
        self._ring = ring
        self._clock = clock
        self._work: dict[str, Callable[[str, Any], None]] = {
            "decide": self._decide,
            "deliver": self._deliver,
            "poll": self._poll,
            "chores": self._chores,
        }
        self._crews: dict[Wakeup, Crew[Any]] = {
            DECIDE: Crew(1, lambda: None),
            CHORES: Crew(1, lambda: None),
        }
        for sink in workspace.settings.sinks:
            new_sink = functools.partial(workspace.new_sink, sink)
            self._crews[deliver(sink)] = Crew(calls, new_sink)
        for source in workspace.settings.sources:
            new_source = functools.partial(workspace.new_source, source)
            self._crews[poll(source)] = Crew(1, new_source)

    def go(self, wakeup: Wakeup) -> None:
        """Do what is due, then return; at once when others are at it already. Never raises."""
        crew = self._crews.get(wakeup)
        if crew is None:
            return  # who woke us knows a newer configuration
        work = self._work[wakeup.task]
        with self._guarded(wakeup):
            crew.turn(lambda tool: work(wakeup.of, tool))

    def _decide(self, _of: str, _tool: None) -> None:
        for _ in self._rounds(DECIDE):
            decided = deciding.decide_batch(self.workspace, self._clock())
            self._ring_for(decided.sinks)
            if not decided.records:
                return

    def _deliver(self, id: str, sink: Sink) -> None:
        told = -_HELP_SECONDS
        for seconds in self._rounds(deliver(id)):
            delivered = delivery.deliver_batch(self.workspace.store, id, sink, self._clock)
            if delivered.again_at is not None:
                self._wait_for_turn(delivered.again_at)
                continue
            if not delivered.actions:
                return
            if seconds - told >= _HELP_SECONDS:
                # Where this batch was, there may be more: somebody idle can help.
                self._ring(deliver(id))
                told = seconds

    def _wait_for_turn(self, until: datetime) -> None:
        """In this thread, which belongs to the sink: a wake-up through the broker comes later."""
        wait = (until - self._clock()).total_seconds()
        self.stopping.wait(min(max(wait, _SHORTEST_WAIT_SECONDS), _ROUND_SECONDS))

    def _rounds(self, successor: Wakeup) -> Iterator[float]:
        """The seconds since the beginning, until told to stop or it is somebody else's turn."""
        began = time.monotonic()
        while not self.stopping.is_set():
            seconds = time.monotonic() - began
            if seconds > _ROUND_SECONDS:
                self._ring(successor)
                return
            yield seconds

    def _poll(self, id: str, source: Source) -> None:
        """However often it is woken, the vendor is asked once every `poll_every`."""
        now = self._clock()
        with self.workspace.store.read() as connection:
            row = arrivals.source_row(connection, id)
        if any(until is not None and until > now for until in (row.paused_until, row.lease_until)):
            return
        pause = self.workspace.settings.sources[id].poll_every * (1 - _EARLY)
        if row.polled_at is not None and now - row.polled_at < pause:
            return
        polled = intake.poll(self.workspace, id, source, now, self.stopping.is_set)
        if polled.new:
            self._ring(DECIDE)
        if polled.error:
            log.warning("it cannot be read: %s", polled.error, extra={"source": id})

    def _chores(self, _of: str, _tool: None) -> None:
        self._ring_for(do_chores(self.workspace, self._clock()))

    def _ring_for(self, sinks: set[str]) -> None:
        for sink in sinks & self.workspace.settings.sinks.keys():  # one may have been taken out
            self._ring(deliver(sink))

    @contextlib.contextmanager
    def _guarded(self, wakeup: Wakeup) -> Iterator[None]:
        """Nothing ends the worker; the next wake-up tries again."""
        name = "-".join(part for part in wakeup if part)
        try:
            yield
        except StoreDown as error:
            log.error("%s: %s", name, error)
        except Exception as error:
            log.exception("%s failed; the next wake-up tries again", name)
            message = f"'{name}' failed ({type(error).__name__}); see the log"
            with contextlib.suppress(Exception):  # the log has it
                self.workspace.store.write(
                    lambda c: alarms.raise_alarm(c, "engine", name, message, self._clock())
                )
