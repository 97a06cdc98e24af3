"""One worker process: Celery hears the wake-ups, threads do the work, SIGTERM ends it cleanly.

Threads, not processes: nearly all of the time is spent waiting for a vendor, and each process of a
pool would hold a copy of every vendor's client.
"""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Any

from celery.app.trace import setup_worker_optimizations
from celery.worker import WorkController, state

from connector.engine.celery_app import make_app
from connector.engine.doorbell import Doorbell
from connector.engine.patrol import Patrol
from connector.engine.settling import settle
from connector.engine.stages import Stages
from connector.engine.wakeups import only_for, schedule

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from connector.engine.wakeups import Wakeup
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

_SPARE_THREADS = 4  # for wake-ups that find everybody busy and go again


def work(
    workspace: Workspace,
    broker: str,
    calls: int,
    sinks: Collection[str] | None = None,
    alive: Path | None = None,
) -> int:
    """Until SIGTERM or Ctrl-C; then the calls in flight are finished. Returns the exit code.

    `calls` is how many batches of one sink are out at once; with `sinks` nothing else is done.
    """
    every = schedule(workspace.settings)
    if sinks is not None:
        every = only_for(sinks, every)

    def hear(wakeup: Wakeup) -> None:
        patrol.heard(wakeup)
        stages.go(wakeup)

    def ring(wakeup: Wakeup) -> None:
        doorbell.ring(wakeup)
        patrol.ring(wakeup)

    def stop(*_: object) -> None:
        stages.stopping.set()
        state.should_stop = 0  # type: ignore[assignment] # the stubs only know its first value

    app = make_app(broker, workspace.settings.sinks, hear)
    doorbell = Doorbell(app)
    stages = Stages(workspace, ring, calls)
    patrol = Patrol(every, stages.go, alive)
    setup_worker_optimizations(app)
    threads = sum(calls if wakeup.task == "deliver" else 1 for wakeup in every) + _SPARE_THREADS
    worker = WorkController(
        app=app,
        pool_cls="threads",
        concurrency=threads,
        queues=sorted({wakeup.queue for wakeup in every}),
        loglevel=logging.WARNING,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    # Celery's loop sleeps until something happens at the broker, and a signal does not count: on a
    # quiet RabbitMQ it would be noticed after ten seconds.
    timer: Any = worker.timer
    timer.call_repeatedly(1.0, lambda: None)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    log.info("working: %s", ", ".join(sorted({wakeup.queue for wakeup in every})))
    settle()
    patrol.start()
    worker.start()
    stages.stopping.set()  # also where no signal has ended it
    patrol.stop()  # what it has set going needs its leases renewed until it is finished
    stages.close()
    doorbell.close()
    log.info("stopped; the calls in flight are finished")
    return worker.exitcode or 0
