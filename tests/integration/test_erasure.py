"""Forgetting: nothing personal stays, scores and receipts do, and a poll brings nothing back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from connector import delivery, erasure
from connector.domain import Receipt
from connector.errors import LookFirst, Refused
from connector.ports import Capabilities
from connector.store import Store, forgetting
from connector.store.tables import metadata
from tests.integration.beside import acting
from tests.integration.far_side import Post
from tests.integration.test_working_time import order

on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


class Desk:
    capabilities = Capabilities(opens_case=True, batch=10, can_find=True)

    def prepare(self, orders, now):
        return [repr(order.facts).encode() for order in orders]

    def send(self, batch, now):
        return [Receipt(remote_id="T-1", url="https://acme.example.com/1") for _ in batch]

    def find(self, batch, now):
        return [None for _ in batch]


def everything(world) -> str:
    """All rows of all tables, as one text."""
    with world.workspace.store.read() as connection:
        return "".join(
            repr(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
        )


@pytest.fixture
def told(world):
    world.answer(id="1", score=2, comment="my secret story", email="ana@example.com", name="Ana Q")
    world.answer(id="2", score=2, comment="another story", email="leo@example.com", name="Leo W")
    store = world.workspace.store
    delivery.Courier(store, "desk", Desk(), lambda: world.now).round()
    return world


def test_erasing_an_address_leaves_nothing_personal_and_lists_what_is_at_vendors(told):
    told.post(id="3", score="x", email="ana@example.com")
    told.decide()
    done = erasure.erase_email(told.workspace.store, " Ana@Example.com", told.now)

    assert (done.responses, done.unread) == (1, 1)
    assert [(p.kind, p.remote_id) for p in done.at_vendors] == [("zendesk.ticket", "T-1")]
    rest = everything(told)
    assert "my secret story" not in rest
    assert "ana@example.com" not in rest
    assert "Ana Q" not in rest
    assert "another story" in rest
    assert "leo@example.com" in rest


def test_scores_keys_and_receipts_stay(told):
    erasure.erase_email(told.workspace.store, "ana@example.com", told.now)

    assert sorted((r.score, r.erased_at is None) for r in told.responses()) == [
        (2, False),
        (2, True),
    ]
    assert [a.remote_id for a in told.actions(sink="desk")] == ["T-1", "T-1"]


def test_the_next_poll_does_not_bring_it_back_and_a_new_answer_is_welcome(told):
    erasure.erase_email(told.workspace.store, "ana@example.com", told.now)

    again = told.answer(id="1", score=2, comment="my secret story!", email="ana@example.com")
    assert again.changes == {"erased": 1}
    older = told.answer(id="7", score=2, comment="an older one", email="ana@example.com")
    assert older.changes == {"erased": 1}
    told.now += timedelta(hours=2)
    newer = told.answer(id="8", score=2, comment="a new one", email="ana@example.com")
    assert newer.changes == {"new": 1}


def test_the_raw_bytes_of_what_came_back_are_not_kept(told):
    erasure.erase_email(told.workspace.store, "ana@example.com", told.now)
    told.answer(id="1", score=2, comment="my secret story!", email="ana@example.com")

    assert "my secret story" not in everything(told)


def test_one_response_can_be_erased_alone(told):
    response = next(r.id for r in told.responses() if r.content["comment"] == "another story")

    assert erasure.erase_response(told.workspace.store, response, told.now).responses == 1
    assert "another story" not in everything(told)
    assert "my secret story" in everything(told)
    assert erasure.erase_response(told.workspace.store, "nothing", told.now) is None


def test_an_erased_answer_sends_nothing_any_more(world):
    world.answer(id="1", score=2, email="ana@example.com")
    erasure.erase_email(world.workspace.store, "ana@example.com", world.now)

    done = delivery.Courier(world.workspace.store, "desk", Desk(), lambda: world.now).round()
    assert done.outcomes == {}
    assert [a.state for a in world.actions()] == ["superseded"]


def test_no_address_is_a_clear_mistake(world):
    with pytest.raises(ValueError, match="no e-mail address"):
        erasure.erase_email(world.workspace.store, "ana", world.now)


def test_retention_erases_what_is_too_old(told):
    settings = told.workspace.settings.model_copy(update={"retention_days": 30})
    store = told.workspace.store

    assert erasure.apply_retention(store, settings, told.now + timedelta(days=29)) == 0
    assert erasure.apply_retention(store, settings, told.now + timedelta(days=31)) == 2
    assert erasure.apply_retention(store, settings, told.now + timedelta(days=31)) == 0
    assert "story" not in everything(told)


QUOTING = """
rules:
  - id: again
    when: {history.answers: {at_least: 1}}
    then:
      - zendesk.ticket:
          next_step: "{% for one in history.earlier %}{{ one.comment | default('-') }}{% endfor %}"
      - slack.message: {channel: "#x", text: Look.}
"""


@pytest.mark.parametrize("sent", [True, False])
def test_what_later_answers_quote_of_an_erased_one_goes_with_it(make_world, sent):
    world = make_world(QUOTING)
    store = world.workspace.store
    ana = {"email": "ana@example.com", "name": "Ana Q"}
    world.answer(id="1", score=9, comment="my first story", revised="2026-11-20T11:58:30Z", **ana)
    world.answer(id="1", score=9, comment="my secret story", revised="2026-11-20T11:59:00Z", **ana)
    world.answer(id="2", score=2, comment="what came after", **ana)
    if sent:
        delivery.Courier(store, "desk", Desk(), lambda: world.now).round()
    assert "my secret story" in everything(world)
    first = next(r.id for r in world.responses() if r.score == 9)

    erasure.erase_response(store, first, world.now)
    left = everything(world)
    assert "my secret story" not in left
    assert "my first story" not in left
    assert "what came after" in left
    assert [a.state for a in world.actions(sink="desk")] == ["done" if sent else "waiting"]
    done = delivery.Courier(store, "desk", Desk(), lambda: world.now).round()
    assert done.outcomes == ({} if sent else {"done": 1})
    world.answer(id="2", score=1, comment="and again", revised="2026-11-20T12:00:00Z", **ana)
    assert "and again" in everything(world)


@on_postgresql
def test_who_decides_while_an_answer_is_erased_does_not_quote_it(make_world):
    world = make_world(QUOTING)
    ana = {"email": "ana@example.com", "name": "Ana Q"}
    world.answer(id="1", score=9, comment="my secret story", **ana)
    (first,) = world.responses()
    world.post(id="2", score=2, comment="what came after", **ana)
    decider = threading.Thread(target=world.decide)

    def erase(connection) -> None:
        forgetting.empty_response(connection, first.id, world.now)
        decider.start()
        decider.join(timeout=1)  # it waits for us, or it has decided with what we erase

    world.workspace.store.write(erase)
    decider.join()
    assert "what came after" in everything(world)
    assert "my secret story" not in everything(world)


@on_postgresql
def test_what_a_courier_writes_while_a_quote_is_taken_out_stays(make_world):
    world = make_world(QUOTING)
    post, ana = Post(world), {"email": "ana@example.com", "name": "Ana Q"}
    world.answer(id="1", score=9, comment="my secret story", **ana)
    [first] = world.responses()
    world.answer(id="2", score=2, comment="what came after", **ana)
    post.desk.fails(LookFirst("no answer"))
    post.deliver()
    world.answer(id="2", score=1, comment="and worse", revised="2026-11-20T12:00:00Z", **ana)
    post.desk.refuses(Refused("no such group"))
    now = world.now + timedelta(minutes=5)

    def deliver(store: Store) -> None:
        """What the note says goes into the ticket, which was refused."""
        delivery.Courier(store, "desk", post.desk, lambda: now).round()

    with acting(world.workspace.store, "UPDATE actions", deliver):
        erasure.erase_response(world.workspace.store, first.id, world.now)
    deliver(world.workspace.store)  # where it was passed over before
    ticket, note = world.actions(sink="desk")
    assert (ticket.state, note.state) == ("parked", "superseded")
    assert order(post, ticket.id)["facts"]["comment"] == "and worse"
    assert "my secret story" not in everything(world)
