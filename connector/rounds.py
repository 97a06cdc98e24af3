"""One round of delivery: what was claimed is frozen, sent, and recorded.

What makes it one effect: the request bytes and `sending` are committed before the call; what was
never heard of is not sent on hope (`connector.unheard`); a receipt is kept even from a worker that
has lost its lease.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from connector import faultpoints, outcomes
from connector.calling import Calls, Clock
from connector.domain import Order, Receipt
from connector.errors import ConnectorError
from connector.keeper import LEASE
from connector.outcomes import Claimed, Tried
from connector.ports import Sink
from connector.store import histories, outbox, sending, suppressions
from connector.store.database import StoreDown
from connector.unheard import Unheard

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store import Store
    from connector.store.recovering import Recovery

log = logging.getLogger(__name__)

_INSIST_SECONDS = (0.5, 1, 2, 4, 8, 15)
Settle = Callable[[datetime], Callable[["Connection"], None]]


@dataclass
class Delivered:
    """What one round did, by outcome (done, wait, parked, in_doubt, withheld).

    `again_at`: it did nothing because the account may make no call before then.
    """

    outcomes: dict[str, int] = field(default_factory=dict)
    again_at: datetime | None = None

    @property
    def actions(self) -> int:
        return sum(self.outcomes.values())

    def count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1


class Round:
    """What was claimed on its way. Every step commits before the next begins."""

    def __init__(
        self,
        store: Store,
        sink: Sink,
        clock: Clock,
        done: Delivered,
        settle: Settle,
        restored: Recovery | None = None,
    ) -> None:
        """`settle(now)` gives what is written beside each record; `restored` is the time that a
        restored backup does not know."""
        self.calls = Calls(sink, clock)
        self._store = store
        self._clock = clock
        self._done = done
        self._settle = settle
        self._unheard = Unheard(store, self.calls, self._record, restored)

    def deliver(self, rows: Sequence[Any], cases: Mapping[int, str | None]) -> None:
        claimed = self._readable(rows, cases)
        unheard = [one for one in claimed if one.row.request is not None]
        unsent = [one for one in claimed if one.row.request is None]
        lost = [one for one in unsent if self._unheard.is_lost(one)]
        fresh = [one for one in unsent if not self._unheard.is_lost(one)]
        if unheard:
            self._store.write(lambda c: sending.add_unheard(c, [one.row for one in unheard]))
        unheard += self._unheard.as_if_sent(self._prepare(lost))
        self._send([*self._unheard.recover(unheard), *self._prepare(fresh)])

    def _readable(self, rows: Sequence[Any], cases: Mapping[int, str | None]) -> list[Claimed]:
        """Those whose order this version understands; the others must not stop them."""
        good: list[Claimed] = []
        bad: list[Tried] = []
        for row in rows:
            try:
                good.append(Claimed(row, _order_of(row, cases)))
            except ValidationError:
                error = ConnectorError("the order was stored by a version too different")
                bad.append(Tried(Claimed(row, None), error))
        self._record(bad)
        return good

    def _prepare(self, fresh: Sequence[Claimed]) -> list[Claimed]:
        """Build the request bytes of what was never sent; returns those that can go out."""
        ready: list[Claimed] = []
        failed: list[Tried] = []
        for some, _ in self.calls.in_time(fresh):
            for one, result in zip(some, self.calls.prepare(some), strict=True):
                if isinstance(result, bytes):
                    one.body = result
                    ready.append(one)
                else:
                    failed.append(Tried(one, result))
        self._record(failed)
        return ready

    def _send(self, ready: Sequence[Claimed]) -> None:
        """Commit `sending`, call, record."""
        ready = self.calls.unless_stopped(ready)
        tried: list[Tried] = []
        if ready:
            faultpoints.reach("prepared", ready[0].row.sink)
            now = self._clock()
            # Whether a message is wanted, now, is asked in the same transaction.
            asks = any(one.row.to_customer or _windows(one) for one in ready)
            write = self._store.write if asks else self._store.write_one
            mine = write(lambda c: self._start(c, ready, now))
            marked = [one for one in ready if one.row.id in mine]
            if marked:
                faultpoints.reach("sending", marked[0].row.sink)
            for some, began in self.calls.in_time(marked, since=now):
                results = zip(some, self.calls.send(some), strict=True)
                tried += [Tried(one, result, "send", began) for one, result in results]
            if tried:
                faultpoints.reach("sent", tried[0].claimed.row.sink)
        unsure = [one for one in tried if self._unheard.tells_little(one)]
        self._record([one for one in tried if one not in unsure] if unsure else tried)
        if tried:
            faultpoints.reach("recorded", tried[0].claimed.row.sink)
        if unsure:
            self._unheard.look_behind(unsure)

    def _start(self, connection: Connection, ready: Sequence[Claimed], now: datetime) -> set[int]:
        """Mark as sending what is still ours and still wanted; all in one commit."""
        starts: list[sending.Start] = []
        for one in ready:
            unwanted = _unwanted(connection, one)
            if unwanted and one.row.id in sending.still_mine(connection, [one.row]):
                outcomes.finish(connection, one.row, "withheld", now, error=unwanted)
                self._done.count("withheld")
            elif not unwanted and (at := _not_before(one, now)) is not None:
                if one.row.id in sending.still_mine(connection, [one.row]):
                    outbox.change_action(connection, one.row.id, due_at=at, lease_until=None)
                    self._done.count("wait")
            elif not unwanted:
                first = one.row.first_sent_at
                # A send after a look-up that found nothing begins a new life of the vendor's key.
                if first is None or now - first >= self.calls.can.key_lifetime:
                    first = now
                starts.append(sending.Start(one.row, one.body, first))
        return sending.start(connection, starts, now, LEASE) if starts else set()

    def _record(self, tried: Sequence[Tried]) -> None:
        """What came of each; what is left goes back as if it had never been in hand."""
        left = [one.row for one in self.calls.take_left()]
        if not (tried or left):
            return
        now = self._clock()
        settle = self._settle(now)

        def work(connection: Connection) -> list[str]:
            sending.give_back(connection, left)
            told = outcomes.record(connection, tried, self.calls.can, now)
            settle(connection)  # last: everybody locks an action before its account
            return told

        for one, outcome in zip(tried, self._insist(work), strict=True):
            if outcome:
                self._done.count(outcome)
                _tell(one, outcome)

    def _insist(self, work: Callable[[Connection], list[str]]) -> list[str]:
        """What the far side has done is not forgotten because the database is down for a moment."""
        for seconds in _INSIST_SECONDS:
            try:
                return self._store.write(work)
            except StoreDown:
                time.sleep(seconds)
        return self._store.write(work)


def _tell(tried: Tried, outcome: str) -> None:
    """One line for each outcome; a vendor's own words stay in the database, they may quote."""
    level = logging.INFO if outcome == "done" else logging.WARNING
    if not log.isEnabledFor(level):
        return
    row, result = tried.claimed.row, tried.result
    made = {"remote_id": result.remote_id} if isinstance(result, Receipt) else {}
    fields = {"action": row.id, "response": row.response_id, "sink": row.sink, **made}
    log.log(level, "%s %s", row.kind, outcome, extra={**fields, "outcome": outcome})


def _order_of(row: Any, cases: Mapping[int, str | None]) -> Order:
    """The order as decided; for an amendment with the remote id of its case."""
    order = Order.model_validate_json(row.order)
    if row.amends is None:
        return order
    return order.model_copy(update={"amends": cases[row.amends]})


def _windows(claimed: Claimed) -> bool:
    return claimed.order is not None and bool(claimed.order.windows)


def _not_before(claimed: Claimed, now: datetime) -> datetime | None:
    """When a message may go out that is late (an outage, a retry) and would reach people outside
    its hours."""
    if claimed.order is None or claimed.row.request is not None:
        return None
    return claimed.order.not_before(now)


def _unwanted(connection: Connection, claimed: Claimed) -> str:
    """Why a message to the customer is not sent after all; looked at in the sending commit."""
    row, order = claimed.row, claimed.order
    if not row.to_customer or order is None:
        return ""
    digest = outcomes.address_hash(order)
    if digest is not None and (why := suppressions.why_suppressed(connection, digest)):
        return f"the address is on the suppression list ({why})"
    if row.customer_id and histories.open_cases(connection, row.customer_id):
        return "the customer has an open case; a person talks to them first"
    return ""
