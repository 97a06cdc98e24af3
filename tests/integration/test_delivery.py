"""The outbox under faults, with a sink that does as the test says. Vendors: the contract suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from connector import delivery, rounds
from connector.domain import Receipt
from connector.errors import LookFirst, Paused, Refused, TryLater
from connector.ports import Capabilities
from connector.store import alarms, outbox, sending, suppressions

FINDS = Capabilities(
    opens_case=True, batch=10, can_find=True, look_again_after=timedelta(minutes=2)
)


@dataclass
class FakeSink:
    """Keeps what it made; `then` are outcomes to play before it behaves."""

    capabilities: Capabilities = FINDS
    made: dict[str, bytes] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    then: list[Callable[[Any], Any]] = field(default_factory=list)
    stamp: int = 0

    def prepare(self, orders, now):
        self.stamp += 1
        return [f"{o.key} {self.stamp} {o.facts.comment}".encode() for o in orders]

    def send(self, batch, now):
        self.sent += [p.body for p in batch]
        if self.then:
            return self.then.pop(0)(batch)
        return [self.make(p) for p in batch]

    def make(self, prepared):
        self.made[prepared.order.key] = prepared.body
        return Receipt(remote_id=f"T-{len(self.made)}", url="https://acme.example.com/1")

    def find(self, batch, now):
        return [Receipt(remote_id="found") if p.order.key in self.made else None for p in batch]

    def makes_then(self, error):
        def play(batch):
            for prepared in batch:
                self.make(prepared)
            raise error

        return play

    @staticmethod
    def fails(error):
        def play(batch):
            raise error

        return play


@dataclass
class Post:
    """A world with a movable clock and one fake sink for the desk."""

    world: Any
    sink: FakeSink = field(default_factory=FakeSink)

    def deliver(self, after: timedelta = timedelta(0)):
        self.world.now += after
        store = self.world.workspace.store
        return delivery.Courier(store, "desk", self.sink, lambda: self.world.now).round().outcomes

    def states(self):
        return [a.state for a in self.world.actions(sink="desk")]


@pytest.fixture
def post(world) -> Post:
    return Post(world)


def test_a_case_is_made_once_with_its_receipt(post):
    post.world.answer(id="1", score=2)

    assert post.deliver() == {"done": 1}
    assert post.deliver() == {}
    case = post.world.actions()[0]
    assert (case.state, case.remote_id, case.url) == ("done", "T-1", "https://acme.example.com/1")


def test_a_lost_reply_is_looked_up_and_not_sent_again(post):
    post.world.answer(id="1", score=2)
    post.sink.then = [post.sink.makes_then(LookFirst("no answer"))]

    assert post.deliver() == {"wait": 1}
    assert post.deliver(after=timedelta(minutes=1)) == {"done": 1}
    assert len(post.sink.sent) == 1
    assert post.world.actions()[0].remote_id == "found"


def test_what_is_not_found_is_sent_again_byte_for_byte_but_not_too_soon(post):
    post.world.answer(id="1", score=2)
    post.sink.then = [post.sink.fails(LookFirst("no answer"))]
    post.deliver()

    assert post.deliver(after=timedelta(seconds=30)) == {"wait": 1}
    assert len(post.sink.sent) == 1
    assert post.deliver(after=timedelta(minutes=2)) == {"done": 1}
    assert post.sink.sent[0] == post.sink.sent[1]


def test_within_the_life_of_the_key_the_same_bytes_go_out_again(post):
    post.sink.capabilities = replace(post.sink.capabilities, key_lifetime=timedelta(minutes=110))
    post.world.answer(id="1", score=2)
    post.sink.then = [post.sink.fails(LookFirst("no answer"))]
    post.deliver()
    post.deliver(after=timedelta(seconds=30))

    assert len(post.sink.sent) == 2
    assert post.sink.sent[0] == post.sink.sent[1]


def test_an_unknown_outcome_that_cannot_be_looked_up_stays_in_doubt(post):
    post.sink.capabilities = Capabilities(batch=1)
    post.world.answer(id="1", score=2)
    post.sink.then = [post.sink.fails(LookFirst("no answer"))]

    assert post.deliver() == {"in_doubt": 1}
    assert post.deliver(after=timedelta(days=1)) == {}
    assert post.states() == ["in_doubt"]


@pytest.mark.parametrize("finds", [True, False])
def test_a_worker_killed_after_its_send_leaves_one_effect_or_a_doubt(post, monkeypatch, finds):
    post.sink.capabilities = replace(post.sink.capabilities, can_find=finds)
    post.world.answer(id="1", score=2)

    class Killed(BaseException):
        pass

    def die(_round, tried):
        if tried:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(rounds.Round, "_record", die)
        with pytest.raises(Killed):
            post.deliver()

    assert post.deliver() == {}, "its lease still runs"
    outcome = post.deliver(after=delivery.LEASE + timedelta(seconds=1))
    assert outcome == ({"done": 1} if finds else {"in_doubt": 1})
    assert len(post.sink.sent) == 1


def test_a_receipt_is_kept_from_a_worker_that_lost_its_lease(post):
    post.world.answer(id="1", score=2)

    def slow(batch):
        post.world.now += delivery.LEASE + timedelta(seconds=1)
        other = FakeSink(made=post.sink.made, then=[post.sink.fails(TryLater("busy"))])
        store = post.world.workspace.store
        receipts = [post.sink.make(p) for p in batch]
        delivery.Courier(store, "desk", other, lambda: post.world.now).round()
        return receipts

    post.sink.then = [slow]
    assert post.deliver() == {"done": 1}
    assert post.states() == ["done"]
    assert len(post.sink.made) == 1


def test_a_revision_while_the_request_is_being_built_wins(post):
    post.world.answer(id="1", score=2)
    prepare = post.sink.prepare

    def meanwhile(orders, now):
        built = prepare(orders, now)
        post.sink.prepare = prepare
        post.world.answer(id="1", score=2, comment="a refund!", revised="2026-11-20T12:01:00Z")
        return built

    post.sink.prepare = meanwhile
    assert post.deliver() == {}
    assert post.sink.sent == []
    assert post.deliver() == {"done": 1}
    assert b"a refund!" in post.sink.sent[0]


def test_a_revision_after_the_send_becomes_one_amendment_of_the_case(post):
    post.world.answer(id="1", score=2)
    post.deliver()
    post.world.answer(id="1", score=2, comment="a refund!", revised="2026-11-20T12:01:00Z")

    first, second = post.world.actions(sink="desk")
    assert (second.amends, second.key) == (first.id, f"{first.key}-r2")
    seen = []
    prepare = post.sink.prepare
    post.sink.prepare = lambda orders, now: seen.extend(orders) or prepare(orders, now)
    assert post.deliver() == {"done": 1}
    assert [order.amends for order in seen] == ["T-1"]


def test_an_amendment_waits_until_its_case_exists(post):
    post.world.answer(id="1", score=2)
    post.sink.then = [post.sink.fails(LookFirst("no answer"))]
    post.deliver()
    post.world.answer(id="1", score=2, comment="a refund!", revised="2026-11-20T12:01:00Z")

    assert post.deliver() == {}, "the case itself is still unknown"
    assert post.deliver(after=timedelta(minutes=3)) == {"done": 1}
    assert post.deliver() == {"done": 1}
    assert post.states() == ["done", "done"]


def test_a_revision_that_says_the_same_makes_no_note(post):
    post.world.answer(id="1", score=2, comment="bad")
    post.deliver()
    post.world.answer(id="1", score=2, comment="bad", name="Ana", revised="2026-11-20T12:01:00Z")

    assert post.states() == ["done"]


def test_a_case_whose_answer_turned_happy_is_told_so(post):
    post.world.answer(id="1", score=2)
    post.deliver()
    post.world.answer(id="1", score=9, revised="2026-11-20T12:01:00Z")

    assert post.states() == ["done", "waiting"]


def test_one_refused_item_does_not_stop_the_others(post):
    for number in range(3):
        post.world.answer(id=str(number), score=2)

    def second_refused(batch):
        results = [post.sink.make(p) for p in batch]
        results[1] = Refused("priority: 'super' is not allowed")
        return results

    post.sink.then = [second_refused]
    assert post.deliver() == {"done": 2, "parked": 1}
    parked = post.world.actions(state="parked")
    assert [a.error for a in parked] == ["priority: 'super' is not allowed"]


def test_a_parked_action_can_be_retried_after_its_cause_was_mended(post):
    post.world.answer(id="1", score=2)
    post.sink.then = [lambda batch: [Refused("no such group")]]
    post.deliver()
    store = post.world.workspace.store
    ids = [a.id for a in post.world.actions(state="parked")]

    assert store.write(lambda c: outbox.retry(c, ids, post.world.now)) == {"desk": 1}
    assert post.deliver() == {"done": 1}


def test_a_rate_limit_makes_the_whole_account_wait_as_long_as_it_asks(post):
    post.sink.capabilities = replace(post.sink.capabilities, batch=1)
    post.world.answer(id="1", score=2)
    post.world.answer(id="2", score=2)
    post.sink.then = [post.sink.fails(TryLater("slow down", 40, account_wide=True))]

    assert post.deliver() == {"wait": 1}
    assert post.deliver(after=timedelta(seconds=39)) == {}
    assert post.deliver(after=timedelta(seconds=2)) == {"done": 1}


def test_revoked_credentials_pause_the_account_with_an_alarm_and_work_goes_on_after_the_fix(post):
    post.world.answer(id="1", score=2)
    post.sink.then = [post.sink.fails(Paused("401: make a new token"))]
    store = post.world.workspace.store

    assert post.deliver() == {"wait": 1}
    with store.read() as connection:
        assert [a.kind for a in alarms.open_alarms(connection)] == ["sink-paused"]
    assert post.deliver(after=timedelta(minutes=4)) == {}
    assert post.deliver(after=timedelta(minutes=2)) == {"done": 1}
    with store.read() as connection:
        assert list(alarms.open_alarms(connection)) == []


def test_a_mistake_of_ours_parks_the_item_and_is_not_repeated(post):
    post.world.answer(id="1", score=2)
    post.sink.then = [lambda batch: 1 / 0]

    assert post.deliver() == {"parked": 1}
    assert post.deliver(after=timedelta(days=1)) == {}


def test_an_outage_of_days_ends_parked_and_not_in_silence(post):
    post.world.answer(id="1", score=2)
    post.sink.then = [post.sink.fails(TryLater("503")) for _ in range(200)]
    outcomes = [post.deliver(after=timedelta(hours=1)) for _ in range(80)]

    assert outcomes[-1] == {}
    assert post.states() == ["parked"]


def test_two_workers_never_send_the_same_action(post):
    post.sink.capabilities = replace(post.sink.capabilities, batch=1)
    for number in range(4):
        post.world.answer(id=str(number), score=2)
    store, now = post.world.workspace.store, post.world.now
    first = store.write(lambda c: sending.claim(c, "desk", 2, now, delivery.LEASE))
    second = store.write(lambda c: sending.claim(c, "desk", 9, now, delivery.LEASE))

    assert {row.id for row in first} & {row.id for row in second} == set()
    assert len(first) + len(second) == 4


def test_a_suppressed_address_gets_nothing(post):
    from connector.text import hashed

    store = post.world.workspace.store
    digest = hashed("address", "ana@example.com")
    store.write(lambda c: suppressions.suppress(c, digest, "unsubscribed", post.world.now))
    post.world.answer(id="1", score=8, email="Ana@Example.com")
    post.world.now += timedelta(minutes=11)
    mail = FakeSink(capabilities=Capabilities(to_customer=True))
    done = delivery.Courier(store, "mail", mail, lambda: post.world.now).round()

    assert done.outcomes == {"withheld": 1}
    assert mail.sent == []
