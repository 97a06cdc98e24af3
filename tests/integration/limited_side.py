"""A vendor that counts calls as strictly as it can, and workers that share its account."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector import delivery
from connector.domain import Receipt
from connector.errors import TryLater
from connector.limits import Allowance, Heard, Limit, Meter, limit_of, number
from connector.ports import Capabilities
from connector.store import Store

ACCOUNT = "zendesk:acme"
BATCHES = Capabilities(opens_case=True, batch=10, can_find=True)


def heard(headers: Any) -> Heard:
    return Heard(limit_of(number(headers, "limit"), 1.0), number(headers, "left"))


@dataclass
class Vendor:
    """Refuses every call that is one too many in any window, whenever that began."""

    limit: Limit
    clock: Callable[[], datetime]
    calls: list[datetime] = field(default_factory=list)
    refused: int = 0
    others: int = 0  # calls that somebody else has made in this window
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, meter: Meter) -> None:
        with self.lock:
            now = self.clock()
            meter.call()
            window = timedelta(seconds=self.limit.seconds)
            used = self.others + sum(1 for at in self.calls if now - at < window)
            left = max(0, self.limit.calls - used - 1)
            meter.hear({"limit": str(self.limit.calls), "left": str(left)})
            if used >= self.limit.calls:
                self.refused += 1
                raise TryLater("429", 5, account_wide=True)
            self.calls.append(now)


class Worker:
    """One process: a store and an adapter of its own. As a sink it makes a call for each action."""

    def __init__(self, url: str, vendor: Vendor, allowance: Allowance, **more: Any) -> None:
        self.store = Store(url)
        self.vendor = vendor
        self.account: str = more.pop("account", ACCOUNT)
        self.capabilities: Capabilities = more.pop("capabilities", BATCHES)
        self.look_ups: int = more.pop("look_ups", 0)
        self.meter = Meter(allowance, **more)
        self.made: list[str] = []

    def prepare(self, orders: Any, now: datetime) -> list[bytes]:
        for _ in range(self.look_ups):
            self.vendor.call(self.meter)
        return [order.key.encode() for order in orders]

    def send(self, batch: Any, now: datetime) -> list[Any]:
        results: list[Any] = []
        for one in batch:
            try:
                self.vendor.call(self.meter)
            except TryLater as error:
                results.append(error)
            else:
                self.made.append(one.order.key)
                results.append(Receipt(remote_id=one.order.key))
        return results

    def find(self, batch: Any, now: datetime) -> list[Any]:
        return [None for _ in batch]

    def deliver(self, sink: str = "desk") -> delivery.Delivered:
        return delivery.Courier(self.store, sink, self, self.vendor.clock).round()
