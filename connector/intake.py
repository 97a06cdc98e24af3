"""From a door to the inbox: receive what is sent, poll what has to be fetched. Raw bytes only."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from connector import faultpoints
from connector.domain import Note
from connector.errors import ConnectorError, Paused, TryLater, Unreadable
from connector.ports import Pollable, Source
from connector.store import alarms, arrivals
from connector.store.arrivals import Record
from connector.store.database import StoreDown

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.domain import Pulled
    from connector.store.arrivals import Stored
    from connector.workspace import Workspace

POLL_LEASE = timedelta(minutes=2)  # begins anew with each page; reading one takes a minute at most
_PROBE_AFTER = timedelta(minutes=5)
_STUCK_AFTER = timedelta(hours=1)


def receive(
    workspace: Workspace, source: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> int:
    """A webhook: 202 once it is durable, 401 or 404 with nothing stored, 503 when it cannot be."""
    if source not in workspace.sources:
        return 404
    records = verified(workspace, source, headers, body, now)
    if records is None:
        return 401
    try:
        workspace.store.write(lambda c: arrivals.keep(c, records))
    except StoreDown:
        return 503
    faultpoints.reach("intake.stored")
    return 202


def verified(
    workspace: Workspace, source: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> list[Record] | None:
    """The records in a webhook; None where its signature is wrong.

    Garbage with a valid signature is kept as one record, so that it can be seen and replayed.
    """
    adapter = workspace.sources[source]
    note = Note(door="webhook", body=body, headers={k.lower(): v for k, v in headers.items()})
    if not adapter.verify(note, now):
        return None
    try:
        bodies = adapter.split(note)
    except (Unreadable, RecursionError):
        bodies = (body,)
    return [Record(source, "webhook", each, now) for each in bodies]


class Polled(NamedTuple):
    """`error` is set where the source could not be read to its end; it is tried again by itself."""

    new: int = 0
    repeated: int = 0
    pages: int = 0
    error: str = ""


def poll(
    workspace: Workspace,
    source: str,
    adapter: Source,
    now: datetime,
    stopping: Callable[[], bool] = lambda: False,
) -> Polled:
    """Read everything new from a source; cursor and records move in one transaction per page.

    `stopping` is asked after each page: the next poll goes on from there.
    """
    if not isinstance(adapter, Pollable):
        return Polled(error=f"{source} has no API to poll; its answers come by webhook or file")
    store = workspace.store
    if not store.write(lambda c: arrivals.lease_source(c, source, now, POLL_LEASE)):
        return Polled(error=f"{source} is being read by another process")
    with store.read() as connection:
        cursor = arrivals.source_row(connection, source).cursor
    new = repeated = pages = 0
    began = monotonic()
    try:
        for page in adapter.pull(cursor, now):
            at = now + timedelta(seconds=monotonic() - began)  # years of answers take a while
            take = functools.partial(_take_page, source=source, page=page, now=at)
            stored = store.write(take)
            new, repeated, pages = new + stored.new, repeated + stored.repeated, pages + 1
            if page.more and stopping():
                store.write(lambda c: arrivals.update_source(c, source, lease_until=None))
                return Polled(new, repeated, pages)
    except ConnectorError as error:
        fail = functools.partial(_poll_failed, source=source, error=error, now=now)
        store.write(fail)
        return Polled(new, repeated, pages, str(error))
    store.write(lambda c: _poll_ended(c, source, now))
    return Polled(new, repeated, pages)


def _take_page(connection: Connection, source: str, page: Pulled, now: datetime) -> Stored:
    stored = arrivals.store_records(connection, source, "poll", page.records, now)
    arrivals.update_source(connection, source, cursor=page.cursor, lease_until=now + POLL_LEASE)
    return stored


def _poll_ended(connection: Connection, source: str, now: datetime) -> None:
    values = {"polled_at": now, "lease_until": None, "paused_until": None, "pause_reason": None}
    arrivals.update_source(connection, source, **values)
    alarms.clear_alarm(connection, "source-paused", source, now)


def _poll_failed(connection: Connection, source: str, error: ConnectorError, now: datetime) -> None:
    wait = _PROBE_AFTER
    if isinstance(error, TryLater) and error.retry_after_seconds is not None:
        wait = timedelta(seconds=error.retry_after_seconds)
    until = error.until if isinstance(error, Paused) and error.until else now + wait
    arrivals.update_source(
        connection, source, paused_until=until, pause_reason=str(error), lease_until=None
    )
    row = arrivals.source_row(connection, source)
    if not isinstance(error, TryLater) or now - (row.polled_at or row.added_at) > _STUCK_AFTER:
        alarms.raise_alarm(connection, "source-paused", source, str(error), now)
