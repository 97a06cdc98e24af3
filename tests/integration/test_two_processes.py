"""Two processes on one database: nothing is lost, made twice, or waits for ever."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from connector import customers, deciding, erasure, facts, importing
from connector.config import AlarmChannel
from connector.domain import Respondent
from connector.engine.chores import do_chores
from connector.store import (
    Store,
    alarms,
    answers,
    forgetting,
    identities,
    outbox,
    people,
    recovering,
)
from connector.store.tables import actions
from connector.workspace import Workspace

PATIENCE_SECONDS = 20
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def other(world) -> Iterator[Workspace]:
    """The same installation as another process has it."""
    store = Store(world.workspace.store.url)
    yield Workspace(world.workspace.settings, store)
    store.close()


@pytest.fixture
def meeting(monkeypatch) -> Callable[..., None]:
    """`meeting(module, "name")`: two callers wait for each other there, where they can meet at
    all (SQLite lets one of them in after the other)."""

    def make(module: Any, name: str) -> None:
        real = getattr(module, name)
        barrier = threading.Barrier(2)

        def both(*arguments: Any, **named: Any) -> Any:
            result = real(*arguments, **named) if name.startswith("find") else None
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(0.5)
            return result if name.startswith("find") else real(*arguments, **named)

        monkeypatch.setattr(module, name, both)

    return make


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """The results of all, or the error that one of them raised."""
    results: list[Any] = [None] * len(jobs)

    def run(number: int) -> None:
        try:
            results[number] = jobs[number]()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[number] = error

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "they wait for each other"
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def decide_all(world, other) -> None:
    """Both take one record each at the same moment, then what is left."""

    def one(workspace: Workspace) -> Callable[[], Any]:
        return lambda: deciding.decide_batch(workspace, world.now, limit=1)

    together(one(world.workspace), one(other))
    while world.decide().records:
        pass


def quarantined(world) -> int:
    with world.workspace.store.read() as connection:
        from connector.store import arrivals

        return arrivals.arrival_counts(connection).get("quarantined", 0)


def test_two_answers_of_one_customer_see_each_other_and_nobody_waits_for_ever(
    world, other, meeting
):
    for number, score in enumerate((8, 2, 3)):
        given = (world.now - timedelta(minutes=9 - number)).isoformat()
        world.post(id=str(number), score=score, email="ana@example.com", at=given)
        if number == 0:
            world.decide()
    meeting(people, "attributes")
    decide_all(world, other)

    assert quarantined(world) == 0
    seen = []
    with world.workspace.store.read() as connection:
        for response in world.responses():
            first, *again = answers.decisions_of(connection, response.id)
            seen.append((again or [first])[-1].facts["history"])
    assert sorted(history["answers"] for history in seen) == [0, 1, 2]
    # Who was decided first sees no case, unless the other one was given before it.
    assert sorted(history["open_cases"] for history in seen) in ([0, 0, 1], [0, 1, 1])


def test_two_revisions_of_one_new_answer_are_one_response_with_the_newest_words(
    world, other, meeting
):
    world.post(id="1", score=2, comment="first", revised="2026-11-20T12:00:00Z")
    world.post(id="1", score=2, comment="second", revised="2026-11-20T12:01:00Z")
    meeting(answers, "find_responses")
    decide_all(world, other)

    assert quarantined(world) == 0
    assert [r.content["comment"] for r in world.responses()] == ["second"]
    assert world.made() == [("zendesk.ticket", "waiting")]


def test_who_is_new_to_both_becomes_one_customer(world, other, meeting):
    world.post(id="1", score=2, email="new@example.com")
    world.post(id="2", score=3, email="new@example.com")
    meeting(identities, "_claim")
    decide_all(world, other)

    assert quarantined(world) == 0
    with world.workspace.store.read() as connection:
        found = {
            identities.identify(connection, Respondent(), world.now),
            *(
                connection.exec_driver_sql("SELECT DISTINCT customer_id FROM responses")
                .scalars()
                .all()
            ),
        }
    assert len(found - {identities.Identity(None)}) == 1


def test_what_the_database_undoes_because_of_a_deadlock_is_done_again(world, other):
    barrier = threading.Barrier(2)

    def alarms_in_order(*subjects: str) -> Callable[[Any], None]:
        def work(connection: Any) -> None:
            for subject in subjects:
                alarms.raise_alarm(connection, "test", subject, "m", world.now)
                with contextlib.suppress(threading.BrokenBarrierError):
                    barrier.wait(0.5)

        return work

    together(
        lambda: world.workspace.store.write(alarms_in_order("a", "b")),
        lambda: other.store.write(alarms_in_order("b", "a")),
    )
    with world.workspace.store.read() as connection:
        assert [(a.subject, a.count) for a in alarms.open_alarms(connection)] in (
            [("a", 2), ("b", 2)],
            [("b", 2), ("a", 2)],
        )


def test_trouble_with_the_database_is_never_the_fault_of_a_record(world, monkeypatch):
    from sqlalchemy.exc import OperationalError

    from connector.store.database import StoreDown

    world.post(id="1", score=2)
    with monkeypatch.context() as patched:

        def down(*_: Any) -> None:
            raise OperationalError("SELECT", {}, Exception("server closed the connection"))

        patched.setattr(facts, "gather_facts", down)
        with pytest.raises(StoreDown):
            world.decide()

    assert world.decide().changes == {"new": 1}


def test_an_alarm_is_told_once_by_two_processes(world, other):
    channel = AlarmChannel(sink="chat", channel="#ops")
    settings = world.workspace.settings.model_copy(update={"alarms": channel})
    world.workspace.settings = other.settings = settings
    world.workspace.store.write(
        lambda c: alarms.raise_alarm(c, "surge", "app", "too many", world.now)
    )
    together(
        lambda: do_chores(world.workspace, world.now),
        lambda: do_chores(other, world.now),
    )
    assert world.made() == [("slack.message", "waiting")]


def test_one_file_imported_by_two_at_once_is_there_once(world, other):
    lines = [f"2026-11-01,p{n}@example.com,{n % 11},hello" for n in range(300)]
    data = "\n".join(["Date,Email,Score,Comment", *lines]).encode()

    def take(workspace: Workspace) -> importing.Imported:
        rows = importing.read_rows(workspace, "file", data)
        return importing.import_rows(workspace, "file", rows, world.now, False, lambda _: None)

    done = together(lambda: take(world.workspace), lambda: take(other))

    assert sum(one.new for one in done) == 300
    assert sum(one.repeated for one in done) == 300
    assert len(world.responses()) == 300
    assert quarantined(world) == 0
    assert world.made() == []


def test_who_is_erased_while_their_answer_is_decided_stays_erased(world, other, monkeypatch):
    world.answer(id="1", score=2, comment="my secret story", email="ana@example.com")
    world.post(id="1", score=2, comment="my secret story, again", email="ana@example.com")
    look, erasing = forgetting.are_forgotten, []

    def then_erased(*arguments: Any) -> list[bool]:
        found = look(*arguments)
        if not erasing:
            job = (other.store, "ana@example.com", world.now)
            erasing.append(threading.Thread(target=erasure.erase_email, args=job, daemon=True))
            erasing[0].start()
            erasing[0].join(0.5)
        return found

    monkeypatch.setattr(forgetting, "are_forgotten", then_erased)
    world.decide()
    erasing[0].join(PATIENCE_SECONDS)
    world.decide()

    kept = json.dumps([[r.content, r.score] for r in world.responses()])
    assert "secret" not in kept
    assert {state for _, state in world.made()} == {"superseded"}


def test_old_answers_by_the_thousand_do_not_delay_a_live_one(world):
    old = [json.dumps({"id": str(n), "score": 1, "survey": "nps"}).encode() for n in range(200)]
    from connector.store import arrivals

    world.workspace.store.write(lambda c: arrivals.store_records(c, "app", "poll", old, world.now))
    world.post(id="live", score=1)
    decided = world.decide()

    assert decided.sinks == {"desk"}
    assert world.made() == [("zendesk.ticket", "waiting")]


def test_a_long_import_lets_others_write_in_between(store, store_url):
    """Also on SQLite, where a process that waits politely would be overtaken for ever."""
    importer = Store(store_url)
    stop = threading.Event()

    def long_transaction(connection: Any) -> None:
        alarms.raise_alarm(connection, "test", "x", "m", NOW)
        stop.wait(0.05)

    def keep_writing() -> None:
        while not stop.is_set():
            importer.write(long_transaction)

    thread = threading.Thread(target=keep_writing, daemon=True)
    thread.start()
    try:
        for _ in range(5):
            asked = threading.Thread(
                target=store.write,
                args=(lambda c: alarms.raise_alarm(c, "test", "y", "m", NOW),),
                daemon=True,
            )
            asked.start()
            asked.join(2)
            assert not asked.is_alive(), "nobody let it in"
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
        importer.close()


def test_deciders_that_collide_over_many_records_decide_them_one_by_one(world, monkeypatch):
    from sqlalchemy.exc import OperationalError

    class Deadlock(Exception):
        sqlstate = "40P01"

    decide_in, tried = deciding.decide_in, []

    def collide(
        connection: Any, workspace: Any, now: Any, limit: int, *more: Any, **named: Any
    ) -> Any:
        tried.append(limit)
        if limit > 1:
            raise OperationalError("SELECT", {}, Deadlock())
        return decide_in(connection, workspace, now, limit, *more, **named)

    monkeypatch.setattr(deciding, "decide_in", collide)
    for number in range(3):
        world.post(id=str(number), score=2)
    assert world.decide().changes == {"new": 3}
    assert tried[1:] == [1, 1, 1, 1]


def test_who_is_erased_while_their_attributes_are_imported_stays_erased(world, other, monkeypatch):
    world.answer(id="1", score=2, email="ana@example.com", name="Ana")
    identify, erasing = identities.identify, []

    def then_erased(*arguments: Any) -> Any:
        found = identify(*arguments)
        job = (other.store, "ana@example.com", world.now)
        erasing.append(threading.Thread(target=erasure.erase_email, args=job, daemon=True))
        erasing[0].start()
        erasing[0].join(0.5)
        return found

    monkeypatch.setattr(identities, "identify", then_erased)
    data = b"email,plan\nana@example.com,pro\n"
    assert customers.import_customers(world.workspace.store, data, {}, world.now).customers == 1
    erasing[0].join(PATIENCE_SECONDS)
    with world.workspace.store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM customers").scalar() == 0


LET_GO = {
    "what a flood held": ("held", None, lambda c: outbox.release(c, None, NOW)),
    "what a restore held": (
        "held",
        recovering.HELD,
        lambda c: recovering.release(c, None, NOW),
    ),
    "what was refused": ("parked", "422", lambda c: outbox.retry(c, [1, 2, 3], NOW)),
}


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("what", LET_GO)
def test_of_two_who_let_the_same_go_one_is_told_how_many(world, other, what):
    """On SQLite nobody comes between two statements."""
    state, error, let_go = LET_GO[what]
    store, told = world.workspace.store, []
    world.answer(id="1", score=2)
    store.write(lambda c: c.execute(update(actions).values(state=state, error=error)))

    def meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE actions") and not told:
            told.append("begun")
            told.append(other.store.write(let_go))

    event.listen(store.engine, "before_cursor_execute", meanwhile)
    assert store.write(let_go) == {}
    assert told[1:] == [{"desk": 1}]
