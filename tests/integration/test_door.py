"""The door on each database: durable before it is told, in groups, and nobody pays for another."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from connector.store import arrivals
from connector.store.arrivals import Record
from connector.store.database import Collided, StoreDown
from connector.store.tables import inbox
from connector.web.door import Door


def records(now, *bodies: bytes) -> list[Record]:
    return [Record("app", "webhook", body, now) for body in bodies]


def stored(store) -> list[tuple[bytes, int]]:
    """(body, how often seen), in the order of their ids."""
    with store.read() as connection:
        rows = connection.execute(inbox.select().order_by(inbox.c.id))
        return [(row.body, row.seen) for row in rows]


def come_together(door: Door, *webhooks: list[Record]) -> list[BaseException | None]:
    async def come() -> list[BaseException | None]:
        return await asyncio.gather(*map(door.keep, webhooks), return_exceptions=True)

    return asyncio.run(come())


@pytest.fixture
def rung() -> list[bool]:
    return []


@pytest.fixture
def door(store, rung) -> Door:
    return Door(store, lambda: rung.append(True))


def test_who_comes_at_the_same_time_is_stored_together_in_order_and_rings_once(
    door, store, now, rung
):
    bodies = [f"{number}".encode() for number in range(20)]
    assert come_together(door, *(records(now, body) for body in bodies)) == [None] * 20

    assert stored(store) == [(body, 1) for body in bodies]
    assert rung == [True]
    assert store.senders == 0


def test_a_record_is_kept_once_and_counted_as_often_as_it_came(door, store, now):
    come_together(door, records(now, b"a", b"b"), records(now, b"a"), records(now, b"c", b"c"))
    come_together(door, records(now, b"b"))

    assert stored(store) == [(b"a", 2), (b"b", 2), (b"c", 2)]


def test_nobody_is_told_before_the_commit(door, store, now, monkeypatch):
    commit: Future[None] = Future()
    monkeypatch.setattr(store, "write_first", lambda work: commit)

    async def come() -> None:
        waiting = asyncio.create_task(door.keep(records(now, b"a")))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        commit.set_result(None)
        await waiting

    asyncio.run(come())


def refuse(monkeypatch, hostile: bytes, error: Exception) -> list[int]:
    """The store fails with a group that holds this; returns how large the groups were."""
    sizes, keep = [], arrivals.keep

    def strict(connection, group):
        sizes.append(len(group))
        kept = keep(connection, group)
        if any(record.body == hostile for record in group):
            raise error
        return kept

    monkeypatch.setattr(arrivals, "keep", strict)
    return sizes


@pytest.mark.parametrize("error", [ValueError("a value no one foresaw"), Collided("deadlock")])
def test_who_came_together_with_a_bad_one_is_stored(door, store, now, rung, monkeypatch, error):
    sizes = refuse(monkeypatch, b"bad", error)
    told = come_together(door, *(records(now, body) for body in (b"a", b"bad", b"b")))

    assert told == [None, error, None]
    assert stored(store) == [(b"a", 1), (b"b", 1)]
    assert sizes == [3, 1, 1, 1]
    assert rung == [True, True]


def test_a_database_that_is_down_is_not_asked_again_for_each(door, store, now, rung, monkeypatch):
    sizes = refuse(monkeypatch, b"a", StoreDown("the disk is full"))
    told = come_together(door, records(now, b"a"), records(now, b"b"))

    assert [type(error) for error in told] == [StoreDown, StoreDown]
    assert sizes == [2]
    assert stored(store) == []
    assert rung == []


def test_after_a_group_that_could_not_even_begin_the_next_one_is_stored(
    door, store, now, monkeypatch
):
    failed: Future[None] = Future()
    failed.set_exception(StoreDown("no connection"))

    async def come() -> None:
        with monkeypatch.context() as down:
            down.setattr(store, "write_first", lambda work: failed)
            with pytest.raises(StoreDown):
                await door.keep(records(now, b"a"))
        await asyncio.wait_for(door.keep(records(now, b"b")), 10)

    asyncio.run(come())
    assert stored(store) == [(b"b", 1)]


def test_who_comes_while_the_store_is_busy_shares_the_next_commit(door, store, now, monkeypatch):
    began, go_on, sizes, keep = threading.Event(), threading.Event(), [], arrivals.keep

    def slow(connection, group):
        sizes.append(len(group))
        began.set()
        go_on.wait(10)
        return keep(connection, group)

    monkeypatch.setattr(arrivals, "keep", slow)

    async def come() -> None:
        first = asyncio.create_task(door.keep(records(now, b"first")))
        await asyncio.to_thread(began.wait, 10)
        later = [asyncio.create_task(door.keep(records(now, b"%d" % n))) for n in range(5)]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, *later)

    asyncio.run(come())
    assert sizes == [1, 5]
    assert len(stored(store)) == 6


def test_with_a_closed_store_the_sender_is_told_to_come_again(door, store, now):
    store.close()
    assert isinstance(come_together(door, records(now, b"a"))[0], StoreDown)
