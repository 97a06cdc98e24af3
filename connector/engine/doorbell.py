"""Waking other processes without ever waiting for the broker."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from connector.engine.wakeups import Wakeup

if TYPE_CHECKING:
    from celery import Celery
    from kombu import Connection

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 1.0
_BREATH_SECONDS = 0.01  # what rings within it is told once
_ENOUGH = 20  # wake-ups waiting in one queue; more would say nothing new
_EXPIRE_SECONDS = 60


class Doorbell:
    """`ring` returns at once; a thread of its own tells the broker, and again until it listens.

    A broker that is gone or hangs costs this thread its time and nobody else. Wake-ups that ring
    meanwhile are remembered once each.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._wanted: dict[Wakeup, None] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._connection: Connection | None = None
        self._well = True
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._thread.start()

    def ring(self, wakeup: Wakeup) -> None:
        with self._changed:
            self._wanted[wakeup] = None
            self._changed.notify()

    def close(self, seconds: float = 1.0) -> None:
        """Tell what is still to be told, for at most so long."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                if not self._wanted:
                    break
                wanted, self._wanted = self._wanted, {}
            if not self._tell(wanted):
                with self._changed:
                    self._wanted = wanted | self._wanted
                    if self._closing:
                        break
            time.sleep(_BREATH_SECONDS if self._well else _AGAIN_SECONDS)
        self._hang_up()

    def _tell(self, wanted: dict[Wakeup, None]) -> bool:
        """True when all are told. An old connection may have died quietly: then once more."""
        trouble = ""
        for _ in range(2 if self._well else 1):
            try:
                self._publish(wanted)
            except Exception as error:  # noqa: BLE001 - each transport has its own errors
                self._hang_up()
                trouble = type(error.__cause__ or error).__name__
            else:
                if not self._well:
                    log.info("the broker listens again")
                self._well = True
                return True
        if self._well:
            log.warning("the broker cannot be reached (%s); work goes on, more slowly", trouble)
        self._well = False
        return False

    def _publish(self, wanted: dict[Wakeup, None]) -> None:
        if self._connection is None:
            # Without heartbeats, which nobody would send between two rings.
            self._connection = self._app.connection_for_write(heartbeat=0)
            self._connection.ensure_connection(max_retries=0)
        channel: Any = self._connection.default_channel
        producer = self._app.amqp.Producer(channel, auto_declare=False)
        for wakeup in wanted:
            queue = self._app.amqp.queues[wakeup.queue]
            # Its answer also proves that somebody still reads what this connection sends.
            declared = channel.queue_declare(queue.name, durable=True, auto_delete=False)
            if declared.message_count >= _ENOUGH:
                continue
            task: Any = self._app.tasks[wakeup.task]
            task.apply_async(
                args=(wakeup.of,) if wakeup.of else (),
                queue=queue.name,
                producer=producer,
                retry=False,
                expires=_EXPIRE_SECONDS,
                delivery_mode="transient",
            )

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.release()
