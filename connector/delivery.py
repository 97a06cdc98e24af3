"""Delivering: claim a batch of one sink's due actions, freeze, send, record.

What makes it one effect: the request bytes and `sending` are committed before the call; an unheard
outcome is settled by the vendor's key, then by a consistent look-up, and never by hope; a receipt
is kept even from a worker that has lost its lease.
"""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from connector import retry
from connector.domain import Order, Prepared, Receipt
from connector.errors import ConnectorError, Paused, Refused, TryLater
from connector.ports import Sink
from connector.store import alarms, answers, outbox
from connector.text import clean_email, hashed, one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store import Store

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
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
    claimed = store.write(lambda c: outbox.claim(c, sink_id, limit, now, LEASE))
    if not claimed:
        return done
    fresh = [row for row in claimed if row.request is None]
    unheard = [row for row in claimed if row.request is not None]
    round_ = _Round(store, sink, clock, done)
    round_.send([*round_.recover(unheard), *round_.prepare(fresh)])
    return done


class _Round:
    """One batch on its way. Every step commits before the next begins."""

    def __init__(self, store: Store, sink: Sink, clock: Clock, done: Delivered) -> None:
        self.store = store
        self.sink = sink
        self.clock = clock
        self.done = done

    def prepare(self, rows: Sequence[Any]) -> list[tuple[Any, bytes]]:
        """Build the request bytes of rows that were never sent."""
        if not rows:
            return []
        orders = [order_of(row) for row in rows]
        built = _each(rows, lambda: self.sink.prepare(orders, self.clock()))
        ready: list[tuple[Any, bytes]] = []
        failed: list[tuple[Any, Outcome]] = []
        for row, result in zip(rows, built, strict=True):
            if isinstance(result, bytes):
                ready.append((row, result))
            else:
                failed.append((row, result))
        self._record(failed)
        return ready

    def recover(self, rows: Sequence[Any]) -> list[tuple[Any, bytes]]:
        """Decide about rows that were sent and never heard of; returns those to send again."""
        now = self.clock()
        again: list[tuple[Any, bytes]] = []
        look: list[Any] = []
        doubtful: list[tuple[Any, Outcome]] = []
        for row in rows:
            way = retry.recovery(self.sink.capabilities, row.first_sent_at, now)
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
        self.store.write(lambda c: outbox.start_attempts(c, rows, "find", self.clock()))
        batch = [Prepared(order=order_of(row), body=row.request) for row in rows]
        found = _each(rows, lambda: self.sink.find(batch, self.clock()))
        missing: list[Any] = []
        known: list[tuple[Any, Outcome]] = []
        now = self.clock()
        for row, result in zip(rows, found, strict=True):
            if result is not None:
                known.append((row, result))
            elif now - row.last_sent_at < self.sink.capabilities.look_again_after:
                wait = row.last_sent_at + self.sink.capabilities.look_again_after - now
                slow = "not found yet; a slow far side may still make it"
                known.append((row, TryLater(slow, wait.total_seconds())))
            else:
                missing.append(row)
        self._record(known)
        return [(row, row.request) for row in missing]

    def send(self, ready: Sequence[tuple[Any, bytes]]) -> None:
        """Commit `sending`, call, record."""
        if not ready:
            return
        now = self.clock()
        mine = self.store.write(lambda c: self._start(c, ready, now))
        batch = [(row, body) for row, body in ready if row.id in mine]
        if not batch:
            return
        prepared = [Prepared(order=order_of(row), body=body) for row, body in batch]
        rows = [row for row, _ in batch]
        results = _each(rows, lambda: self.sink.send(prepared, self.clock()))
        self._record(list(zip(rows, results, strict=True)))

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
                _finish(connection, row, "withheld", now, error=unwanted)
                self.done.count("withheld")
                mine.discard(row.id)
                continue
            # A send after a look-up that found nothing begins a new life of the vendor's key.
            values = {"state": "sending", "request": body, "last_sent_at": now}
            values |= {"first_sent_at": now, "attempts": row.attempts + 1}
            values |= {"lease_until": now + LEASE}
            if row.first_sent_at is not None and self._key_lives(row, now):
                values["first_sent_at"] = row.first_sent_at
            outbox.change_action(connection, row.id, **values)
            started.append(row)
        outbox.start_attempts(connection, started, "send", now)
        return mine

    def _key_lives(self, row: Any, now: datetime) -> bool:
        return bool(now - row.first_sent_at < self.sink.capabilities.key_lifetime)

    def _record(self, results: Sequence[tuple[Any, Any]]) -> None:
        if not results:
            return
        now = self.clock()

        def work(connection: Connection) -> None:
            for row, result in results:
                self._record_one(connection, row, result, now)

        self.store.write(work)

    def _record_one(self, connection: Connection, row: Any, result: Any, now: datetime) -> None:
        if isinstance(result, Receipt):
            _succeed(connection, row, result, now)
            self.done.count("done")
            return
        if not outbox.still_mine(connection, [row]):
            return  # somebody else has it now; only a receipt is worth keeping
        error = result if isinstance(result, Exception) else None
        if error is None:
            _park(connection, row, "in_doubt", "sent, but no answer came; it may have arrived", now)
            self.done.count("in_doubt")
            return
        self._record_failure(connection, row, error, now)

    def _record_failure(
        self, connection: Connection, row: Any, error: Exception, now: datetime
    ) -> None:
        message = one_line(str(error), 500)
        jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
        tries = row.attempts + 1
        step = retry.after_failure(
            error, tries, row.created_at, self.sink.capabilities, now, jitter
        )
        outbox.end_attempt(connection, row.id, type(error).__name__, message, now)
        if isinstance(step, retry.Park):
            _park(connection, row, step.state, message, now)
            if isinstance(error, Refused) and error.address_dead:
                _suppress(connection, row, now)
            self.done.count(step.state)
            return
        values: dict[str, Any] = {"due_at": step.at, "lease_until": None, "error": message}
        if isinstance(error, TryLater | Paused) and row.request is None:
            # Nothing happened at the far side: the newest revision may still replace it.
            values |= {"state": "waiting", "request": None, "first_sent_at": None}
        outbox.change_action(connection, row.id, **values)
        if step.everyone:
            outbox.pause_account(connection, row.account, step.at, message)
        if isinstance(error, Paused):
            alarms.raise_alarm(connection, "sink-paused", row.account, message, now)
        self.done.count("wait")


def _each(rows: Sequence[Any], call: Callable[[], Sequence[T]]) -> Sequence[T | ConnectorError]:
    """The results per row; an error of the whole call is the result of each."""
    try:
        results = call()
    except ConnectorError as error:
        return [error] * len(rows)
    except Exception as error:
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
    address = clean_email(str(row.order["facts"]["customer"].get("email") or ""))
    if address and outbox.is_suppressed(connection, hashed("address", address)):
        return "the address is on the suppression list"
    if row.customer_id and answers.open_cases(connection, row.customer_id):
        return "the customer has an open case; a person talks to them first"
    return ""


def _succeed(connection: Connection, row: Any, receipt: Receipt, now: datetime) -> None:
    outbox.end_attempt(connection, row.id, "done", None, now)
    receipt_values = {"remote_id": receipt.remote_id, "url": receipt.url}
    _finish(connection, row, "done", now, remark=receipt.remark or None, **receipt_values)
    if receipt.needs_attention:
        alarms.raise_alarm(connection, "remark", f"action {row.id}", receipt.remark, now)
    if outbox.resume_account(connection, row.account):
        alarms.clear_alarm(connection, "sink-paused", row.account, now)


def _park(connection: Connection, row: Any, state: str, message: str, now: datetime) -> None:
    _finish(connection, row, state, now, error=message)
    outbox.drop_amendments(connection, row.id, now)
    what = f"{row.kind} for response {row.response_id}: {message}"
    alarms.raise_alarm(connection, state, f"action {row.id}", what, now)


def _finish(connection: Connection, row: Any, state: str, now: datetime, **values: object) -> None:
    values = {"error": None, **values}
    outbox.change_action(
        connection, row.id, state=state, finished_at=now, lease_until=None, **values
    )


def _suppress(connection: Connection, row: Any, now: datetime) -> None:
    address = clean_email(str(row.order["facts"]["customer"].get("email") or ""))
    if address:
        outbox.suppress(connection, hashed("address", address), "bounced", now)
