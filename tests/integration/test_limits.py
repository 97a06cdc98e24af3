"""One limiter per vendor account: shared by all workers, learning, and in nobody else's way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from connector import delivery
from connector.engine import embedded
from connector.engine.stages import Stages
from connector.engine.wakeups import deliver
from connector.limits import Allowance, Bill, Limit, Meter, Quota
from connector.ports import Capabilities
from connector.store import alarms, limits, sending
from connector.store.tables import accounts, actions
from tests.integration.limited_side import ACCOUNT, Vendor, Worker, heard

SECOND = timedelta(seconds=1)
RULES = "rules: [{id: d, when: {segment: detractor}, then: [{zendesk.ticket: {}}]}]"


@pytest.fixture
def world(make_world):
    return make_world(rules=RULES)


@pytest.fixture
def workers(world) -> Iterator[Callable[..., list[Worker]]]:
    hired: list[Worker] = []

    def hire(count: int, vendor: Vendor, allowance: Allowance, **more: Any) -> list[Worker]:
        url = world.workspace.store.url
        hired.extend(Worker(url, vendor, allowance, **more) for _ in range(count))
        return hired[-count:]

    yield hire
    for worker in hired:
        worker.store.close()


def stock(world, count: int) -> None:
    """So many tickets to make, all due."""
    world.answer(id="1", score=1)
    store = world.workspace.store
    with store.read() as connection:
        first = dict(connection.execute(select(actions)).one()._mapping)
    del first["id"]
    rows = [
        {**first, "key": f"k{n}", "order": {**first["order"], "key": f"k{n}"}} for n in range(count)
    ]
    store.write(lambda c: c.execute(actions.delete()))
    store.write(lambda c: c.execute(actions.insert(), rows))


def account(world) -> Any:
    with world.workspace.store.read() as connection:
        return connection.execute(select(accounts).where(accounts.c.account == ACCOUNT)).one()


def work_off(world, hands: list[Worker]) -> int:
    """In turns, as long as anybody does anything; returns how often all had to wait."""
    waits = 0
    for _ in range(2000):
        rounds = [worker.deliver() for worker in hands]
        if any(one.actions for one in rounds):
            continue
        turns = [one.again_at for one in rounds if one.again_at is not None]
        if not turns:
            return waits
        waits += 1
        world.now = max(world.now, min(turns))
    raise AssertionError("it never ends")


def test_two_workers_on_one_account_are_never_refused_by_a_vendor_that_counts_strictly(
    world, workers
):
    stock(world, 100)
    began = world.now
    vendor = Vendor(Limit(20, 1.0), lambda: world.now)
    hands = workers(2, vendor, Allowance(Limit(20, 1.0)))
    assert work_off(world, hands) > 50

    assert vendor.refused == 0
    assert sorted(hands[0].made + hands[1].made) == sorted(f"k{n}" for n in range(100))
    assert {a.state for a in world.actions()} == {"done"}
    assert 5 * SECOND < world.now - began < 8 * SECOND, "sixteen a second are ours"


def test_threads_on_one_account_are_never_refused_either(world, workers):
    stock(world, 50)
    vendor = Vendor(Limit(20, 0.5), lambda: datetime.now(UTC))
    hands = workers(2, vendor, Allowance(Limit(20, 0.5)))

    def run(worker: Worker) -> None:
        while (done := worker.deliver()).actions or done.again_at:
            if done.again_at is not None:
                threading.Event().wait(max(0.0, (done.again_at - vendor.clock()).total_seconds()))

    threads = [threading.Thread(target=run, args=(worker,)) for worker in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (vendor.refused, len(vendor.calls)) == (0, 50)


def test_waiting_for_a_turn_is_no_attempt_and_no_failure(world, workers):
    stock(world, 3)
    vendor = Vendor(Limit(2, 60.0), lambda: world.now)
    (worker,) = workers(1, vendor, Allowance(Limit(2, 60.0)))
    assert worker.deliver().outcomes == {"done": 1}
    waiting = worker.deliver()
    assert waiting.actions == 0
    assert waiting.again_at is not None
    assert 60 * SECOND <= waiting.again_at - world.now < 61 * SECOND
    rest = [a for a in world.actions() if a.state == "waiting"]
    told = [(a.attempts, a.failing_since, a.error, a.lease_until) for a in rest]
    assert told == [(0, None, None, None)] * 2


def test_look_ups_are_paid_for_before_the_next_ticket(world, workers):
    stock(world, 2)
    vendor = Vendor(Limit(1000, 100.0), lambda: world.now)
    one_each = {"capabilities": Capabilities(opens_case=True, batch=1), "look_ups": 100}
    (worker,) = workers(1, vendor, Allowance(Limit(100, 100.0)), **one_each)
    assert worker.deliver().outcomes == {"done": 1}
    again = worker.deliver().again_at
    assert again is not None
    assert again - world.now > 90 * SECOND


@pytest.mark.parametrize(("usual", "told"), [(20, 2000), (2000, 20)])
def test_what_one_worker_has_heard_all_of_them_keep(world, workers, usual, told):
    stock(world, 40)
    vendor = Vendor(Limit(told, 1.0), lambda: world.now)
    first, second = workers(2, vendor, Allowance(Limit(usual, 1.0), read=heard))
    first.deliver()
    assert (account(world).told_calls, account(world).told_seconds) == (told, 1.0)
    second.deliver()
    assert account(world).limit_calls == told
    work_off(world, [second])
    assert vendor.refused == 0 or usual > told


def test_a_limit_that_was_raised_later_is_used(world, workers):
    stock(world, 100)
    vendor = Vendor(Limit(20, 1.0), lambda: world.now)
    (worker,) = workers(1, vendor, Allowance(Limit(20, 1.0), read=heard))
    worker.deliver()
    began = world.now
    vendor.limit = Limit(2000, 1.0)
    work_off(world, [worker])
    assert world.now - began < SECOND


def test_what_others_use_of_the_account_slows_us_down(world, workers):
    stock(world, 20)
    vendor = Vendor(Limit(100, 1.0), lambda: world.now, others=75)
    (worker,) = workers(1, vendor, Allowance(Limit(100, 1.0), read=heard))
    work_off(world, [worker])
    assert vendor.refused == 0
    assert (
        max(sum(1 for at in vendor.calls if start <= at < start + SECOND) for start in vendor.calls)
        < 20
    )


def test_an_account_that_gets_a_429_waits_for_everybody_and_another_sink_goes_on(world, workers):
    stock(world, 30)
    vendor = Vendor(Limit(5, 1.0), lambda: world.now)
    first, second = workers(2, vendor, Allowance(Limit(1000, 1.0)))
    hub = Vendor(Limit(5, 1.0), lambda: world.now)
    (other,) = workers(1, hub, Allowance(Limit(5, 1.0)), account="hubspot:default")
    store = world.workspace.store
    one = next(a.id for a in world.actions())
    there = {"sink": "hub", "account": "hubspot:default"}
    store.write(lambda c: c.execute(update(actions).where(actions.c.id == one).values(**there)))

    assert first.deliver().outcomes == {"done": 5, "wait": 5}
    paused = second.deliver()
    assert (paused.actions, paused.again_at, vendor.refused) == (0, None, 5)
    assert other.deliver("hub").outcomes == {"done": 1}
    with store.read() as connection:
        due = sending.next_due(connection, "desk", world.now)
    assert due == world.now + 5 * SECOND
    world.now += 5 * SECOND
    assert second.deliver().actions == 1, "nothing was saved up during the pause"


def test_two_sinks_of_one_account_share_it(world, workers):
    stock(world, 4)
    store = world.workspace.store
    half = [a.id for a in world.actions()][:2]
    store.write(
        lambda c: c.execute(update(actions).where(actions.c.id.in_(half)).values(sink="desk2"))
    )
    vendor = Vendor(Limit(2, 60.0), lambda: world.now)
    first, second = workers(2, vendor, Allowance(Limit(2, 60.0)))
    assert first.deliver("desk").actions == 1
    waiting = second.deliver("desk2")
    assert (waiting.actions, waiting.again_at is None) == (0, False)


def test_a_clock_that_is_set_back_stops_nothing_for_long(world, workers):
    stock(world, 3)
    vendor = Vendor(Limit(2, 60.0), lambda: world.now)
    (worker,) = workers(1, vendor, Allowance(Limit(2, 60.0)))
    worker.deliver()
    world.now -= timedelta(seconds=90)
    store = world.workspace.store
    store.write(lambda c: c.execute(update(actions).values(due_at=world.now)))
    began = world.now
    vendor.calls.clear()
    work_off(world, [worker])
    assert world.now - began <= timedelta(seconds=4 * 60 + 1)
    assert {a.state for a in world.actions()} == {"done"}


def test_a_sink_without_a_limit_costs_nothing_and_one_with_it_one_update(world, workers):
    stock(world, 20)
    said: list[str] = []
    engine = world.workspace.store.engine
    event.listen(engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    vendor = Vendor(Limit(1000, 1.0), lambda: world.now)
    (free,) = workers(1, vendor, Allowance())
    (bound,) = workers(1, vendor, Allowance(Limit(1000, 1.0)))

    def asked(worker: Worker) -> list[str]:
        """What a round asks for the sake of the limit."""
        said.clear()
        assert worker.deliver().actions == 10
        return [text.split()[0] for text in said if "free_at" in text]

    for worker in (free, bound):
        worker.store.close()
        worker.store = world.workspace.store
    store = world.workspace.store
    store.write(lambda c: c.execute(accounts.insert().values(account=ACCOUNT)))
    assert asked(free) == []
    assert asked(bound) == ["SELECT", "UPDATE"]


def test_a_quota_that_is_nearly_used_up_is_an_alarm_until_it_is_not(world):
    store, meter = world.workspace.store, Meter(Allowance())

    def told(used: int) -> dict[str, str]:
        bill = Bill(quota=Quota(5000, used))
        store.write(lambda c: limits.pay(c, "salesforce:acme", meter, bill, world.now))
        with store.read() as connection:
            return {a.kind: a.message for a in alarms.open_alarms(connection)}

    assert told(4700) == {}
    assert "4,800 of the 5,000 calls" in told(4800)["quota"]
    assert "quota" in told(4700), "another worker's older answer"
    assert told(100) == {}


# -- the engines wait for their turn ---------------------------------------------------------------


@pytest.fixture
def counting(monkeypatch) -> list[str]:
    """Every round of delivery that an engine begins."""
    rounds: list[str] = []
    real = delivery.Courier.round

    def counted(courier: delivery.Courier, *more: Any) -> Any:
        rounds.append(str(courier))
        return real(courier, *more)

    monkeypatch.setattr(delivery.Courier, "round", counted)
    return rounds


def test_a_worker_waits_for_its_turn_without_a_new_wake_up(world, workers, counting, monkeypatch):
    stock(world, 4)
    vendor = Vendor(Limit(4, 1.0), lambda: datetime.now(UTC))
    (worker,) = workers(1, vendor, Allowance(Limit(4, 1.0)))
    monkeypatch.setattr(world.workspace, "new_sink", lambda id: worker)
    rung: list[Any] = []
    Stages(world.workspace, rung.append, calls=1).go(deliver("desk"))

    assert {a.state for a in world.actions()} == {"done"}
    assert vendor.refused == 0
    assert len(counting) <= 5 * 4, "it looked again and again"


def test_the_embedded_engine_sleeps_until_its_turn(world, workers, counting, monkeypatch):
    stock(world, 4)
    vendor = Vendor(Limit(4, 1.0), lambda: datetime.now(UTC))
    (worker,) = workers(1, vendor, Allowance(Limit(4, 1.0)))
    monkeypatch.setattr(world.workspace, "new_sink", lambda id: worker)
    engine = embedded.Embedded(world.workspace)
    engine.start()
    try:
        for _ in range(400):
            if {a.state for a in world.actions()} == {"done"}:
                break
            threading.Event().wait(0.05)
    finally:
        engine.stop()
    assert {a.state for a in world.actions()} == {"done"}
    assert vendor.refused == 0
    assert counting.count("desk") <= 5 * 4, "it looked again and again"


def test_one_round_by_hand_waits_too(world, workers, monkeypatch):
    stock(world, 6)
    vendor = Vendor(Limit(10, 0.5), lambda: datetime.now(UTC))
    (worker,) = workers(1, vendor, Allowance(Limit(10, 0.5)))
    monkeypatch.setattr(world.workspace, "new_sink", lambda id: worker)
    few = world.workspace.settings.model_copy(update={"sources": {}, "sinks": {"desk": None}})
    monkeypatch.setattr(world.workspace, "settings", few)
    monkeypatch.setattr(embedded, "do_chores", lambda *_: set())
    assert embedded.run_once(world.workspace) is False
    assert {a.state for a in world.actions()} == {"done"}
