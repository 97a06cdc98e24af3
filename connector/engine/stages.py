"""The stages as wake-ups set them going: batch after batch until nothing is due."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connector import deciding, followup, intake, projecting
from connector.delivery import Courier
from connector.engine.chores import do_chores
from connector.engine.crew import Crew
from connector.engine.wakeups import CHORES, DECIDE, PROJECT, Wakeup, deliver, follow, poll
from connector.errors import Invalid
from connector.keeper import Keeper
from connector.store import alarms, arrivals
from connector.store.database import StoreDown

if TYPE_CHECKING:
    from connector.ports import Sink, Source
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

_ROUND_SECONDS = 20.0  # then a successor is woken, perhaps in a process that has less to do
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
            "follow": self._follow,
            "project": self._project,
            "chores": self._chores,
        }
        self._keeper = Keeper(workspace.store, clock)
        deliverers = calls * len(workspace.settings.sinks)
        self._hands = ThreadPoolExecutor(max(deliverers, 1), thread_name_prefix="deliver")
        workspace.store.make_room(deliverers + len(workspace.settings.sources) + 3)
        self._crews: dict[Wakeup, Crew[Any]] = {
            DECIDE: Crew(1, lambda: None),
            PROJECT: Crew(1, lambda: None),
            CHORES: Crew(1, lambda: None),
        }
        for sink in workspace.settings.sinks:
            self._crews[deliver(sink)] = Crew(calls, functools.partial(self._new_courier, sink))
            self._crews[follow(sink)] = Crew(1, functools.partial(workspace.new_sink, sink))
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

    def close(self) -> None:
        """Returns when the calls in flight are finished and recorded."""
        self.stopping.set()
        self._hands.shutdown()
        self._keeper.stop()

    def _new_courier(self, sink: str) -> Courier:
        workspace = self.workspace
        adapter = workspace.new_sink(sink)
        return Courier(workspace.store, sink, adapter, self._clock, self._keeper)

    def _decide(self, _of: str, _tool: None) -> None:
        for _ in self._rounds(DECIDE):
            decided = deciding.decide_batch(self.workspace, self._clock())
            self._ring_for(decided.sinks)
            if not decided.records:
                return
            self._ring(PROJECT)

    def _project(self, _of: str, _tool: None) -> None:
        for _ in self._rounds(PROJECT):
            done = projecting.project(self.workspace)
            if not done:
                return
            self.stopping.wait(projecting.pause(done))

    def _deliver(self, id: str, courier: Courier) -> None:
        called = False

        def more() -> None:
            """Where these were there may be more: call for help once, before the calls are made."""
            nonlocal called
            if not called:
                called = True
                self._call_for_help(deliver(id))

        for _ in self._rounds(deliver(id)):
            delivered = courier.round(more)
            if delivered.again_at is not None:
                self._wait_for_turn(delivered.again_at)
            elif not delivered.actions:
                return

    def _wait_for_turn(self, until: datetime) -> None:
        """In this thread, which belongs to the sink: a wake-up through the broker comes later."""
        wait = (until - self._clock()).total_seconds()
        self.stopping.wait(min(max(wait, _SHORTEST_WAIT_SECONDS), _ROUND_SECONDS))

    def _call_for_help(self, wakeup: Wakeup) -> None:
        """An idle thread of this process at once, and by the bell one of another."""
        self._ring(wakeup)
        with contextlib.suppress(RuntimeError):  # it is closed: nobody shall help any more
            self._hands.submit(self.go, wakeup)

    def _rounds(self, successor: Wakeup) -> Iterator[None]:
        """Until told to stop, or it is somebody else's turn."""
        began = time.monotonic()
        while not self.stopping.is_set():
            if time.monotonic() - began > _ROUND_SECONDS:
                self._ring(successor)
                return
            yield

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

    def _follow(self, id: str, sink: Sink) -> None:
        for _ in self._rounds(follow(id)):
            heard = followup.follow(self.workspace, id, sink, self._clock(), self.stopping.is_set)
            if not heard.more:
                return

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
        except Invalid as error:  # the active ruleset; the alarm `rules` tells a person
            log.error("%s: %s", name, error.problems[0])
        except Exception as error:
            log.exception("%s failed; the next wake-up tries again", name)
            message = f"'{name}' failed ({type(error).__name__}); see the log"
            with contextlib.suppress(Exception):  # the log has it
                self.workspace.store.write(
                    lambda c: alarms.raise_alarm(c, "engine", name, message, self._clock())
                )
