"""What the outbox machine plays with: far sides that count, and workers that die or sleep."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector import delivery
from connector.domain import Receipt
from connector.errors import LookFirst, Refused, TryLater
from connector.ports import Capabilities

KEY_KEPT = timedelta(minutes=120)
KEYED = Capabilities(
    opens_case=True,
    key_lifetime=timedelta(minutes=110),
    can_find=True,
    look_again_after=timedelta(minutes=2),
)
FINDABLE = Capabilities(
    opens_case=True, batch=3, can_find=True, look_again_after=timedelta(minutes=2)
)
BLIND = Capabilities()

OUTCOMES = ("heard", "reply lost", "reply lost", "failed unheard", "refused", "not now", "dies")
CALLS = 4  # in one round, where the far side can be asked
POINTS = ("claimed", "prepared", "sending", "sent", "recorded")


class Crash(BaseException):
    """The process is gone: nothing after this instruction happens."""


@dataclass
class Counting:
    """A far side. `effects` counts what was made under each key; `arrivals` counts the calls that
    it may have acted upon."""

    capabilities: Capabilities
    outcome: str = "heard"
    find_fails: bool = False
    effects: Counter[str] = field(default_factory=Counter)
    arrivals: Counter[str] = field(default_factory=Counter)
    keys: dict[str, tuple[datetime, bytes]] = field(default_factory=dict)
    prepared: int = 0
    calls: int = 0  # of this round

    def prepare(self, orders: Any, now: datetime) -> list[bytes]:
        """Never the same bytes twice, so that a request that was not frozen is noticed."""
        self.prepared += 1
        return [f"{self.prepared} {order.key}".encode() for order in orders]

    def send(self, batch: Any, now: datetime) -> list[Any]:
        self.calls += 1
        if self.outcome == "not now":
            raise TryLater("429", 30, account_wide=True)
        if self.outcome == "refused":
            return [Refused("no such group") for _ in batch]
        for one in batch:
            self.arrivals[one.order.key] += 1
        if self.outcome == "failed unheard":
            raise LookFirst("500")
        receipts = [self._make(one, now) for one in batch]
        if self.outcome == "reply lost":
            raise LookFirst("no answer")
        if self.outcome == "dies" and self.calls == CALLS // 2:
            raise Crash
        return receipts

    def find(self, batch: Any, now: datetime) -> list[Any]:
        if self.find_fails:
            raise LookFirst("the look-up was lost")
        return [self._receipt(p.order.key) if self.effects[p.order.key] else None for p in batch]

    def _make(self, one: Any, now: datetime) -> Receipt:
        key = one.order.key
        known = self.keys.get(key)
        if self.capabilities.key_lifetime and known and now - known[0] < KEY_KEPT:
            assert known[1] == one.body, "the same key with other bytes"
            return self._receipt(key)
        # An adapter looks for a note's marker before it writes the note.
        if one.order.amends is None or not self.effects[key]:
            self.effects[key] += 1
        self.keys[key] = (now, one.body)
        return self._receipt(key)

    def _receipt(self, key: str) -> Receipt:
        return Receipt(remote_id=f"T-{key}")


class Worker:
    """One round of delivery in a thread of its own, which may end or sleep at a point."""

    def __init__(
        self, store: Any, id: str, sink: Counting, clock: Callable[[], datetime], at: str, do: str
    ) -> None:
        self.id, self.at, self.do = id, at, do
        self.failure: BaseException | None = None
        self._paused = threading.Event()  # asleep, or over
        self._woken = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(store, sink, clock), name=f"worker-{id}"
        )

    def start(self) -> bool:
        """True where it has fallen asleep; else it is over."""
        self._thread.start()
        self._paused.wait()
        return self._asleep()

    def wake(self) -> None:
        self._woken.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def reach(self, at: str, of: str = "") -> None:
        if threading.current_thread() is not self._thread or at != self.at:
            return
        if self.do == "die":
            raise Crash
        if self.do == "sleep":
            self.at = ""
            self._paused.set()
            self._woken.wait()

    def _asleep(self) -> bool:
        if self.at == "" and self._thread.is_alive():
            return True
        self._thread.join()
        if self.failure is not None:
            raise self.failure
        return False

    def _run(self, store: Any, sink: Counting, clock: Callable[[], datetime]) -> None:
        try:
            courier = delivery.Courier(store, self.id, sink, clock)
            if sink.capabilities.can_find:  # as after a while of backlog
                courier.size.actions = CALLS * sink.capabilities.batch
            sink.calls = 0
            courier.round()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - raised where the test sees it
            self.failure = error
        finally:
            self._paused.set()
