"""Wake-ups without a broker: who may work, who goes round, what rings when, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from connector import config
from connector.engine.beat import Beat, beat
from connector.engine.broker import broker_url, trouble
from connector.engine.celery_app import make_app
from connector.engine.crew import Crew
from connector.engine.doorbell import Doorbell
from connector.engine.patrol import Patrol
from connector.engine.wakeups import CHORES, DECIDE, Wakeup, deliver, only_for, poll, schedule
from connector.errors import Invalid
from connector.sandbox.credentials import SECRETS

EXAMPLE = Path(__file__).parents[2] / "config/connector.yaml"
NOBODY = "redis://127.0.0.1:1/0"  # a port on which nothing listens


def in_threads(count: int, work: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_a_tool_is_never_in_two_hands_and_only_as_many_are_made_as_are_needed():
    made: list[object] = []
    held: list[object] = []
    entered, leave = threading.Semaphore(0), threading.Event()

    def make() -> object:
        made.append(object())
        return made[-1]

    def work(tool: object) -> None:
        assert tool not in held
        held.append(tool)
        entered.release()
        leave.wait(5)
        held.remove(tool)

    crew = Crew(2, make)
    threads = in_threads(1, lambda: crew.turn(work))
    entered.acquire()
    threads += in_threads(1, lambda: crew.turn(work))
    entered.acquire()
    crew.turn(work)  # both are busy: it returns at once
    leave.set()
    for thread in threads:
        thread.join(5)
    crew.turn(lambda _: None)
    assert len(made) == 2


def test_who_comes_while_all_are_busy_is_not_forgotten():
    turns: list[int] = []
    entered, leave = threading.Event(), threading.Event()

    def work(_: object) -> None:
        turns.append(1)
        entered.set()
        leave.wait(5)

    crew = Crew(1, object)
    [thread] = in_threads(1, lambda: crew.turn(work))
    entered.wait(5)
    for _ in range(3):
        crew.turn(work)
    leave.set()
    thread.join(5)
    assert len(turns) == 2  # the second sees everything that the three came for


def test_a_turn_that_fails_gives_its_tool_back():
    crew = Crew(1, object)

    def fail(_: object) -> None:
        raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            crew.turn(fail)


def test_a_tool_that_cannot_be_made_is_tried_again():
    attempts: list[int] = []

    def make() -> object:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError
        return object()

    crew = Crew(1, make)
    with pytest.raises(ConnectionError):
        crew.turn(lambda _: None)
    worked: list[object] = []
    crew.turn(worked.append)
    assert len(worked) == 1


@pytest.fixture
def settings() -> config.Settings:
    return config.load(EXAMPLE, {**SECRETS, "SMTP_HOST": "localhost"}, secrets=False, store=False)


def test_the_schedule_knows_every_stage_and_polls_at_the_pace_of_each_source(settings):
    every = schedule(settings)
    assert every[DECIDE] == every[deliver("zendesk-main")] == 5
    assert every[CHORES] == 60
    assert every[poll("delighted-main")] == 60
    assert poll("app") not in every  # a webhook has nothing to poll
    assert {w.of for w in every if w.task == "deliver"} == set(settings.sinks)


def test_a_worker_for_some_sinks_listens_to_nothing_else(settings):
    every = only_for(["mail", "slack-main"], schedule(settings))
    assert {wakeup.queue for wakeup in every} == {"deliver.mail", "deliver.slack-main"}


def test_each_sink_has_a_queue_of_its_own_and_sources_share_one():
    assert deliver("a").queue != deliver("b").queue
    assert poll("a").queue == poll("b").queue == "poll"


def patrol_at(clock: list[float], every: dict[Wakeup, float]) -> tuple[Patrol, list[Wakeup]]:
    went: list[Wakeup] = []
    return Patrol(every, went.append, clock=lambda: clock[0]), went


def test_a_worker_that_hears_nothing_goes_round_by_itself(caplog):
    clock = [0.0]
    patrol, went = patrol_at(clock, {DECIDE: 5, deliver("a"): 5, CHORES: 60})
    clock[0] = 14.0
    assert patrol.look() == []
    clock[0] = 16.0
    assert patrol.look() == [DECIDE, deliver("a")]
    assert "going round without them" in caplog.text
    clock[0] = 21.0  # now it knows, and keeps the schedule's own pace
    assert patrol.look() == [DECIDE, deliver("a")]
    patrol.ring(deliver("a"))  # what has just been decided does not wait for the next round
    patrol.heard(DECIDE)
    patrol.ring(deliver("a"))  # and is left to the broker once that works again
    clock[0] = 70.0
    assert CHORES in patrol.look()
    patrol.stop()
    patrol.ring(deliver("a"))
    assert went.count(deliver("a")) == 4


def test_a_ring_while_a_worker_ends_fails_nobody(caplog):
    clock = [0.0]
    patrol, went = patrol_at(clock, {deliver("a"): 5})
    clock[0] = 16.0
    patrol.look()
    patrol.stop()
    patrol.ring(deliver("a"))
    assert went == [deliver("a")]


def test_a_stage_that_is_woken_is_left_alone():
    clock = [0.0]
    patrol, _ = patrol_at(clock, {DECIDE: 5, deliver("a"): 5})
    for at in range(0, 30, 5):
        clock[0] = float(at)
        patrol.heard(DECIDE)
        patrol.heard(deliver("gone"))  # of a newer configuration
        late = patrol.look()
        assert DECIDE not in late
        assert (deliver("a") in late) == (at in (15, 30))
    patrol.stop()


def test_beat_rings_each_at_its_pace_and_catches_up_with_nothing():
    rung: list[Wakeup] = []
    clock = Beat({DECIDE: 5, CHORES: 60}, rung.append)
    assert clock.tick(100.0) == 5
    assert rung == [DECIDE, CHORES]
    assert clock.tick(103.0) == 2
    clock.tick(105.0)
    clock.tick(1000.0)  # the machine slept
    assert rung == [DECIDE, CHORES, DECIDE, DECIDE, CHORES]
    assert clock.tick(1000.0) == 5


def test_beat_shows_that_it_lives(tmp_path):
    stop = threading.Event()
    file = tmp_path / "alive"
    beat({DECIDE: 5}, lambda _: stop.set(), stop, file)
    assert file.exists()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "CONNECTOR_BROKER is not set"),
        ({"CONNECTOR_BROKER": "sqla+sqlite:///x"}, "no address of Redis, Valkey or RabbitMQ"),
        ({"CONNECTOR_BROKER": "user:s3cret@host"}, "no address of Redis, Valkey or RabbitMQ"),
    ],
)
def test_a_broker_that_cannot_be_used_is_refused_with_a_sentence(tmp_path, environment, words):
    with pytest.raises(Invalid, match=words) as refused:
        broker_url(tmp_path, environment)
    assert "s3cret" not in str(refused.value)


def test_the_broker_is_found_in_the_environment_in_dotenv_and_in_a_file(tmp_path):
    url = "amqp://user:password@host:5672/vhost"
    assert broker_url(tmp_path, {"CONNECTOR_BROKER": url}) == url
    (tmp_path / "broker").write_text(f"{url}\n")
    assert broker_url(tmp_path, {"CONNECTOR_BROKER_FILE": str(tmp_path / "broker")}) == url
    (tmp_path / ".env").write_text("CONNECTOR_BROKER=redis://host/1\n")
    assert broker_url(tmp_path, {}) == "redis://host/1"


@pytest.mark.parametrize("url", [NOBODY, "amqp://user:s3cret@127.0.0.1:1//"])
def test_a_broker_that_is_gone_is_told_without_its_password(url):
    told = trouble(url)
    assert "does not answer" in told
    assert "s3cret" not in told


def test_ringing_never_waits_for_a_broker_and_closing_ends_soon():
    doorbell = Doorbell(make_app(NOBODY, ["a"]))
    for _ in range(10_000):
        doorbell.ring(DECIDE)
    doorbell.close(0.1)


def test_celery_reads_nothing_from_its_own_environment(monkeypatch):
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        monkeypatch.setenv(name, "redis://elsewhere:1/0")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "redis://elsewhere:1/0")
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "no_such_module")
    app = make_app("redis://here:6379/5", ["a"])
    assert app.connection_for_read().hostname == "here"
    assert app.connection_for_write().hostname == "here"
    assert app.conf.task_serializer == "json"
    assert type(app.backend).__name__ == "DisabledBackend"
