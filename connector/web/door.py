"""The door: webhooks that were found genuine wait here for each other and become durable together.

A group stays open until the store begins with it, so that it grows while the disk is busy with the
one before: a slow disk costs time, not throughput.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from typing import TYPE_CHECKING

from connector import faultpoints
from connector.store import arrivals
from connector.store.database import Collided, StoreDown
from connector.store.trouble import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection

    from connector.store import Store
    from connector.store.arrivals import Record

_MOST = 256  # webhooks in a group; more would only make the first of them wait longer


class Door:
    """`arrived` is called in the event loop after a group became durable."""

    def __init__(self, store: Store, arrived: Callable[[], None]) -> None:
        self._store = store
        self._arrived = arrived
        self._open: _Group | None = None
        self._lock = threading.Lock()

    async def keep(self, records: Sequence[Record]) -> None:
        """The records of one webhook; returns when they are durable.

        Raises:
            StoreDown: when the database is down or full.
        """
        if faultpoints.only_in_memory("commit", functools.partial(self._keep_alone, records)):
            return
        loop = asyncio.get_running_loop()
        webhook = _Webhook(records, loop.create_future())
        with self._lock:
            group = self._open
            if group is None or group.loop is not loop or len(group.webhooks) == _MOST:
                group = self._open = _Group(loop)
                loop.call_soon(self._send, group)  # with those whose bytes are here already
            group.webhooks.append(webhook)
        self._store.senders += 1
        try:
            await webhook.told
        finally:
            self._store.senders -= 1

    def _send(self, group: _Group) -> None:
        try:
            stored = self._store.write_first(functools.partial(self._put, group))
        except StoreDown as error:
            self._settle(group, error)
        else:
            stored.add_done_callback(functools.partial(self._stored, group))

    def _keep_alone(self, records: Sequence[Record]) -> None:
        self._store.write(lambda c: arrivals.keep(c, records))

    def _put(self, group: _Group, connection: Connection) -> None:
        self._close(group)
        arrivals.keep(connection, [each for one in group.webhooks for each in one.records])

    def _close(self, group: _Group) -> None:
        with self._lock:
            if self._open is group:
                self._open = None

    def _stored(self, group: _Group, stored: Future[None]) -> None:
        """In a thread of the store."""
        failed: Exception | None = None
        try:
            with translated():
                stored.result()
            faultpoints.reach("intake.stored")
        except Exception as error:  # noqa: BLE001 - it is told to those who wait
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended, and who waited with it
            group.loop.call_soon_threadsafe(self._settle, group, failed)

    def _settle(self, group: _Group, error: Exception | None) -> None:
        """Tell everybody. Where it was no trouble of the database, one of them is its cause: then
        each is stored alone."""
        self._close(group)
        is_down = isinstance(error, StoreDown) and not isinstance(error, Collided)
        if error is not None and not is_down and len(group.webhooks) > 1:
            for one in group.webhooks:
                self._send(_Group(group.loop, [one]))
            return
        if error is None:
            self._arrived()
        for one in group.webhooks:
            one.tell(error)


class _Webhook:
    def __init__(self, records: Sequence[Record], told: asyncio.Future[None]) -> None:
        self.records = records
        self.told = told

    def tell(self, error: Exception | None) -> None:
        if self.told.done():
            return  # who waited has gone
        if error is None:
            self.told.set_result(None)
        else:
            self.told.set_exception(error)


class _Group:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, webhooks: list[_Webhook] | None = None
    ) -> None:
        self.loop = loop
        self.webhooks = webhooks or []
