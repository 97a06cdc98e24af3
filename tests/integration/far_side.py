"""A far side that does as the test says, and an outbox with a movable clock that delivers to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector import delivery
from connector.domain import Receipt
from connector.ports import Capabilities
from connector.store import alarms, outbox, sending

CASES = Capabilities(
    opens_case=True, batch=10, can_find=True, look_again_after=timedelta(minutes=2)
)
MAILS = Capabilities(to_customer=True)
MESSAGES = Capabilities()
HOUR = timedelta(hours=1)


@dataclass
class FarSide:
    """A sink. `made` is what exists there; `then` are outcomes to play before it behaves."""

    capabilities: Capabilities = CASES
    made: list[tuple[str, bytes]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    then: list[Callable[[Any], Any]] = field(default_factory=list)
    finds: list[Callable[[Any], Any]] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    looked: int = 0

    def prepare(self, orders: Any, now: Any) -> list[bytes]:
        self.orders += orders
        return [f"{o.facts.score} {o.facts.comment}".encode() for o in orders]

    def send(self, batch: Any, now: Any) -> Any:
        self.sent += [one.body for one in batch]
        return self.then.pop(0)(batch) if self.then else [self.make(one) for one in batch]

    def find(self, batch: Any, now: Any) -> Any:
        self.looked += 1
        if self.finds:
            return self.finds.pop(0)(batch)
        known = [key for key, _ in self.made]
        return [Receipt(remote_id="found") if p.order.key in known else None for p in batch]

    def make(self, prepared: Any) -> Receipt:
        self.made.append((prepared.order.key, prepared.body))
        return Receipt(remote_id=f"T-{len(self.made)}")

    def fails(self, error: Exception, times: int = 1, after_doing_it: bool = False) -> None:
        def play(batch: Any) -> Any:
            if after_doing_it:
                for one in batch:
                    self.make(one)
            raise error

        self.then += [play] * times

    def refuses(self, error: Exception) -> None:
        self.then.append(lambda batch: [error for _ in batch])


@dataclass
class Post:
    """The world with its far sides, by sink id."""

    world: Any
    sides: dict[str, FarSide] = field(
        default_factory=lambda: {
            "desk": FarSide(),
            "hub": FarSide(),
            "mail": FarSide(MAILS),
            "chat": FarSide(MESSAGES),
        }
    )

    @property
    def desk(self) -> FarSide:
        return self.sides["desk"]

    @property
    def store(self) -> Any:
        return self.world.workspace.store

    def deliver(self, sink: str = "desk", after: timedelta = timedelta(0)) -> dict[str, int]:
        """One round."""
        self.world.now += after
        clock = lambda: self.world.now  # noqa: E731 - the clock moves while it is being called
        return delivery.Courier(self.store, sink, self.sides[sink], clock).round().outcomes

    def settle(self, sink: str = "desk") -> None:
        """Rounds until nothing is due any more, each after as long as the last one asked."""
        for _ in range(300):
            if self.deliver(sink):
                continue
            with self.store.read() as connection:
                due = sending.next_due(connection, sink, self.world.now)
            if due is None:
                return
            self.world.now = max(self.world.now, due)
        raise AssertionError("it never ends")

    def states(self, sink: str = "desk") -> list[str]:
        return [action.state for action in self.world.actions(sink=sink)]

    def retry(self) -> dict[str, int]:
        ids = [action.id for action in self.world.actions(state="parked")]
        found: dict[str, int] = self.store.write(lambda c: outbox.retry(c, ids, self.world.now))
        return found

    def alarms(self) -> dict[str, str]:
        """kind -> message of what is open; the last one of a kind."""
        with self.store.read() as connection:
            return {alarm.kind: alarm.message for alarm in alarms.open_alarms(connection)}
