"""What nobody knows is looked for, also after it was parked; trouble of days loses nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector import rounds
from connector.domain import Receipt
from connector.errors import LookFirst, Paused, Refused, TryLater
from connector.store import outbox, sending
from connector.store.database import StoreDown
from tests.integration.far_side import CASES, HOUR, MESSAGES, Post

DAY = timedelta(days=1)


@pytest.fixture
def post(world) -> Post:
    return Post(world)


def unheard(post: Post, looks: int) -> None:
    """The ticket exists, but its reply and every look-up are lost for three days."""
    post.world.answer(id="1", score=2, comment="first")
    post.desk.fails(LookFirst("no answer"), after_doing_it=True)

    def lost(batch):
        raise LookFirst("no answer")

    post.desk.finds = [lost] * looks
    post.deliver()
    while "parked" not in post.states():
        post.deliver(after=2 * HOUR)


def test_what_was_given_up_unheard_is_looked_for_before_a_retry_sends_it(post):
    unheard(post, looks=200)
    post.desk.finds = []

    assert post.retry() == {"desk": 1}
    post.settle()
    assert post.states() == ["done"]
    assert len(post.desk.made) == 1, "one ticket, not two"


def test_what_was_given_up_unheard_is_looked_for_before_a_revision_amends_it(post):
    unheard(post, looks=200)
    post.desk.finds = []
    post.world.answer(
        id="1", score=2, comment="second", at="2026-11-23T12:00:00Z", revised="2026-11-23T12:00:00Z"
    )
    post.settle()

    assert post.states() == ["done", "done"]
    assert [key.endswith("-r2") for key, _ in post.desk.made] == [False, True]


def test_a_mistake_of_ours_after_the_far_side_acted_makes_nothing_twice(post):
    post.world.answer(id="1", score=2)
    post.desk.fails(KeyError("id"), after_doing_it=True)

    assert post.deliver() == {"parked": 1}
    post.retry()
    post.settle()
    assert post.states() == ["done"]
    assert len(post.desk.made) == 1


def test_a_message_that_may_have_arrived_is_not_sent_again_by_a_retry(post):
    post.world.answer(id="1", score=2, comment="a refund!")
    post.sides["chat"].fails(KeyError("ts"), after_doing_it=True)
    post.deliver("chat")
    post.retry()
    post.settle("chat")

    assert post.states("chat") == ["in_doubt"]
    assert len(post.sides["chat"].made) == 1


def test_a_look_up_that_is_refused_is_no_proof_that_nothing_is_there(post):
    post.world.answer(id="1", score=2)
    post.desk.fails(LookFirst("no answer"), after_doing_it=True)
    post.desk.finds = [lambda batch: [Refused("403: you may not search") for _ in batch]]
    post.deliver()
    assert post.deliver(after=HOUR) == {"parked": 1}

    post.retry()
    post.settle()
    assert len(post.desk.made) == 1


@pytest.mark.parametrize("done", [True, False])
def test_a_refusal_of_a_resend_is_no_proof_that_the_first_send_made_nothing(post, done):
    """Else a retry after the life of the key would make a second ticket."""
    post.desk.capabilities = replace(CASES, key_lifetime=timedelta(minutes=110))
    post.world.answer(id="1", score=2)
    post.desk.fails(LookFirst("no answer"), after_doing_it=done)
    post.deliver()
    post.desk.refuses(Refused("this requester is suspended"))
    assert post.deliver(after=timedelta(minutes=3)) == ({"done": 1} if done else {"parked": 1})
    post.world.now += 3 * HOUR
    post.retry()
    post.settle()
    assert post.states() == ["done"]
    assert len(post.desk.made) == 1


def test_a_look_behind_a_refusal_waits_until_a_slow_far_side_must_be_ready(post):
    post.desk.capabilities = replace(CASES, key_lifetime=timedelta(minutes=110))
    post.world.answer(id="1", score=2)
    post.desk.fails(LookFirst("no answer"))
    post.deliver()
    for _ in range(2):
        post.desk.refuses(Refused("this requester is suspended"))
    assert post.deliver(after=timedelta(seconds=20)) == {"wait": 1}
    post.settle()
    assert post.states() == ["parked"]
    assert len(post.desk.sent) == 3


def test_after_a_look_up_that_found_nothing_a_key_begins_a_new_life(post):
    """What was lost again is resent by its key at once, and not looked for as after hours."""
    post.desk.capabilities = replace(CASES, key_lifetime=timedelta(minutes=110))
    post.world.answer(id="1", score=2)
    post.desk.fails(LookFirst("no answer"), times=2)
    post.deliver()
    assert post.deliver(after=3 * HOUR) == {"wait": 1}
    assert len(post.desk.sent) == 2, "looked for, not there, sent again"
    looked = post.desk.looked
    post.deliver(after=timedelta(minutes=5))
    assert (len(post.desk.made), post.desk.looked) == (1, looked)


def test_what_was_refused_is_built_anew_by_a_retry(post):
    post.world.answer(id="1", score=2, comment="first")
    post.desk.refuses(Refused("no such group"))
    post.deliver()
    assert post.retry() == {"desk": 1}
    assert post.deliver() == {"done": 1}
    assert len(post.desk.orders) == 2


def test_days_without_credentials_park_nothing_also_when_the_backlog_is_throttled(post):
    for number in range(3):
        post.world.answer(id=str(number), score=2)
    post.desk.capabilities = replace(post.desk.capabilities, batch=1)
    post.desk.fails(Paused("401: make a new token"), times=1000)
    for _ in range(4 * 24):
        post.deliver(after=HOUR)
    post.desk.then = []
    post.desk.fails(TryLater("slow down", 40, account_wide=True), times=2)
    post.world.now += HOUR
    post.settle()

    assert post.states() == ["done"] * 3


def test_a_flood_that_is_released_late_is_not_given_up_at_the_first_trouble(make_world):
    post = Post(make_world(surge=1))
    for number in range(2):
        post.world.answer(id=str(number), score=2)
    post.settle()
    post.world.now += 4 * DAY
    post.store.write(lambda c: outbox.release(c, "app", post.world.now))
    post.desk.fails(TryLater("503"))
    post.settle()

    assert post.states() == ["done", "done"]


def test_trouble_before_the_send_is_tried_less_and_less_often(post, monkeypatch):
    post.world.answer(id="1", score=2)
    asked = []

    def unreachable(orders, now):
        asked.append(now)
        raise TryLater("no connection")

    monkeypatch.setattr(post.desk, "prepare", unreachable)
    for _ in range(12):
        with post.store.read() as connection:
            due = sending.next_due(connection, "desk", post.world.now)
        post.world.now = max(post.world.now, due)
        post.deliver()

    assert asked[-1] - asked[-2] > timedelta(minutes=25)
    assert post.alarms()["sink-failing"] == "no connection"
    monkeypatch.undo()
    post.settle()
    assert post.states() == ["done"]
    assert "sink-failing" not in post.alarms()


def test_a_success_from_before_does_not_end_the_wait_that_was_asked_for_after_it(post):
    post.desk.capabilities = replace(post.desk.capabilities, batch=1)
    for number in range(3):
        post.world.answer(id=str(number), score=2)

    def meanwhile(batch):
        post.desk.fails(TryLater("slow down", 60, account_wide=True))
        post.deliver()  # another worker, another action
        return [post.desk.make(one) for one in batch]

    post.desk.then = [meanwhile]
    assert post.deliver() == {"done": 1}
    assert post.deliver(after=timedelta(seconds=59)) == {}, "the account waits for everyone"
    assert post.deliver(after=timedelta(seconds=2)) == {"done": 1}


def test_a_shorter_wait_does_not_end_a_longer_one(post):
    store, now = post.store, post.world.now
    store.write(lambda c: outbox.pause_account(c, "a", now + HOUR, "the daily quota is used up"))
    store.write(lambda c: outbox.pause_account(c, "a", now + timedelta(seconds=5), "429"))
    assert not store.write(lambda c: outbox.resume_account(c, "a", now + timedelta(minutes=59)))
    assert store.write(lambda c: outbox.resume_account(c, "a", now + HOUR))


def test_an_alarm_about_credentials_ends_also_when_a_retry_ended_the_pause(post):
    post.world.answer(id="1", score=2)
    post.world.answer(id="2", score=2)
    post.desk.capabilities = replace(post.desk.capabilities, batch=1)
    post.desk.refuses(Refused("no such group"))
    post.desk.fails(Paused("401: make a new token"))
    post.deliver()
    post.deliver()
    assert "sink-paused" in post.alarms()
    post.retry()
    post.settle()

    assert post.states() == ["done", "done"]
    assert post.alarms() == {}


def test_a_database_that_is_away_for_a_moment_does_not_make_a_doubt_of_a_sent_message(
    post, monkeypatch
):
    post.world.answer(id="1", score=2, comment="a refund!")
    write, downs = post.store.write, []

    def sent_then_down(work):
        if post.sides["chat"].made and len(downs) < 3:
            downs.append(1)
            raise StoreDown("restarting")
        return write(work)

    monkeypatch.setattr(post.store, "write", sent_then_down)
    monkeypatch.setattr(rounds.time, "sleep", lambda _: None)
    assert post.deliver("chat") == {"done": 1}
    assert len(downs) == 3


def test_one_order_that_nobody_can_read_does_not_stop_its_sink(post):
    post.world.answer(id="1", score=2)
    post.world.answer(id="2", score=2)
    bad = post.world.actions(sink="desk")[0].id
    post.store.write(lambda c: outbox.change_action(c, bad, order={"from": "another version"}))
    post.settle()

    assert post.states() == ["parked", "done"]


def test_one_order_that_trips_us_up_is_parked_alone(post, monkeypatch):
    prepare = post.desk.prepare

    def trip(orders, now):
        if any(order.facts.comment == "odd" for order in orders):
            raise ZeroDivisionError
        return prepare(orders, now)

    monkeypatch.setattr(post.desk, "prepare", trip)
    for number, comment in enumerate(["plain", "odd", "plain"]):
        post.world.answer(id=str(number), score=2, comment=comment)

    assert post.deliver() == {"done": 2, "parked": 1}
    assert post.states() == ["done", "parked", "done"]


def test_a_receipt_that_comes_after_its_person_was_erased_says_what_to_delete(post):
    from connector import erasure

    post.world.answer(id="1", score=2, comment="my story", email="ana@example.com")

    def erased_meanwhile(batch):
        done = erasure.erase_email(post.store, "ana@example.com", post.world.now)
        assert [place.remote_id for place in done.at_vendors] == [
            f"not confirmed; its key is {batch[0].order.key}"
        ]
        return [Receipt(remote_id="T-9", url="https://acme.example.com/9", remark="Ana Q twice")]

    post.desk.then = [erased_meanwhile]
    assert post.deliver() == {"done": 1}
    message = post.alarms()["erased"]
    assert "T-9" in message
    assert "https://acme.example.com/9" in message
    [case] = post.world.actions(sink="desk")
    assert (case.state, case.remote_id, case.remark) == ("done", "T-9", None)


def test_a_receipt_that_comes_after_a_refusal_to_its_successor_makes_no_second_case(post):
    """Who took over was refused, found nothing, and was sure that nothing is there."""
    post.world.answer(id="1", score=2)
    post.desk.capabilities = replace(CASES, key_lifetime=timedelta(minutes=110))

    def slow(batch):
        receipts = [post.desk.make(one) for one in batch]
        post.desk.refuses(Refused("this requester is suspended"))
        post.desk.finds = [lambda batch: [None for _ in batch]]
        assert post.deliver(after=HOUR) == {"parked": 1}
        return receipts

    post.desk.then = [slow]
    assert post.deliver() == {"done": 1}
    post.world.answer(id="1", score=2, comment="a refund!", revised="2026-11-20T12:01:00Z")
    post.settle()
    assert [key.endswith("-r2") for key, _ in post.desk.made] == [False, True], "a note"


@pytest.mark.parametrize("sides", [MESSAGES])
def test_an_unheard_message_whose_person_was_erased_is_left_alone(post, sides):
    from connector import erasure

    post.world.answer(id="1", score=2, comment="a refund!", email="ana@example.com")
    post.sides["chat"].then = [
        lambda batch: (
            erasure.erase_email(post.store, "ana@example.com", post.world.now)
            and [LookFirst("no answer") for _ in batch]
        )
    ]
    post.deliver("chat")
    post.settle("chat")
    assert post.states("chat") == ["superseded"]
