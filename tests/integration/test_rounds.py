"""Many actions in one round: what was not called was never sent; leases last while work does."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from connector import calling, delivery, keeper
from connector.delivery import Courier
from connector.domain import Receipt
from connector.errors import LookFirst, Paused, TryLater
from connector.keeper import Keeper
from connector.store import outbox, sending
from connector.store.tables import actions, attempts
from tests.integration.far_side import CASES, Post

KEYED = replace(CASES, batch=1, key_lifetime=timedelta(minutes=110))
LATER = delivery.LEASE + timedelta(seconds=1)


class Killed(BaseException):
    pass


@pytest.fixture
def post(world) -> Post:
    """Five tickets are due, one call each."""
    made = Post(world)
    made.desk.capabilities = KEYED
    for number in range(5):
        world.answer(id=str(number), score=2)
    return made


def courier(post: Post, size: int = 5, keeper: Keeper | None = None) -> Courier:
    made = Courier(post.store, "desk", post.desk, lambda: post.world.now, keeper)
    made.size.actions = size
    return made


def rows(post: Post) -> list[Any]:
    with post.store.read() as connection:
        return list(connection.execute(select(actions).order_by(actions.c.id)))


def tries(post: Post) -> list[tuple[int, str, str | None]]:
    with post.store.read() as connection:
        found = connection.execute(select(attempts).order_by(attempts.c.id))
        return [(row.number, row.step, row.outcome) for row in found]


def untouched(row: Any) -> bool:
    never = (row.request, row.first_sent_at, row.last_sent_at, row.lease_until)
    return (row.state, row.attempts, *never) == ("waiting", 0, None, None, None, None)


@pytest.mark.parametrize(
    "error", [TryLater("slow down", 40, account_wide=True), Paused("401: make a new token")]
)
def test_once_the_account_has_to_wait_the_rest_of_the_round_is_unsent_and_not_counted(post, error):
    post.desk.then = [lambda batch: [post.desk.make(one) for one in batch]]
    post.desk.fails(error)

    assert courier(post).round().outcomes == {"done": 1, "wait": 1}
    assert len(post.desk.sent) == 2
    assert [untouched(row) for row in rows(post)] == [False, False, True, True, True]
    assert tries(post) == [(1, "send", "done"), (1, "send", type(error).__name__)]
    assert courier(post).round().outcomes == {}, "the account waits"
    post.settle()
    assert post.states() == ["done"] * 5
    assert len(post.desk.made) == 5


def test_a_limit_that_is_met_while_requests_are_built_sends_none_of_them(post, monkeypatch):
    """Nor are they marked: killed right then, a message would be in doubt that nobody sent."""
    marked: list[Any] = []
    monkeypatch.setattr(sending, "start", lambda *given: marked.append(given))
    asked: list[Any] = []
    prepare = post.desk.prepare

    def second_refused(orders: Any, now: Any) -> Any:
        asked.extend(orders)
        if len(asked) == 2:
            raise TryLater("slow down", 40, account_wide=True)
        return prepare(orders, now)

    post.desk.prepare = second_refused  # type: ignore[method-assign]
    assert courier(post).round().outcomes == {"wait": 1}
    assert len(asked) == 2
    assert post.desk.sent == marked == []
    assert [untouched(row) for row in rows(post)] == [True, False, True, True, True]


def test_what_was_unheard_before_stays_so_when_it_is_not_called_again(post):
    """Handed back as it was: its bytes and its first send are not forgotten."""
    post.desk.fails(LookFirst("no answer"), times=5)
    courier(post).round()
    before = {row.id: (row.state, row.request, row.first_sent_at) for row in rows(post)}
    post.world.now += timedelta(minutes=1)
    post.desk.fails(TryLater("slow down", 40, account_wide=True))
    courier(post).round()

    assert {row.id: (row.state, row.request, row.first_sent_at) for row in rows(post)} == before


def test_who_slept_between_marking_and_calling_does_not_call_any_more(post):
    """Others may have looked meanwhile and found nothing."""
    make = post.desk.make

    def slow(batch: Any) -> Any:
        post.world.now += calling.LATE
        return [make(one) for one in batch]

    post.desk.then = [slow]
    assert courier(post).round().outcomes == {"done": 1}
    assert len(post.desk.sent) == 1
    assert [untouched(row) for row in rows(post)] == [False, True, True, True, True]
    assert courier(post).round().outcomes == {"done": 4}


@pytest.mark.parametrize("called", [0, 2])
@pytest.mark.parametrize("gone", [LATER, timedelta(hours=3)])
def test_a_kill_within_a_round_makes_each_effect_once(post, called, gone):
    def killed(batch: Any) -> Any:
        raise Killed

    post.desk.then = [lambda batch: [post.desk.make(one) for one in batch]] * called + [killed]
    with pytest.raises(Killed):
        courier(post).round()
    assert post.states() == ["sending"] * 5
    post.world.now += gone
    post.settle()

    assert post.states() == ["done"] * 5
    keys = [key for key, _ in post.desk.made]
    if gone == LATER:  # the vendor knows the key, and makes nothing twice: the bytes are the same
        assert len({body for _, body in post.desk.made}) <= 5
        assert len(set(keys)) == 5
    else:
        assert len(keys) == len(set(keys)) == 5, "after the key's life it was looked for"
    assert [t for t in tries(post) if t[2] is None] == [(1, "send", None)] * 5


def test_rounds_grow_with_a_backlog_and_fall_back_when_there_is_none(post):
    one = courier(post, size=1)
    assert [one.round().actions for _ in range(3)] == [1, 2, 2]
    assert one.size.actions == 1, "that round was not full"
    one.size.actions = 4
    assert one.round().actions == 0
    assert one.size.actions == 1


def test_others_are_called_for_help_before_the_calls_are_made_and_only_where_there_is_more(post):
    heard: list[int] = []
    done = courier(post, size=3).round(more=lambda: heard.append(len(post.desk.sent)))
    assert (done.actions, heard) == (3, [0])
    courier(post, size=3).round(more=lambda: heard.append(1))
    assert heard == [0], "that round was not full"


# -- leases ---------------------------------------------------------------------------------------


def test_a_call_that_takes_longer_than_a_lease_is_not_taken_over(post):
    holding = Keeper(post.store, lambda: post.world.now)

    def long(batch: Any) -> Any:
        for _ in range(3):
            post.world.now += delivery.LEASE / 2
            holding.renew()
        assert post.store.write(lambda c: sending.claim(c, "desk", 9, post.world.now, LATER)) == []
        return [post.desk.make(one) for one in batch]

    post.desk.then = [long]
    post.desk.capabilities = replace(KEYED, batch=5)
    assert courier(post, keeper=holding).round().outcomes == {"done": 5}
    holding.stop()


def test_the_keeper_goes_round_by_itself_and_lets_go_of_what_is_done(post, monkeypatch):
    monkeypatch.setattr(keeper, "LEASE", timedelta(seconds=0.04))
    renewed, first = threading.Event(), rows(post)[0].id

    def renew(connection: Any, claimed: Any, now: Any, lease: Any) -> None:
        assert first in [row.id for row in claimed]
        renewed.set()

    monkeypatch.setattr(sending, "renew", renew)
    holding = Keeper(post.store, lambda: post.world.now)

    def long(batch: Any) -> Any:
        assert renewed.wait(20)
        return [post.desk.make(one) for one in batch]

    post.desk.then = [long]
    courier(post, size=1, keeper=holding).round()
    holding.stop()
    renewed.clear()
    holding.renew()
    assert not renewed.is_set()


def test_who_was_frozen_past_its_lease_gets_it_back_neither_by_renewing_nor_by_recording(post):
    """Another process took its work over; a late receipt is kept all the same."""
    frozen = Keeper(post.store, lambda: post.world.now)

    def asleep(batch: Any) -> Any:
        receipts = [post.desk.make(one) for one in batch]
        post.world.now += LATER
        taken = post.store.write(lambda c: sending.claim(c, "desk", 9, post.world.now, LATER))
        frozen.renew()
        held = {row.id: row.lease_until for row in rows(post)}
        assert {held[row.id] for row in taken} == {post.world.now + LATER}
        return [receipts[0], *(LookFirst("no answer") for _ in receipts[1:])]

    post.desk.capabilities = replace(KEYED, batch=5)
    post.desk.then = [asleep]
    assert courier(post, keeper=frozen).round().outcomes == {"done": 1}
    frozen.stop()
    assert post.states() == ["done", *["sending"] * 4]
    assert rows(post)[0].remote_id == "T-1"
    assert {row.error for row in rows(post)} == {None}


def test_what_was_let_go_before_its_round_is_over_gets_no_lease_again(post):
    """Nobody would work on it until that lease ran out."""
    holding = Keeper(post.store, lambda: post.world.now)
    prepare = post.desk.prepare

    def slow(orders: Any, now: Any) -> Any:
        built = prepare(orders, now)
        if len(post.desk.orders) == 2:
            post.world.now += calling.LATE
            return [TryLater("the look-up failed", 5)]
        return built

    def long(batch: Any) -> Any:
        holding.renew()
        return [post.desk.make(one) for one in batch]

    post.desk.prepare = slow  # type: ignore[method-assign]
    post.desk.then = [long]
    assert courier(post, keeper=holding).round().outcomes == {"wait": 1, "done": 1}
    holding.stop()
    assert {row.lease_until for row in rows(post)} == {None}
    assert courier(post).round().outcomes == {"done": 3}


def test_a_round_that_hangs_for_ever_is_not_kept_for_ever(post, monkeypatch):
    monkeypatch.setattr(keeper, "_STUCK_SECONDS", -1.0)
    holding = Keeper(post.store, lambda: post.world.now)
    claimed = post.store.write(lambda c: sending.claim(c, "desk", 9, post.world.now, LATER))
    with holding.holding(claimed):
        post.world.now += LATER
        holding.renew()
    holding.stop()
    taken = post.store.write(lambda c: sending.claim(c, "desk", 9, post.world.now, LATER))
    assert [row.id for row in taken] == [row.id for row in claimed]


def test_a_receipt_for_somebody_who_was_erased_meanwhile_costs_the_others_nothing(post):
    first = rows(post)[0]

    def erased(batch: Any) -> Any:
        gone = {"state": "superseded", "order": {}, "request": None}
        post.store.write(lambda c: outbox.change_action(c, first.id, **gone))
        return [Receipt(remote_id=f"T-{one.order.key}", remark="x") for one in batch]

    post.desk.capabilities = replace(KEYED, batch=5)
    post.desk.then = [erased]
    assert courier(post).round().outcomes == {"done": 5}
    assert [row.remark for row in rows(post)] == [None, "x", "x", "x", "x"]
    assert "delete it there" in post.alarms()["erased"]


@pytest.mark.parametrize(
    "odd",
    [
        {"remote_id": "7\x00"},
        {"remote_id": "7", "url": "\ud800"},
        {"remote_id": "7", "remark": "\0"},
    ],
)
def test_a_receipt_that_no_database_takes_costs_the_others_nothing(post, odd):
    post.desk.capabilities = replace(KEYED, batch=5)
    post.desk.then = [
        lambda batch: [
            Receipt(**odd, needs_attention=True),
            *(post.desk.make(one) for one in batch[1:]),
        ]
    ]
    assert courier(post).round().outcomes == {"done": 5}
    assert rows(post)[0].remote_id == "7"
