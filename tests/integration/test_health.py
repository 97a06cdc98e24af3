"""Does it live, can it work, how is it going: for load balancers and for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from connector.limits import Allowance, Bill, Limit, Meter, Quota
from connector.store import alarms, arrivals, limits, outbox
from connector.store.database import StoreDown
from connector.web.metrics import renderer
from connector.web.receiver import application

Numbers = dict[str, float]


@pytest.fixture
def web(world) -> TestClient:
    return TestClient(application(world.workspace, lambda: None, lambda _: None))


@pytest.fixture
def numbers(world) -> Callable[[], Numbers]:
    """What a scrape says at the world's time, by name and labels."""
    render = renderer(world.workspace, lambda: world.now)

    def scrape() -> Numbers:
        found: Numbers = {}
        for line in render().decode().splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    return scrape


def put(world, **values: Any) -> int:
    row = {"key": f"k{values}", "rule_id": "r", "sink": "desk", "account": "zendesk:acme"}
    row |= {"kind": "zendesk.ticket", "opens_case": True, "to_customer": False, "order": {}}
    row |= {"state": "waiting", "due_at": world.now, "created_at": world.now, **values}
    return world.workspace.store.write(lambda c: outbox.add_action(c, row))


def broken(*_: Any) -> Any:
    raise StoreDown("the database cannot be used")


def test_it_says_whether_it_lives_and_whether_it_is_ready(web, world, monkeypatch):
    assert web.get("/healthz").status_code == 200
    assert web.get("/readyz").json() == {"ready": True}

    monkeypatch.setattr(world.workspace.store, "read", broken)
    answer = web.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == {"database": "the database cannot be used"}
    assert web.get("/healthz").status_code == 200


def test_a_database_of_another_version_is_not_ready(web, world):
    older = text("UPDATE alembic_version SET version_num = '0000'")
    world.workspace.store.write(lambda c: c.execute(older))
    answer = web.get("/readyz")
    assert answer.status_code == 503
    assert "another version" in answer.json()["reasons"]["schema"]
    assert web.get("/readyz?exclude=broker&exclude=schema").status_code == 200


def test_a_broker_that_is_gone_is_told_and_a_load_balancer_can_leave_it_out(world):
    web = TestClient(
        application(world.workspace, lambda: None, lambda _: None, lambda: "redis does not answer")
    )
    answer = web.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": {"broker": "redis does not answer"}}
    assert web.get("/readyz?exclude=broker").json() == {"ready": True}


def test_a_scrape_is_text_that_prometheus_reads(web):
    answer = web.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE connector_received_total counter" in answer.text


def test_everything_is_there_at_zero_before_anything_happened(numbers):
    found = numbers()
    assert found['connector_received_total{source="app"}'] == 0
    assert found['connector_delivered_total{sink="desk"}'] == 0
    assert found['connector_actions{sink="desk",state="parked"}'] == 0
    assert found["connector_undecided_oldest_seconds"] == 0
    assert found['connector_due_oldest_seconds{sink="desk"}'] == 0


def test_what_was_received_decided_and_made_is_counted_by_source_and_sink(world, numbers):
    for number in range(3):
        world.answer(id=str(number), score=1)
    put(world, key="done", state="done")
    put(world, key="parked", state="parked")
    found = numbers()
    assert found['connector_received_total{source="app"}'] == 3
    assert found['connector_records{state="decided"}'] == 3
    assert found["connector_decided_total"] == 3
    assert found['connector_actions{sink="desk",state="waiting"}'] == 3
    assert found['connector_delivered_total{sink="desk"}'] == 1
    assert found['connector_actions{sink="desk",state="parked"}'] == 1
    answered = found['connector_last_answer_timestamp_seconds{source="app"}']
    assert answered == world.now.timestamp()


def test_what_waits_shows_for_how_long(world, numbers):
    world.post(id="1", score=1)
    put(world, key="late", due_at=world.now - timedelta(minutes=10))
    put(world, key="sent", state="sending", due_at=world.now - timedelta(minutes=20))
    put(world, key="later", sink="hub", due_at=world.now + timedelta(hours=1))
    world.now += timedelta(seconds=90)
    found = numbers()
    assert found["connector_undecided_oldest_seconds"] == 90
    assert found['connector_due_oldest_seconds{sink="desk"}'] == 20 * 60 + 90
    assert found['connector_due_oldest_seconds{sink="hub"}'] == 0


def test_pauses_and_open_alarms_show_while_they_last(world, numbers):
    until = world.now + timedelta(hours=1)

    def trouble(connection: Any) -> None:
        outbox.pause_account(connection, "zendesk:acme", until, "429")
        arrivals.update_source(connection, "app", paused_until=until)
        alarms.raise_alarm(connection, "parked", "action 1", "see it", world.now)
        alarms.raise_alarm(connection, "parked", "action 2", "see it", world.now)

    world.workspace.store.write(trouble)
    found = numbers()
    paused = "connector_account_paused_until_timestamp_seconds"
    assert found[f'{paused}{{account="zendesk:acme"}}'] == until.timestamp()
    assert (
        found['connector_source_paused_until_timestamp_seconds{source="app"}'] == until.timestamp()
    )
    assert found['connector_alarms_open{kind="parked"}'] == 2

    world.now = until + timedelta(seconds=1)
    world.workspace.store.write(
        lambda c: alarms.clear_alarm(c, "parked", "action 1", datetime.now(UTC))
    )
    found = numbers()
    assert not [name for name in found if "paused" in name]
    assert found['connector_alarms_open{kind="parked"}'] == 1


def test_an_account_shows_its_limit_what_is_left_and_how_long_it_waits(world, numbers):
    store, meter = world.workspace.store, Meter(Allowance(Limit(200, 60)))
    bill = Bill(calls=20, limit=Limit(700, 60), quota=Quota(1000, 250))
    store.write(lambda c: limits.pay(c, "zendesk:acme", meter, bill, world.now))
    store.write(lambda c: outbox.pause_account(c, "slack:x", world.now, "429"))
    store.write(lambda c: outbox.resume_account(c, "slack:x", world.now))

    def of(name: str, found: Numbers) -> float:
        return found[f'connector_account_{name}{{account="zendesk:acme"}}']

    found = numbers()
    assert (of("limit_calls", found), of("limit_window_seconds", found)) == (700, 60)
    assert of("calls_left", found) == 36  # a tenth of 560 at once, and 20 are gone
    assert of("wait_seconds", found) == 0
    assert of("quota_used_ratio", found) == 0.25
    assert found['connector_account_wait_seconds{account="slack:x"}'] == 0

    pause = world.now + timedelta(minutes=5)
    store.write(lambda c: outbox.pause_account(c, "zendesk:acme", pause, "429"))
    found = numbers()
    assert (of("calls_left", found), of("wait_seconds", found)) == (0, 300)


def test_whole_tables_are_not_counted_at_every_scrape(world, numbers):
    numbers()
    world.answer(id="1", score=1)
    found = numbers()
    assert found['connector_received_total{source="app"}'] == 0
    assert 'connector_last_answer_timestamp_seconds{source="app"}' in found


def test_with_the_database_down_the_scrape_says_so(world, numbers, monkeypatch):
    monkeypatch.setattr(world.workspace.store, "read", broken)
    found = numbers()
    assert found["connector_database_up"] == 0
    assert not [name for name in found if name.startswith("connector_received")]
