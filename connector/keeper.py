"""Leases are short; while a process lives, one thread of it renews what its rounds still hold."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connector import faultpoints
from connector.store import sending
from connector.store.database import StoreDown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from connector.store import Store

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=faultpoints.seconds("lease", 60))
_STUCK_SECONDS = 600.0  # a round that hangs for longer is taken from its thread


class Keeper:
    """Renews the leases of the rounds in its hands. A process that is frozen or dead renews none,
    so that others take over; what they have taken over is not ours any more and stays theirs."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._held: dict[object, tuple[Sequence[Any], float]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    @contextlib.contextmanager
    def holding(self, rows: Sequence[Any]) -> Iterator[None]:
        """These were claimed and are being worked on, until the block is left."""
        round_ = object()
        with self._lock:
            self._held[round_] = (rows, time.monotonic())
            if self._thread.ident is None:
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._held[round_]

    def renew(self) -> None:
        """Once, now."""
        fresh_enough = time.monotonic() - _STUCK_SECONDS
        with self._lock:
            rounds = [rows for rows, since in self._held.values() if since > fresh_enough]
        rows = [row for round_ in rounds for row in round_]
        if rows:
            self._store.write(lambda c: sending.renew(c, rows, self._clock(), LEASE))

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LEASE.total_seconds() / 4):
            try:
                self.renew()
            except StoreDown as error:  # the leases run out, if it stays so
                log.warning("leases cannot be renewed: %s", error)
            except Exception as error:  # noqa: BLE001 - without this thread every long call is lost
                log.error("leases cannot be renewed (%s)", type(error).__name__)
