"""Stand-ins that count as strictly as their vendors, and the true headers of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from connector import sinks
from connector.delivery import Courier
from connector.http import Session
from connector.limits import Limit
from connector.store import Store
from connector.store.tables import accounts
from tests.contract.sink_bench import SINK, SinkBench
from tests.contract.sink_harness import SINKS, setting

MakeBench = Callable[..., SinkBench]


class Worker:
    """A process with a store and an adapter of its own, that sends one action at a time."""

    def __init__(self, bench: SinkBench) -> None:
        self.bench = bench
        self.store = Store(bench.store.url)
        self.sink = bench.sink()
        self.sink.capabilities = replace(self.sink.capabilities, batch=1)

    def deliver(self) -> tuple[int, datetime | None]:
        done = Courier(self.store, SINK, self.sink, self.bench.now).round()
        return done.actions, done.again_at


def work_off(bench: SinkBench, workers: list[Worker]) -> timedelta:
    """In turns until nothing is left; returns how long it took by the vendor's clock."""
    began = bench.now()
    for _ in range(2000):
        rounds = [worker.deliver() for worker in workers]
        turns = [again_at for _, again_at in rounds if again_at is not None]
        if any(actions for actions, _ in rounds):
            continue
        if not turns:
            return bench.now() - began
        bench.wait(max(min(turns) - bench.now(), timedelta(0)))
    raise AssertionError("it never ends")


def account(bench: SinkBench) -> Any:
    with bench.store.read() as connection:
        return connection.execute(select(accounts)).one()


def refused(bench: SinkBench) -> int:
    return sum(call.status == 429 for call in bench.vendor.calls())


@pytest.mark.parametrize(
    ("kind", "name", "limit", "seconds", "actions", "least"),
    [
        ("zendesk.ticket", "requests_per_minute", 60, 60, 100, 60),
        ("hubspot.task", "requests_per_10_seconds", 20, 10, 30, 20),
    ],
)
def test_two_workers_get_no_429_from_a_strict_vendor(
    new_bench: MakeBench, kind: str, name: str, limit: int, seconds: int, actions: int, least: int
) -> None:
    bench = new_bench(SINKS[kind])
    setting(bench.vendor, name, limit)
    for number in range(actions):
        bench.place(number)
    workers = [Worker(bench), Worker(bench)]
    took = work_off(bench, workers)

    assert set(bench.states()) == {"done"}
    assert refused(bench) == 0
    assert took > timedelta(seconds=least), "it was the limit that was felt"
    told = account(bench)
    assert (told.told_calls, told.told_seconds) == (limit, seconds)
    for worker in workers:
        worker.store.close()


@pytest.mark.parametrize("kind", sinks.REGISTRY)
def test_every_sink_keeps_to_the_operators_limit(new_bench: MakeBench, kind: str) -> None:
    bench = new_bench(SINKS[kind])
    chosen = bench.chosen().model_copy(update={"limit": Limit(1, 60)})
    sink: Any = sinks.load(kind)(chosen, Session(chosen.base_url, bench.timeout))
    sink.capabilities = replace(sink.capabilities, batch=1)
    bench.place(1)
    bench.place(2)
    assert bench.deliver(sink).actions == 1
    again_at = bench.deliver(sink).again_at
    assert again_at is not None
    assert again_at - bench.now() > timedelta(seconds=50)
    bench.wait(again_at - bench.now())
    assert bench.deliver(sink).actions == 1


def test_what_people_use_of_a_zendesk_account_is_left_to_them(new_bench: MakeBench) -> None:
    bench = new_bench(SINKS["zendesk.ticket"])
    setting(bench.vendor, "requests_per_minute", 60)
    with bench.vendor.changing():  # a minute in which others have made fifty calls
        minute = int(bench.sandbox.clock.timestamp() // 60)
        bench.vendor.state["windows"]["account"] = [minute, 50]
    for number in range(10):
        bench.place(number)
    worker = Worker(bench)
    rounds = 0
    while worker.deliver()[0]:
        rounds += 1
    worker.store.close()
    assert rounds == 1, "its answers said that nothing of our share was left"
    assert refused(bench) == 0


def test_the_last_calls_of_a_salesforce_day_raise_an_alarm_before_they_are_gone(
    new_bench: MakeBench,
) -> None:
    bench = new_bench(SINKS["salesforce.task"])
    setting(bench.vendor, "requests_per_day", 100)
    with bench.vendor.changing():
        bench.vendor.state["usage"] = [int(bench.sandbox.clock.timestamp() // 86_400), 90]
    sink = bench.sink()
    bench.place(1)
    bench.deliver(sink)
    told = account(bench)
    assert told.quota_calls == 100
    assert 90 < told.quota_used < 95
    assert bench.alarms() == []

    for number in range(2, 7):
        bench.place(number)
        bench.deliver(sink)
    assert any(said.startswith("quota: salesforce:sandbox.my: ") for said in bench.alarms())
    assert any(said.startswith("sink-paused: ") for said in bench.alarms()), "then none was left"
    until = bench.paused_until()
    assert until is not None
    assert until > bench.now() + timedelta(minutes=50)


def test_hubspots_day_pauses_until_midnight_of_the_account(new_bench: MakeBench) -> None:
    bench = new_bench(SINKS["hubspot.task"])
    setting(bench.vendor, "requests_per_day", 2)
    bench.place(1)
    bench.place(2)
    worker = Worker(bench)
    while worker.deliver()[0]:
        pass
    worker.store.close()
    until = bench.paused_until()
    assert until is not None
    assert (until.hour, until.minute) == (0, 0)
    assert account(bench).quota_calls == 2
