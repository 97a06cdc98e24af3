"""Whose turn it is to write to SQLite: webhooks first, and yet everybody gets on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from connector.store import Store, writer
from connector.store.database import StoreDown
from connector.store.writer import Writer


class Clock:
    """Stands still unless a job says that it took time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


class Waiting(threading.Condition):
    """Who waits for a time finds it come."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            return super().wait()
        self._clock.now += timeout
        return False


class Desk:
    """A writer that is busy until `go`, and what it did in which order."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.clock = clock
        self.senders = 0
        self.order: list[str] = []
        self.engine = store.engine
        self.writer = Writer(store.engine, lambda: self.senders)
        self.started, self._go = threading.Event(), threading.Event()
        self._futures = [self.writer.submit(self._busy, urgent=True)]

    def _busy(self, _connection: object) -> None:
        self.started.set()
        self._go.wait(10)

    def put(
        self, name: str, urgent: bool = False, takes: float = 0, then: Callable[[], object] = int
    ) -> None:
        def work(_connection: object) -> None:
            self.order.append(name)
            self.clock.now += takes
            then()

        self._futures.append(self.writer.submit(work, urgent))

    def go(self) -> list[str]:
        """Until all is done that was put, also meanwhile."""
        self._go.set()
        for future in self._futures:
            future.result(10)
        return self.order


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(writer, "time", made)
    waiting = SimpleNamespace(**vars(threading) | {"Condition": lambda: Waiting(made)})
    monkeypatch.setattr(writer, "threading", waiting)
    return made


@pytest.fixture
def desk(tmp_path, clock) -> Iterator[Desk]:
    store = Store(f"sqlite:///{tmp_path / 'test.db'}")
    made = Desk(store, clock)
    yield made
    made.go()
    made.writer.close()
    store.close()


def test_a_turn_ends_when_it_is_long_and_a_webhook_waits(desk):
    desk.put("decide", takes=0.03)
    desk.put("deliver")
    desk.put("webhook", urgent=True)
    assert desk.go() == ["decide", "webhook", "deliver"]


def test_short_jobs_share_a_commit_before_the_webhook_that_waits(desk):
    desk.put("decide", takes=0.01)
    desk.put("deliver")
    desk.put("webhook", urgent=True)
    assert desk.go() == ["decide", "deliver", "webhook"]


def test_in_a_crowd_the_others_rest_as_long_as_their_turn_took_and_then_go_on(desk):
    desk.senders = 10

    def later() -> None:
        desk.put("second webhook", urgent=True, takes=0.05, then=last)

    def last() -> None:
        desk.put("third webhook", urgent=True)

    desk.put("decide", takes=0.03)
    desk.put("deliver")
    desk.put("webhook", urgent=True, takes=0.01, then=later)
    expected = ["decide", "webhook", "second webhook", "deliver", "third webhook"]
    assert desk.go() == expected


def test_without_a_crowd_nobody_rests(desk):
    desk.senders = 9
    desk.put("decide", takes=0.03)
    desk.put("deliver")
    desk.put("webhook", urgent=True, then=lambda: desk.put("second webhook", urgent=True))
    assert desk.go() == ["decide", "webhook", "deliver", "second webhook"]


def test_a_job_that_took_long_is_not_paid_back_for_as_long(desk):
    desk.senders = 10
    desk.put("import", takes=60)
    desk.put("deliver")
    third = partial(desk.put, "third", urgent=True)
    second = partial(desk.put, "second", urgent=True, takes=0.2, then=third)
    desk.put("first", urgent=True, then=second)
    assert desk.go() == ["import", "first", "second", "deliver", "third"]


@pytest.mark.parametrize(("takes", "gaps"), [(0.04, 0), (0.06, 1)])
def test_who_writes_without_a_pause_leaves_a_gap_for_other_processes(desk, takes, gaps):
    desk.put("import", takes=takes, then=lambda: desk.put("deliver"))
    desk.go()
    assert len(desk.clock.slept) == gaps


def test_when_it_cannot_even_begin_all_who_wait_are_told_at_once(desk, monkeypatch):
    begun: list[bool] = []

    def down() -> None:
        begun.append(True)
        raise OperationalError("BEGIN", None, Exception("disk I/O error"))

    desk.started.wait(10)
    monkeypatch.setattr(desk.engine, "begin", down)
    futures = [desk.writer.submit(lambda _: 1, urgent) for urgent in (False, False, True)]
    desk.go()
    assert [type(future.exception(10)) for future in futures] == [OperationalError] * 3
    assert begun == [True]
    monkeypatch.undo()
    assert desk.writer.submit(lambda _: 2, urgent=True).result(10) == 2


def test_what_waits_when_it_is_closed_is_done_and_nothing_more_is_taken(desk):
    desk.senders = 10
    desk.put("decide", takes=0.03)
    desk.put("deliver")
    desk.put("webhook", urgent=True)
    desk.go()
    desk.writer.close()
    assert sorted(desk.order) == ["decide", "deliver", "webhook"]
    with pytest.raises(StoreDown):
        desk.writer.submit(lambda _: 1, urgent=True)
