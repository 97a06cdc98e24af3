"""Everything in one process: threads call the stages, bells wake them, SIGTERM ends them cleanly.

One thread polls each source that has an API, one decides, one projects, one delivers for each sink
(so that a slow or failing sink never delays another), one does the chores, one looks whether the
rules files have changed. They sleep until a bell rings or
the next due time comes; nothing is polled but the vendors.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING

from connector import deciding, faultpoints, followup, intake, projecting
from connector.delivery import Courier
from connector.engine import alone
from connector.engine.bell import Bell
from connector.engine.chores import do_chores
from connector.errors import Invalid
from connector.keeper import Keeper
from connector.ports import Following, Pollable, Sink, Source
from connector.store import alarms, arrivals, following, sending
from connector.store.database import StoreDown

if TYPE_CHECKING:
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

_SHORTEST_SECONDS = 0.01
_LONGEST_SLEEP_SECONDS = 30.0  # a wake-up lost to another process costs at most this
_CHORES_SECONDS = faultpoints.seconds("chores", 60.0)
_PROJECT_SLEEP_SECONDS = 5.0  # what another process decided, such as an import, is seen then
_FILES_SECONDS = 1.0  # between two looks at the rules files; reading them takes under a millisecond
_STORE_DOWN_SECONDS = 1.0
_MISTAKE_SECONDS = 5.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class Embedded:
    """The engine of `connector run`. Start it, ring it, stop it; it can be used once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._stopping = threading.Event()
        self._deciding = Bell()
        self._projecting = Bell()
        self._delivering = {sink: Bell() for sink in workspace.settings.sinks}
        self._polling = {id: Bell() for id in workspace.settings.sources}
        self._following = {sink: Bell() for sink in workspace.settings.sinks}
        self._chores = Bell()
        self._files = Bell()
        self._keeper = Keeper(workspace.store, utc_now)
        self._threads: list[threading.Thread] = []
        self._lock: IO[str] | None = None

    def start(self) -> None:
        """Raises Invalid when another engine already works on the same SQLite file."""
        self._take_lock()
        for id in self.workspace.settings.sources:
            source = self.workspace.new_source(id)
            if isinstance(source, Pollable):
                step = functools.partial(self._poll, id, source)
                self._spawn(f"poll-{id}", step, self._polling[id])
        self._spawn("decide", self._decide, self._deciding)
        self._spawn("project", self._project, self._projecting)
        for id, bell in self._delivering.items():
            sink = self.workspace.new_sink(id)
            courier = Courier(self.workspace.store, id, sink, utc_now, self._keeper)
            step = functools.partial(self._deliver, id, courier)
            self._spawn(f"deliver-{id}", step, bell)
            if isinstance(sink, Following):
                own = self.workspace.new_sink(id)  # a vendor's client belongs to one thread
                step = functools.partial(self._follow, id, own)
                self._spawn(f"follow-{id}", step, self._following[id])
        self._spawn("chores", self._do_chores, self._chores)
        if self.workspace.settings.follow_files:
            self._spawn("rules", self._follow_files, self._files)

    def arrived(self) -> None:
        """New records are in the inbox."""
        self._deciding.ring()

    def changed(self, sink: str) -> None:
        """A webhook says that cases of this sink have changed."""
        self._following[sink].ring()

    def wake(self) -> None:
        """Poll every source and do the chores now, not at their next time."""
        for bell in (*self._polling.values(), self._chores):
            bell.ring()

    def stop(self) -> None:
        """Finish the calls in flight, then return; whatever is not done stays in the store."""
        self._stopping.set()
        once = (self._deciding, self._projecting, self._chores, self._files)
        bells = [*once, *self._delivering.values(), *self._polling.values()]
        bells += self._following.values()
        for bell in bells:
            bell.ring()
        for thread in self._threads:
            thread.join()
        self._keeper.stop()
        if self._lock is not None:
            self._lock.close()

    def _take_lock(self) -> None:
        self._lock = alone.take_lock(self.workspace.store)
        if self._lock is not None:
            self.workspace.store.write(sending.free_leases)
            self.workspace.store.write(arrivals.free_leases)
            self.workspace.store.write(following.free_leases)

    def _spawn(self, name: str, step: Callable[[], float], bell: Bell) -> None:
        loop = functools.partial(self._forever, name, step, bell)
        thread = threading.Thread(target=loop, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _forever(self, name: str, step: Callable[[], float], bell: Bell) -> None:
        """Call `step` until stopped; it says how many seconds to sleep unless the bell rings."""
        while not self._stopping.is_set():
            try:
                seconds = step()
            except StoreDown as error:
                log.error("%s: %s", name, error)
                seconds = _STORE_DOWN_SECONDS
            except Invalid as error:  # the active ruleset; the alarm `rules` tells a person
                log.error("%s: %s", name, error.problems[0])
                seconds = _MISTAKE_SECONDS
            except Exception as error:  # noqa: BLE001 - a thread that ends would end in silence
                kind, where = (
                    type(error).__name__,
                    "".join(traceback.format_tb(error.__traceback__)),
                )
                # Its text may hold an answer.
                log.error(
                    "%s failed (%s); it goes on in %d s\n%s", name, kind, _MISTAKE_SECONDS, where
                )
                self._alarm(name, kind)
                seconds = _MISTAKE_SECONDS
            if seconds > 0:
                bell.wait(seconds)

    def _alarm(self, name: str, kind: str) -> None:
        message = f"'{name}' failed ({kind}); see the log"
        with contextlib.suppress(Exception):  # the log has it
            self.workspace.store.write(
                lambda c: alarms.raise_alarm(c, "engine", name, message, utc_now())
            )

    def _ring(self, sinks: set[str]) -> None:
        for sink in sinks & self._delivering.keys():  # a case may stand in one that was taken out
            self._delivering[sink].ring()

    def _decide(self) -> float:
        decided = deciding.decide_batch(self.workspace, utc_now())
        self._ring(decided.sinks)
        if decided.records:
            self._projecting.ring()
        return 0 if decided.records else _LONGEST_SLEEP_SECONDS

    def _project(self) -> float:
        done = projecting.project(self.workspace)
        if done:
            self._stopping.wait(projecting.pause(done))
        return 0 if done else _PROJECT_SLEEP_SECONDS

    def _deliver(self, id: str, courier: Courier) -> float:
        delivered = courier.round()
        if delivered.actions:
            return 0
        now = utc_now()
        due = delivered.again_at
        if due is None:
            with self.workspace.store.read() as connection:
                due = sending.next_due(connection, id, now)
        wait = _LONGEST_SLEEP_SECONDS if due is None else (due - now).total_seconds()
        return min(max(wait, _SHORTEST_SECONDS), _LONGEST_SLEEP_SECONDS)

    def _poll(self, id: str, source: Source) -> float:
        now = utc_now()
        with self.workspace.store.read() as connection:
            paused_until: datetime | None = arrivals.source_row(connection, id).paused_until
        if paused_until is not None and paused_until > now:
            return min((paused_until - now).total_seconds(), _LONGEST_SLEEP_SECONDS)
        polled = intake.poll(self.workspace, id, source, now, self._stopping.is_set)
        if polled.new:
            self._deciding.ring()
        if polled.error:
            log.warning("source %s: %s", id, polled.error)
        every: timedelta = self.workspace.settings.sources[id].poll_every
        return float(every.total_seconds())

    def _follow(self, id: str, sink: Sink) -> float:
        heard = followup.follow(self.workspace, id, sink, utc_now(), self._stopping.is_set)
        if heard.more:
            return 0
        every: timedelta = self.workspace.settings.sinks[id].follow_every
        return min(every.total_seconds(), _LONGEST_SLEEP_SECONDS)

    def _do_chores(self) -> float:
        self._ring(do_chores(self.workspace, utc_now()))
        return _CHORES_SECONDS

    def _follow_files(self) -> float:
        self.workspace.rulesets.follow(utc_now())
        return _FILES_SECONDS


def run_once(workspace: Workspace) -> bool:
    """Poll, decide and deliver everything that is due now, in this thread.

    Returns whether anything failed or was refused; the log and `connector actions list` say what.
    """
    failed = False
    for id in workspace.settings.sources:
        source = workspace.new_source(id)
        if isinstance(source, Pollable):
            polled = intake.poll(workspace, id, source, utc_now())
            if polled.error:
                log.warning("source %s: %s", id, polled.error)
                failed = True
    while deciding.decide_batch(workspace, utc_now()).records:
        pass
    while projecting.project(workspace):
        pass
    for id in workspace.settings.sinks:
        courier = Courier(workspace.store, id, workspace.new_sink(id), utc_now)
        while True:
            delivered = courier.round()
            failed |= any(name not in ("done", "withheld") for name in delivered.outcomes)
            if delivered.again_at is not None:  # the account's turn; nobody else waits for us
                time.sleep(max((delivered.again_at - utc_now()).total_seconds(), _SHORTEST_SECONDS))
            elif not delivered.actions:
                break
        heard = followup.follow(workspace, id, workspace.new_sink(id), utc_now())
        failed |= bool(heard.error)
    do_chores(workspace, utc_now())
    return failed
