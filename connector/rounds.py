"""One round of delivery: what was claimed is frozen, sent, and recorded.

What makes it one effect: the request bytes and `sending` are committed before the call; an unheard
outcome is settled by the vendor's key, then by a consistent look-up, and never by hope; a receipt
is kept even from a worker that has lost its lease.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from connector import faultpoints, outcomes, retry
from connector.domain import Order, Prepared, Receipt
from connector.errors import ConnectorError, Paused, Refused, TryLater
from connector.keeper import LEASE
from connector.outcomes import Claimed, Tried
from connector.ports import Sink
from connector.store import answers, outbox, sending
from connector.store.database import StoreDown

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store import Store
    from connector.store.recovering import Recovery

log = logging.getLogger(__name__)

# A call begins within this after its `sending` was committed, or not at all: a process that slept
# meanwhile would send what others may have found missing, and a look-up waits so much longer.
LATE = timedelta(seconds=faultpoints.seconds("late", 10))
_INSIST_SECONDS = (0.5, 1, 2, 4, 8, 15)
Clock = Callable[[], datetime]
Settle = Callable[[datetime], Callable[["Connection"], None]]
T = TypeVar("T")


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
        self.store = store
        self.settle = settle
        self.restored = restored
        self.sink = sink
        self.can = faultpoints.hurried(sink.capabilities)
        self.clock = clock
        self.done = done
        self.stopped = False  # the account waits: nobody calls it
        self.calling = 0.0  # seconds spent in the sink
        self.left: list[Claimed] = []  # what will not be called in this round

    def deliver(self, rows: Sequence[Any], cases: Mapping[int, str | None]) -> None:
        claimed = self.readable(rows, cases)
        unheard = [one for one in claimed if one.row.request is not None]
        lost = [one for one in claimed if self._is_lost(one)]
        fresh = [one for one in claimed if one.row.request is None and not self._is_lost(one)]
        if unheard:
            self.store.write(lambda c: sending.add_unheard(c, [one.row for one in unheard]))
        unheard += self._as_if_sent(self.prepare(lost))
        self.send([*self.recover(unheard), *self.prepare(fresh)])

    def readable(self, rows: Sequence[Any], cases: Mapping[int, str | None]) -> list[Claimed]:
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

    def prepare(self, fresh: Sequence[Claimed]) -> list[Claimed]:
        """Build the request bytes of what was never sent; returns those that can go out."""
        ready: list[Claimed] = []
        failed: list[Tried] = []
        for some, _ in self._calls(fresh):
            built = self._ask(some, lambda x: self.sink.prepare(_orders(x), self.clock()), True)
            for one, result in zip(some, built, strict=True):
                if isinstance(result, bytes):
                    one.body = result
                    ready.append(one)
                else:
                    failed.append(Tried(one, result))
        self._record(failed)
        return ready

    def _is_lost(self, one: Claimed) -> bool:
        """Not sent as far as this copy of the database knows, but perhaps in the time that a
        restore has cut off. Where nobody can look, such actions were held."""
        if self.restored is None or one.row.request is not None or one.row.response_id is None:
            return False
        if not self.can.can_find or one.order is None:
            return False
        return self.restored.covers(one.order.facts.answered_at)

    def _as_if_sent(self, ready: Sequence[Claimed]) -> list[Claimed]:
        """As if they had been sent when the lost time ended, and never heard of: looked for before
        anything is sent, and amended, not replaced, by a newer revision."""
        if not ready or self.restored is None:
            return []
        until = self.restored.until
        sent = {"state": "sending", "first_sent_at": until, "last_sent_at": until}

        def work(connection: Connection) -> set[int]:
            mine = sending.still_mine(connection, [one.row for one in ready])
            for one in ready:
                if one.row.id in mine:
                    outbox.change_action(connection, one.row.id, request=one.body, **sent)
            return mine

        mine = self.store.write(work)
        for one in ready:
            one.row = SimpleNamespace(**{**one.row._mapping, **sent, "request": one.body})
        return [one for one in ready if one.row.id in mine]

    def recover(self, unheard: Sequence[Claimed]) -> list[Claimed]:
        """Decide about what was sent and never heard of; returns what is to be sent again."""
        now = self.clock()
        restored_at = self.restored.until if self.restored is not None else None
        again: list[Claimed] = []
        look: list[Claimed] = []
        doubtful: list[Tried] = []
        for one in unheard:
            one.body = one.row.request
            way = retry.recovery(self.can, one.row.first_sent_at, now, restored_at)
            if way == "send":
                again.append(one)
            elif way == "find":
                look.append(one)
            else:
                doubtful.append(Tried(one, None))
        self._record(doubtful)
        return again + self._find(look)

    def _find(self, look: Sequence[Claimed]) -> list[Claimed]:
        if faultpoints.broken("lookup"):
            return list(look)
        missing: list[Tried] = []
        known: list[Tried] = []
        for some, now in self._calls(look):
            found = self._ask(some, lambda x: self.sink.find(_prepared(x), self.clock()), True)
            for one, result in zip(some, found, strict=True):
                # The last call may have begun so much later than it was marked.
                sure_at = self._last_send(one.row) + self.can.look_again_after + LATE
                if result is None and now >= sure_at:
                    one.absent = True
                    missing.append(Tried(one, None, "find", now))
                    continue
                slow = "not found yet; a slow far side may still make it"
                outcome = result or TryLater(slow, (sure_at - now).total_seconds())
                known.append(Tried(one, outcome, "find", now))
        self._record(known)
        if missing:
            self.store.write(lambda c: outcomes.keep_attempts(c, missing, self.clock()))
        return [one.claimed for one in missing]

    def _last_send(self, row: Any) -> datetime:
        """When it may have been sent last, also in a time that this copy does not know."""
        sent: datetime = row.last_sent_at
        if self.restored is None or row.first_sent_at > self.restored.until:
            return sent
        return max(sent, self.restored.until)

    def send(self, ready: Sequence[Claimed]) -> None:
        """Commit `sending`, call, record."""
        ready = self._unless_stopped(ready)
        tried: list[Tried] = []
        if ready:
            faultpoints.reach("prepared", ready[0].row.sink)
            now = self.clock()
            # Whether a message is still wanted is asked in the same transaction.
            write = self.store.write if ready[0].row.to_customer else self.store.write_one
            mine = write(lambda c: self._start(c, ready, now))
            marked = [one for one in ready if one.row.id in mine]
            if marked:
                faultpoints.reach("sending", marked[0].row.sink)
            for some, began in self._calls(marked, since=now):
                results = self._ask(some, lambda x: self.sink.send(_prepared(x), self.clock()))
                tried += [Tried(*each, "send", began) for each in zip(some, results, strict=True)]
            if tried:
                faultpoints.reach("sent", tried[0].claimed.row.sink)
        unsure = [one for one in tried if self._tells_little(one)]
        self._record([one for one in tried if one not in unsure] if unsure else tried)
        if tried:
            faultpoints.reach("recorded", tried[0].claimed.row.sink)
        if unsure:
            self._look_behind(unsure)

    def _tells_little(self, tried: Tried) -> bool:
        """A refusal of what was sent before and never heard of: that first send may have worked."""
        one = tried.claimed
        unheard = one.row.request is not None and not one.absent
        return isinstance(tried.result, Refused) and unheard and self.can.can_find

    def _look_behind(self, refused: Sequence[Tried]) -> None:
        """Only what is not there was refused; only that may be built anew."""
        self.left += [one.claimed for one in refused]  # as if it had not been sent this time
        self._find([one.claimed for one in refused])
        there = [one for one in refused if not one.claimed.absent]
        if there:
            self.store.write(lambda c: outcomes.keep_attempts(c, there, self.clock()))
        self._record([one for one in refused if one.claimed.absent])

    def _start(self, connection: Connection, ready: Sequence[Claimed], now: datetime) -> set[int]:
        """Mark as sending what is still ours and still wanted; all in one commit."""
        starts: list[sending.Start] = []
        for one in ready:
            unwanted = _unwanted(connection, one)
            if unwanted and one.row.id in sending.still_mine(connection, [one.row]):
                outcomes.finish(connection, one.row, "withheld", now, error=unwanted)
                self.done.count("withheld")
            elif not unwanted:
                first = one.row.first_sent_at
                # A send after a look-up that found nothing begins a new life of the vendor's key.
                if first is None or now - first >= self.can.key_lifetime:
                    first = now
                starts.append(sending.Start(one.row, one.body, first))
        return sending.start(connection, starts, now, LEASE) if starts else set()

    def _calls(
        self, claimed: Sequence[Claimed], since: datetime | None = None
    ) -> Iterator[tuple[Sequence[Claimed], datetime]]:
        """What fits into one call each, and when it begins. Once the account has to wait, or when
        it gets late, the rest is not called: it is left."""
        since = since or self.clock()
        for first in range(0, len(claimed), self.can.batch):
            now = self.clock()
            if self.stopped or now - since >= LATE:
                self.left += claimed[first:]
                return
            yield claimed[first : first + self.can.batch], now

    def _unless_stopped(self, ready: Sequence[Claimed]) -> Sequence[Claimed]:
        if not self.stopped:
            return ready
        self.left += ready
        return ()

    def _ask(
        self,
        some: Sequence[Claimed],
        call: Callable[[Sequence[Claimed]], Sequence[T]],
        harmless: bool = False,
    ) -> Sequence[T | ConnectorError]:
        began = time.monotonic()
        results = _each(some, call, harmless)
        self.calling += time.monotonic() - began
        self.stopped |= any(_concerns_everyone(result) for result in results)
        return results

    def _record(self, tried: Sequence[Tried]) -> None:
        """What came of each; what is left goes back as if it had never been in hand."""
        left, self.left = [one.row for one in self.left], []
        if not (tried or left):
            return
        now = self.clock()
        settle = self.settle(now)

        def work(connection: Connection) -> list[str]:
            sending.give_back(connection, left)
            told = outcomes.record(connection, tried, self.can, now)
            settle(connection)  # last: everybody locks an action before its account
            return told

        for one, outcome in zip(tried, self._insist(work), strict=True):
            if outcome:
                self.done.count(outcome)
                _tell(one, outcome)

    def _insist(self, work: Callable[[Connection], list[str]]) -> list[str]:
        """What the far side has done is not forgotten because the database is down for a moment."""
        for seconds in _INSIST_SECONDS:
            try:
                return self.store.write(work)
            except StoreDown:
                time.sleep(seconds)
        return self.store.write(work)


def _concerns_everyone(result: object) -> bool:
    return isinstance(result, Paused) or (isinstance(result, TryLater) and result.account_wide)


def _tell(tried: Tried, outcome: str) -> None:
    """One line for each outcome; a vendor's own words stay in the database, they may quote."""
    level = logging.INFO if outcome == "done" else logging.WARNING
    if not log.isEnabledFor(level):
        return
    row, result = tried.claimed.row, tried.result
    made = {"remote_id": result.remote_id} if isinstance(result, Receipt) else {}
    fields = {"action": row.id, "response": row.response_id, "sink": row.sink, **made}
    log.log(level, "%s %s", row.kind, outcome, extra={**fields, "outcome": outcome})


def _orders(claimed: Sequence[Claimed]) -> list[Order]:
    return [one.order for one in claimed if one.order is not None]


def _prepared(claimed: Sequence[Claimed]) -> list[Prepared]:
    return [Prepared(order=one.order, body=one.body) for one in claimed if one.order is not None]


def _each(
    some: Sequence[Claimed], call: Callable[[Sequence[Claimed]], Sequence[T]], harmless: bool
) -> Sequence[T | ConnectorError]:
    """The results per action; an error of the whole call is the result of each. A `harmless` call
    that no one foresaw to fail is made again for each alone, so that one costs only itself."""
    try:
        results = call(some)
    except ConnectorError as error:
        return [error] * len(some)
    except Exception as error:  # noqa: BLE001 - a mistake of ours must not stop the other sinks
        if harmless and len(some) > 1:
            return [result for one in some for result in _each([one], call, harmless)]
        kind = type(error).__name__
        where = "".join(traceback.format_tb(error.__traceback__))  # its text may hold an answer
        log.error("the sink of %s failed: %s\n%s", some[0].row.kind, kind, where)
        return [ConnectorError(f"internal error ({kind}); please report it")] * len(some)
    if len(results) != len(some):
        return [ConnectorError("the sink lost count of its batch")] * len(some)
    return results


def _order_of(row: Any, cases: Mapping[int, str | None]) -> Order:
    """The order as decided; for an amendment with the remote id of its case."""
    order = Order.model_validate_json(row.order)
    if row.amends is None:
        return order
    return order.model_copy(update={"amends": cases[row.amends]})


def _unwanted(connection: Connection, claimed: Claimed) -> str:
    """Why a message to the customer is not sent after all; looked at in the sending commit."""
    row, order = claimed.row, claimed.order
    if not row.to_customer or order is None:
        return ""
    digest = outcomes.address_hash(order)
    if digest is not None and outbox.is_suppressed(connection, digest):
        return "the address is on the suppression list"
    if row.customer_id and answers.open_cases(connection, row.customer_id):
        return "the customer has an open case; a person talks to them first"
    return ""
