"""The calls of one round: as many as fit into its time, until the account has to wait."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from connector import faultpoints
from connector.domain import Order, Prepared, Receipt
from connector.errors import ConnectorError, Paused, TryLater
from connector.outcomes import Claimed
from connector.ports import Sink

log = logging.getLogger(__name__)

# A call begins within this after its `sending` was committed, or not at all: a process that slept
# meanwhile would send what others may have found missing, and a look-up waits so much longer.
LATE = timedelta(seconds=faultpoints.seconds("late", 10))
Clock = Callable[[], datetime]
T = TypeVar("T")


class Calls:
    """To one sink. What will not be called in this round any more is put to what is `left`."""

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self.can = faultpoints.hurried(sink.capabilities)
        self.clock = clock
        self.seconds = 0.0  # spent in the sink
        self.left: list[Claimed] = []
        self._sink = sink
        self._stopped = False  # the account waits: nobody calls it

    def prepare(self, some: Sequence[Claimed]) -> Sequence[bytes | ConnectorError]:
        return self._ask(some, lambda x: self._sink.prepare(_orders(x), self.clock()), True)

    def send(self, some: Sequence[Claimed]) -> Sequence[Receipt | ConnectorError]:
        return self._ask(some, lambda x: self._sink.send(_prepared(x), self.clock()))

    def find(self, some: Sequence[Claimed]) -> Sequence[Receipt | ConnectorError | None]:
        return self._ask(some, lambda x: self._sink.find(_prepared(x), self.clock()), True)

    def in_time(
        self, claimed: Sequence[Claimed], since: datetime | None = None
    ) -> Iterator[tuple[Sequence[Claimed], datetime]]:
        """What fits into one call each, and when it begins. Once the account has to wait, or when
        it gets late, the rest is not called."""
        since = since or self.clock()
        for first in range(0, len(claimed), self.can.batch):
            now = self.clock()
            if self._stopped or now - since >= LATE:
                self.left += claimed[first:]
                return
            yield claimed[first : first + self.can.batch], now

    def unless_stopped(self, ready: Sequence[Claimed]) -> Sequence[Claimed]:
        if not self._stopped:
            return ready
        self.left += ready
        return ()

    def take_left(self) -> list[Claimed]:
        left, self.left = self.left, []
        return left

    def _ask(
        self,
        some: Sequence[Claimed],
        call: Callable[[Sequence[Claimed]], Sequence[T]],
        harmless: bool = False,
    ) -> Sequence[T | ConnectorError]:
        began = time.monotonic()
        results = _each(some, call, harmless)
        self.seconds += time.monotonic() - began
        self._stopped |= any(_concerns_everyone(result) for result in results)
        return results


def _concerns_everyone(result: object) -> bool:
    return isinstance(result, Paused) or (isinstance(result, TryLater) and result.account_wide)


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
