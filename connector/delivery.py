"""Delivering: claim a batch of one sink's due actions, freeze, send, record.

What makes it one effect: the request bytes and `sending` are committed before the call; an unheard
outcome is settled by the vendor's key, then by a consistent look-up, and never by hope; a receipt
is kept even from a worker that has lost its lease.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from connector import faultpoints, outcomes, retry
from connector.domain import Order, Prepared, Receipt
from connector.errors import ConnectorError, TryLater
from connector.ports import Sink
from connector.store import answers, outbox, recovering
from connector.store.database import StoreDown

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store import Store
    from connector.store.recovering import Recovery

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=faultpoints.seconds("lease", 300))
_INSIST_SECONDS = (0.5, 1, 2, 4, 8, 15)
Clock = Callable[[], datetime]
Outcome = Receipt | ConnectorError | None
T = TypeVar("T")


@dataclass
class Delivered:
    """What one round did, by outcome (done, wait, parked, in_doubt, withheld)."""

    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def actions(self) -> int:
        return sum(self.outcomes.values())

    def count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


def deliver_batch(store: Store, sink_id: str, sink: Sink, clock: Clock) -> Delivered:
    """Work on one claimed batch of this sink; empty when nothing is due.

    Raises:
        StoreDown: when the database is down; leases run out and everything is tried again.
    """
    done = Delivered()
    now = clock()
    limit = sink.capabilities.batch

    def claim(connection: Connection) -> tuple[Sequence[Any], Recovery | None]:
        rows = outbox.claim(connection, sink_id, limit, now, LEASE)
        return rows, recovering.current(connection) if rows else None

    claimed, restored = store.write(claim)
    if not claimed:
        return done
    faultpoints.reach("claimed", sink_id)
    round_ = _Round(store, sink, clock, done, restored)
    readable = round_.readable(claimed)
    lost = [row for row in readable if round_.is_lost(row)]
    fresh = [row for row in readable if row.request is None and not round_.is_lost(row)]
    unheard = [row for row in readable if row.request is not None]
    unheard += round_.as_if_sent(round_.prepare(lost))
    round_.send([*round_.recover(unheard), *round_.prepare(fresh)])
    return done


class _Round:
    """One batch on its way. Every step commits before the next begins."""

    def __init__(
        self, store: Store, sink: Sink, clock: Clock, done: Delivered, restored: Recovery | None
    ) -> None:
        self.store = store
        self.sink = sink
        self.can = faultpoints.hurried(sink.capabilities)
        self.clock = clock
        self.done = done
        self.restored = restored

    def readable(self, rows: Sequence[Any]) -> list[Any]:
        """Those whose order this version understands; the others must not stop them."""
        good: list[Any] = []
        bad: list[tuple[Any, Outcome]] = []
        for row in rows:
            try:
                order_of(row)
            except ValidationError:
                bad.append((row, ConnectorError("the order was stored by a version too different")))
            else:
                good.append(row)
        self._record(bad)
        return good

    def prepare(self, rows: Sequence[Any]) -> list[tuple[Any, bytes]]:
        """Build the request bytes of rows that were never sent."""
        if not rows:
            return []
        built = _each(
            rows, lambda some: self.sink.prepare([order_of(r) for r in some], self.clock()), True
        )
        ready: list[tuple[Any, bytes]] = []
        failed: list[tuple[Any, Outcome]] = []
        for row, result in zip(rows, built, strict=True):
            if isinstance(result, bytes):
                ready.append((row, result))
            else:
                failed.append((row, result))
        self._record(failed)
        return ready

    def is_lost(self, row: Any) -> bool:
        """Not sent as far as this copy of the database knows, but perhaps in the time that a
        restore has cut off. Where nobody can look, such rows were held (see `recovering.hold`)."""
        if self.restored is None or row.request is not None or row.response_id is None:
            return False
        return self.can.can_find and self.restored.covers(recovering.answered_at(row.order))

    def as_if_sent(self, ready: Sequence[tuple[Any, bytes]]) -> list[Any]:
        """Rows as if they had been sent when the lost time ended, and never heard of: looked for
        before anything is sent, and amended, not replaced, by a newer revision."""
        if not ready or self.restored is None:
            return []
        until = self.restored.until
        sent = {"state": "sending", "first_sent_at": until, "last_sent_at": until}

        def work(connection: Connection) -> set[int]:
            mine = outbox.still_mine(connection, [row for row, _ in ready])
            for row, body in ready:
                if row.id in mine:
                    outbox.change_action(connection, row.id, request=body, **sent)
            return mine

        mine = self.store.write(work)
        return [
            SimpleNamespace(**{**row._mapping, **sent, "request": body})
            for row, body in ready
            if row.id in mine
        ]

    def recover(self, rows: Sequence[Any]) -> list[tuple[Any, bytes]]:
        """Decide about rows that were sent and never heard of; returns those to send again."""
        now = self.clock()
        restored_at = self.restored.until if self.restored is not None else None
        again: list[tuple[Any, bytes]] = []
        look: list[Any] = []
        doubtful: list[tuple[Any, Outcome]] = []
        for row in rows:
            way = retry.recovery(self.can, row.first_sent_at, now, restored_at)
            if way == "send":
                again.append((row, row.request))
            elif way == "find":
                look.append(row)
            else:
                doubtful.append((row, None))
        self._record(doubtful)
        return again + self._find(look)

    def _find(self, rows: Sequence[Any]) -> list[tuple[Any, bytes]]:
        if not rows:
            return []
        if faultpoints.broken("lookup"):
            return [(row, row.request) for row in rows]
        self.store.write(lambda c: outbox.start_attempts(c, rows, "find", self.clock()))
        found = _each(rows, lambda some: self.sink.find(_prepared(some), self.clock()), True)
        missing: list[Any] = []
        known: list[tuple[Any, Outcome]] = []
        now = self.clock()
        for row, result in zip(rows, found, strict=True):
            if result is not None:
                known.append((row, result))
            elif (wait := self._last_send(row) + self.can.look_again_after - now) > timedelta(0):
                slow = "not found yet; a slow far side may still make it"
                known.append((row, TryLater(slow, wait.total_seconds())))
            else:
                missing.append(row)
        self._record(known, looking=True)
        return [(row, row.request) for row in missing]

    def _last_send(self, row: Any) -> datetime:
        """When it may have been sent last, also in a time that this copy does not know."""
        sent: datetime = row.last_sent_at
        if self.restored is None or row.first_sent_at > self.restored.until:
            return sent
        return max(sent, self.restored.until)

    def send(self, ready: Sequence[tuple[Any, bytes]]) -> None:
        """Commit `sending`, call, record."""
        if not ready:
            return
        faultpoints.reach("prepared", ready[0][0].sink)
        now = self.clock()
        mine = self.store.write(lambda c: self._start(c, ready, now))
        batch = [(row, body) for row, body in ready if row.id in mine]
        if not batch:
            return
        prepared = [Prepared(order=order_of(row), body=body) for row, body in batch]
        rows = [row for row, _ in batch]
        faultpoints.reach("sending", rows[0].sink)
        results = _each(rows, lambda _: self.sink.send(prepared, self.clock()))
        faultpoints.reach("sent", rows[0].sink)
        self._record(list(zip(rows, results, strict=True)))
        faultpoints.reach("recorded", rows[0].sink)

    def _start(
        self, connection: Connection, ready: Sequence[tuple[Any, bytes]], now: datetime
    ) -> set[int]:
        """Mark as sending what is still ours and still wanted; all in one commit."""
        mine = outbox.still_mine(connection, [row for row, _ in ready])
        started = []
        for row, body in ready:
            if row.id not in mine:
                continue
            unwanted = _unwanted(connection, row)
            if unwanted:
                outcomes.finish(connection, row, "withheld", now, error=unwanted)
                self.done.count("withheld")
                mine.discard(row.id)
                continue
            # A send after a look-up that found nothing begins a new life of the vendor's key.
            values = {"state": "sending", "request": body, "last_sent_at": now}
            values |= {"first_sent_at": now, "attempts": row.attempts + 1}
            values |= {"lease_until": now + LEASE}
            if row.first_sent_at is not None and self._key_lives(row, now):
                values["first_sent_at"] = row.first_sent_at
            if not faultpoints.broken("sending"):
                outbox.change_action(connection, row.id, **values)
            started.append(row)
        outbox.start_attempts(connection, started, "send", now)
        return mine

    def _key_lives(self, row: Any, now: datetime) -> bool:
        return bool(now - row.first_sent_at < self.can.key_lifetime)

    def _record(self, results: Sequence[tuple[Any, Any]], looking: bool = False) -> None:
        """What came of each; `looking` was only a look-up, so an earlier send stays unheard."""
        if not results:
            return
        now = self.clock()

        def work(connection: Connection) -> list[str]:
            return [outcomes.record(connection, *each, self.can, looking, now) for each in results]

        for (row, result), outcome in zip(results, self._insist(work), strict=True):
            if outcome:
                self.done.count(outcome)
                _tell(row, result, outcome)

    def _insist(self, work: Callable[[Connection], list[str]]) -> list[str]:
        """What the far side has done is not forgotten because the database is down for a moment."""
        for seconds in _INSIST_SECONDS:
            try:
                return self.store.write(work)
            except StoreDown:
                time.sleep(seconds)
        return self.store.write(work)


def _tell(row: Any, result: Any, outcome: str) -> None:
    """One line for each outcome; a vendor's own words stay in the database, they may quote."""
    made = {"remote_id": result.remote_id} if isinstance(result, Receipt) else {}
    level = logging.INFO if outcome == "done" else logging.WARNING
    fields = {"action": row.id, "response": row.response_id, "sink": row.sink, **made}
    log.log(level, "%s %s", row.kind, outcome, extra={**fields, "outcome": outcome})


def _prepared(rows: Sequence[Any]) -> list[Prepared]:
    return [Prepared(order=order_of(row), body=row.request) for row in rows]


def _each(
    rows: Sequence[Any], call: Callable[[Sequence[Any]], Sequence[T]], harmless: bool = False
) -> Sequence[T | ConnectorError]:
    """The results per row; an error of the whole call is the result of each. A `harmless` call
    that no one foresaw to fail is made again for each alone, so that one row costs only itself."""
    try:
        results = call(rows)
    except ConnectorError as error:
        return [error] * len(rows)
    except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the other sinks
        if harmless and len(rows) > 1:
            return [result for row in rows for result in _each([row], call, harmless)]
        kind = type(error).__name__
        where = "".join(traceback.format_tb(error.__traceback__))  # its text may hold an answer
        log.error("the sink of %s failed: %s\n%s", rows[0].kind, kind, where)
        return [ConnectorError(f"internal error ({kind}); please report it")] * len(rows)
    if len(results) != len(rows):
        return [ConnectorError("the sink lost count of its batch")] * len(rows)
    return results


def order_of(row: Any) -> Order:
    """The order as decided; for an amendment with the remote id of its case."""
    order = Order.model_validate(row.order)
    if row.amends is None:
        return order
    return order.model_copy(update={"amends": row.base_remote_id})


def _unwanted(connection: Connection, row: Any) -> str:
    """Why a message to the customer is not sent after all; looked at in the sending commit."""
    if not row.to_customer:
        return ""
    digest = outcomes.address_hash(row)
    if digest is not None and outbox.is_suppressed(connection, digest):
        return "the address is on the suppression list"
    if row.customer_id and answers.open_cases(connection, row.customer_id):
        return "the customer has an open case; a person talks to them first"
    return ""
