"""One sink before its stand-in, driven by the real delivery on a real store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import requests
from sqlalchemy import Connection, delete, select, update

from connector import sinks
from connector.delivery import Courier, Delivered
from connector.domain import EarlierAnswer, Facts, History, Order, amendment_key
from connector.http import Session
from connector.ports import SinkSettings
from connector.sandbox import Sandbox, Vendor
from connector.store import Store, alarms, outbox, sending
from connector.store.tables import accounts, actions, metadata
from tests.contract.harness import Raw, Shown, SinkHarness
from tests.contract.sink_harness import common
from tests.contract.watching import PATIENT

T = TypeVar("T")
Adapter = Callable[[Any, Any], Any]  # a Sink class, or a broken copy of one

SINK = "main"
PERSON, NAME, SAID = "dora@example.com", "Dora Detractor", "The cat was billed twice, says Sorrel"


class Killed(BaseException):
    """The process ends here, as by `kill -9`: nothing catches it."""


@dataclass
class SinkBench:
    """`anew` gives a stand-in, a clock and a store in which nothing has happened."""

    harness: SinkHarness
    sandbox: Sandbox
    folder: Path
    empty_store: Path
    adapter: Adapter | None = None
    timeout: tuple[float, float] = PATIENT
    every: int = 1  # of what is tried one after the other, only each second, third, … one
    store: Store = field(init=False)
    _asking: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.sandbox.reset()
        file = self.folder / "bench.db"
        shutil.copy(self.empty_store, file)
        self.store = Store(f"sqlite:///{file}")

    def some(self, tries: Sequence[T]) -> Sequence[T]:
        """What is tried of a list: all, but for a broken copy, which has its own check to fail."""
        return tries[:: self.every]

    def anew(self) -> None:
        self.sandbox.reset()
        self.store.write(_empty)

    # -- the adapter -----------------------------------------------------------------------------

    def chosen(self) -> SinkSettings:
        kind = sinks.load(self.harness.kind)
        raw = common(self.harness, self.sandbox)
        if "timeout_seconds" in kind.Settings.model_fields:
            raw["timeout_seconds"] = self.timeout[1]
        return kind.Settings.model_validate(raw)

    def sink(self) -> Any:
        """A new adapter, as after a restart."""
        return self.sink_with(self.chosen())

    def sink_with(self, chosen: SinkSettings) -> Any:
        make = self.adapter or sinks.load(self.harness.kind)
        return make(chosen, Session(chosen.base_url, self.timeout))

    @property
    def capabilities(self) -> Any:
        return sinks.load(self.harness.kind).capabilities

    @property
    def at_most_once(self) -> bool:
        return not (self.capabilities.can_find or self.capabilities.key_lifetime)

    # -- the outbox ------------------------------------------------------------------------------

    def place(
        self, number: int = 1, params: Raw | None = None, amends: Any = None, **facts: Any
    ) -> str:
        """An action that is due now; returns its key. `amends`: the row of the case."""
        key = f"nps-{number:032x}"
        if amends is not None:
            key = amendment_key(amends.key, 1 + number)
        order = Order(
            key=key,
            kind=self.harness.kind,
            rule_name="Enterprise detractor",
            params=self.harness.params if params is None else params,
            facts=some_facts(number, self.now(), **facts),
            due_at=self.now() + timedelta(hours=4),
        )
        row = {
            "key": key,
            "rule_id": "enterprise-detractor",
            "sink": SINK,
            "account": self.sink().account,
            "kind": order.kind,
            "opens_case": self.capabilities.opens_case,
            "to_customer": self.capabilities.to_customer,
            "amends": None if amends is None else amends.id,
            "order": order.model_dump(mode="json"),
            "state": "waiting",
            "due_at": self.now(),
            "created_at": self.now(),
        }
        self.store.write(lambda c: outbox.add_action(c, row))
        return key

    def deliver(self, sink: Any = None) -> Delivered:
        """One round, as a worker does it."""
        return Courier(self.store, SINK, sink or self.sink(), self.now).round()

    def settle(self, sink: Any = None) -> None:
        """Rounds until nothing is left to do, waiting as long as each of them asks."""
        sink = sink or self.sink()
        for _ in range(40):
            done = self.deliver(sink)
            if done.actions:
                continue
            due = done.again_at
            if due is None:
                with self.store.read() as connection:
                    due = sending.next_due(connection, SINK, self.now())
            if due is None:
                return
            self.wait((due - self.now()) + timedelta(milliseconds=10))
        raise AssertionError(f"it never ends: {self.states()} {[r.error for r in self.rows()]}")

    def rows(self) -> Sequence[Any]:
        with self.store.read() as connection:
            return connection.execute(select(actions).order_by(actions.c.id)).all()

    def row(self, key: str) -> Any:
        return next(row for row in self.rows() if row.key == key)

    def states(self) -> list[str]:
        return [row.state for row in self.rows()]

    def paused_until(self) -> datetime | None:
        with self.store.read() as connection:
            found: datetime | None = connection.scalar(select(accounts.c.paused_until))
            return found

    def alarms(self) -> list[str]:
        with self.store.read() as connection:
            return [f"{row.kind}: {row.message}" for row in alarms.open_alarms(connection)]

    def rewrite_orders(self, params: Raw) -> None:
        """As if templates and rules had moved on since the actions were decided."""

        def work(connection: Any) -> None:
            for row in connection.execute(select(actions)).all():
                changed = {**row.order, "params": params, "rule_name": "Another name by now"}
                chosen = update(actions).where(actions.c.id == row.id)
                connection.execute(chosen.values(order=changed))

        self.store.write(work)

    # -- the far side ----------------------------------------------------------------------------

    @property
    def vendor(self) -> Vendor:
        return self.sandbox.vendors[self.harness.vendor]

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def wait(self, span: timedelta) -> None:
        self.sandbox.clock.advance(span.total_seconds())

    def fault(self, fault: str, **settings: Any) -> None:
        self.vendor.fault(fault, **settings)

    def fault_writes(self, fault: str, **settings: Any) -> None:
        method, path = self.harness.writes
        self.fault(fault, method=method, path=path or "*", **settings)

    def _ask(self, what: str) -> Any:
        url = f"{self.sandbox.urls[self.harness.vendor]}/_sandbox/{what}"
        return self._asking.get(url, timeout=10).json()

    def effects(self) -> int:
        """What exists at the far side because of us."""
        return int(self._ask("counts").get(self.harness.kind, 0))

    def state(self) -> Raw:
        found: Raw = self._ask("state")
        return found

    def shown(self) -> list[Shown]:
        return self.harness.shown(self.state())

    def notes(self, key: str) -> int:
        return self.harness.notes(self.state(), f"[{key}]")

    def requests(self) -> list[Raw]:
        found: list[Raw] = self._ask("log")
        return found

    def sent(self, request: tuple[str, str]) -> list[Raw]:
        """Those requests that were made with this method, to paths that begin so."""
        method, path = request
        return [r for r in self.requests() if r["method"] == method and r["path"].startswith(path)]

    def writes(self) -> list[Raw]:
        return self.sent(self.harness.writes)


def _empty(connection: Connection) -> None:
    for table in reversed(metadata.sorted_tables):
        connection.execute(delete(table))


def some_facts(number: int, now: datetime, **changes: Any) -> Facts:
    earlier = EarlierAnswer(
        answered_at=now - timedelta(days=90), survey="nps", score=9, segment="promoter"
    )
    address = PERSON if number == 1 else PERSON.replace("@", f"+{number}@")
    facts = {
        "response_id": f"r{number:020}",
        "source": "delighted-main",
        "survey": "nps",
        "survey_name": "Relationship NPS",
        "score": 2,
        "segment": "detractor",
        "comment": f"{SAID} ({number} times)",
        "answered_at": now - timedelta(minutes=5),
        "link": "https://app.delighted.com/r/1",
        "customer": {"email": address, "name": NAME, "plan": "enterprise"},
        "company": {"name": "Acme Example"},
        "history": History(answers=1, previous_score=9, earlier=(earlier,)),
    }
    return Facts.model_validate({**facts, **changes})
