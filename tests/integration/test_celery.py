"""Receiver, workers and beat as real processes, on PostgreSQL with Valkey and with RabbitMQ."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from connector.engine.broker import ANSWER_SECONDS
from tests.integration.cluster import Cluster, RabbitMQ, Valkey, cluster, wait_for


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ | None]:
    """Starting from the first test on, for the last."""
    place = tmp_path_factory.mktemp("rabbitmq")
    with contextlib.ExitStack() as ending:
        server = None
        with contextlib.suppress(pytest.skip.Exception):
            server = RabbitMQ(place)
            ending.callback(server.end)
        yield server


@pytest.fixture(scope="module")
def valkey(rabbitmq: RabbitMQ | None) -> Iterator[Valkey]:
    server = Valkey()
    yield server
    server.end()


@pytest.fixture
def installation(tmp_path: Path, postgres_store_url: str, valkey: Valkey) -> Iterator[Cluster]:
    """Configured and on an empty database; the test starts what it needs."""
    valkey.say("FLUSHALL")
    with cluster(tmp_path, postgres_store_url, valkey.url) as made:
        yield made


def start_all(installation: Cluster) -> None:
    for words in (("web",), ("worker",), ("beat",)):
        installation.start(*words)
    wait_for(installation.is_ready)
    wait_for(lambda: installation.says('"working: '))


def end_all(installation: Cluster) -> list[int]:
    running = [process for process in installation.processes if process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    return [process.wait(30) for process in running]


def answer_many(installation: Cluster, name: str, count: int) -> None:
    for number in range(count):
        assert installation.post(id=f"{name}-{number}", score=1) == 202


def test_a_slow_sink_delays_no_other_and_sigterm_finishes_its_calls(installation):
    installation.never_sweep()
    start_all(installation)
    assert installation.post(id="first", score=0) == 202
    wait_for(installation.tickets)

    zendesk, slack = installation.sandbox.zendesk, installation.sandbox.slack
    zendesk.fault("slow", method="POST", path="/api/v2/tickets", times=None, seconds=2)
    answer_many(installation, "slow", 9)  # more than there are threads for one sink
    assert installation.post(id="happy", score=10) == 202
    wait_for(lambda: slack.counts()["slack.message"])
    assert installation.tickets() == 1, "it waited for the slow one"
    assert "sending" in installation.states()

    assert end_all(installation) == [0, 0, 0]
    assert "sending" not in installation.states()
    assert 1 < installation.tickets() < 10

    lines = [json.loads(line) for line in installation.log().splitlines()]
    first = next(line["response"] for line in lines if line["message"] == "decided")
    story = [line["message"] for line in lines if line.get("response") == first]
    assert story == ["decided", "zendesk.ticket done"]


def test_a_broker_that_hangs_or_dies_and_forgets_costs_seconds_and_no_answer(installation, valkey):
    start_all(installation)
    answer_many(installation, "before", 3)
    wait_for(lambda: installation.tickets() == 3)

    valkey.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    answer_many(installation, "hanging", 5)
    assert time.monotonic() - began < ANSWER_SECONDS, "an answer waited for the broker"
    ready = installation.get("/readyz")
    assert (ready.status_code, list(ready.json()["reasons"])) == (503, ["broker"])
    assert installation.get("/readyz?exclude=broker").status_code == 200

    valkey.end(signal.SIGKILL)
    answer_many(installation, "without", 5)
    valkey.start()
    wait_for(lambda: installation.tickets() == 13)
    valkey.say("FLUSHALL")
    answer_many(installation, "after", 5)
    wait_for(lambda: installation.tickets() == 18)
    assert installation.get("/readyz").status_code == 200
    assert end_all(installation) == [0, 0, 0]
    assert installation.tickets() == 18


def test_two_beats_and_killed_workers_make_nothing_twice_and_lose_nothing(installation):
    start_all(installation)
    installation.start("beat")
    second = installation.start("worker", "--sinks", "desk")
    wait_for(lambda: installation.log().count('"working: ') == 2)
    zendesk = installation.sandbox.zendesk
    zendesk.fault("slow", method="POST", path="/api/v2/tickets", times=4, seconds=1.5)
    answer_many(installation, "a", 10)
    wait_for(lambda: "sending" in installation.states())
    for process in (installation.processes[1], second):
        process.kill()
        process.wait()
    installation.start("worker")

    passed = text("UPDATE actions SET lease_until = now() WHERE lease_until > now()")

    def minutes_later() -> bool:
        installation.store.write(lambda c: c.execute(passed))  # the leases of the dead run out
        return installation.states() == {"done"}

    wait_for(minutes_later)
    assert installation.tickets() == 10
    polls = [datetime.fromisoformat(c.at) for c in installation.sandbox.delighted.calls("GET")]
    gaps = [later - earlier for earlier, later in itertools.pairwise(polls)]
    assert min(gaps) > timedelta(seconds=1.5)  # `poll_every` is two, whoever rings
    assert end_all(installation) == [0, 0, 0, 0]


def test_on_rabbitmq_the_same(tmp_path, rabbitmq, postgres_store_url):
    if rabbitmq is None:
        pytest.skip("no RabbitMQ: apt install rabbitmq-server")
    rabbitmq.wait()
    with cluster(tmp_path, postgres_store_url, rabbitmq.url) as installation:
        installation.never_sweep()
        start_all(installation)
        answer_many(installation, "a", 8)
        wait_for(lambda: installation.tickets() == 8)
        assert installation.get("/readyz").status_code == 200
        assert end_all(installation) == [0, 0, 0]
        assert installation.tickets() == 8
