"""A person ends what waits for a person: one action or many, with who and why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.errors import LookFirst, Refused
from connector.store import browsing, outbox, sets, settling
from tests.integration.far_side import Post


@pytest.fixture
def post(world):
    return Post(world)


def resolve(post, *ids, there=True, **more):
    """As `connector actions resolve` does it."""
    said = "there, says ana: I looked" if there else "not needed, says ana: called them"
    return post.store.write(
        lambda c: settling.resolve(c, ids, said, post.world.now, there=there, **more)
    )


def parked_case(post):
    post.desk.refuses(Refused("no such group"))
    post.world.answer(id="1", score=2, email="ana@example.com")
    post.settle()
    [case] = post.world.actions(sink="desk")
    assert case.state == "parked"
    return case


def doubtful_message(post):
    post.sides["chat"].fails(LookFirst("no answer"))
    post.world.answer(id="1", score=2, comment="a refund!")
    post.deliver("chat")
    [message] = post.world.actions(sink="chat")
    assert message.state == "in_doubt"
    return message


def test_a_case_that_a_person_found_gets_notes_like_any_other(post):
    case = parked_case(post)
    assert resolve(post, case.id, remote_id="T-77", url="https://desk.example.com/77") == {
        "desk": 1
    }
    [case] = post.world.actions(sink="desk")
    assert (case.state, case.remote_id, case.url) == ("done", "T-77", "https://desk.example.com/77")
    assert case.remark == "there, says ana: I looked"
    assert post.alarms() == {}
    with post.store.read() as connection:
        last = browsing.attempts_of(connection, case.id)[-1]
    assert (last.step, last.outcome, last.error) == ("resolve", "there", case.remark)

    post.world.answer(id="1", score=1, comment="worse", email="ana@example.com")
    post.settle()
    assert post.states() == ["done", "done"]
    assert post.desk.orders[-1].amends == "T-77"
    assert [key for key, _ in post.desk.made] == [f"{case.key}-r2"], "no second case"


def test_a_case_without_its_id_is_never_made_again_and_a_revision_raises_an_alarm(post):
    case = parked_case(post)
    resolve(post, case.id)
    post.world.answer(id="1", score=1, comment="worse", email="ana@example.com")
    post.settle()
    assert post.desk.made == []
    assert post.states() == ["done"]
    assert "tell whoever has the case" in post.alarms()["in_doubt"]


def test_what_is_not_needed_is_not_asked_for_by_a_revision(post):
    case = parked_case(post)
    assert resolve(post, case.id, there=False) == {"desk": 1}
    post.world.answer(id="1", score=1, comment="worse", email="ana@example.com")
    post.settle()
    [case] = post.world.actions(sink="desk")
    assert (case.state, post.desk.made) == ("withheld", [])
    assert case.error == "not needed; not needed, says ana: called them"
    assert post.alarms() == {}


@pytest.mark.parametrize("there", [True, False])
def test_a_doubtful_message_is_settled_and_never_sent_again(post, there):
    message = doubtful_message(post)
    assert "in_doubt" in post.alarms()
    assert resolve(post, message.id, there=there) == {"chat": 1}
    post.world.answer(id="1", score=1, comment="a refund, now!")
    post.settle("chat")
    assert post.states("chat") == ["done" if there else "withheld"]
    assert len(post.sides["chat"].sent) == 1
    assert post.alarms() == {}


def test_notes_for_a_case_of_which_nothing_is_known_are_dropped(post):
    post.desk.fails(LookFirst("no answer"), times=1)
    post.world.answer(id="1", score=2)
    post.deliver()
    post.world.answer(id="1", score=1, comment="worse")
    case, _ = post.world.actions(sink="desk")
    post.store.write(lambda c: outbox.change_action(c, case.id, state="parked"))
    resolve(post, case.id, there=False)
    assert post.states() == ["withheld", "superseded"]
    post.settle()
    assert len(post.desk.sent) == 1


def test_only_what_waits_for_a_person_is_ended(post):
    post.world.answer(id="1", score=2)
    [case] = post.world.actions(sink="desk")
    assert resolve(post, case.id) == {}
    post.settle()
    assert resolve(post, case.id, there=False) == {}
    assert post.states() == ["done"]


def test_actions_are_chosen_by_state_sink_and_time(post):
    case = parked_case(post)
    made_at = case.created_at
    with post.store.read() as connection:
        assert list(settling.choose(connection, ("parked", "in_doubt"))) == [case.id]
        assert list(settling.choose(connection, ("in_doubt",))) == []
        assert list(settling.choose(connection, ("parked",), "chat")) == []
        assert list(settling.choose(connection, ("parked",), "desk", made_at)) == [case.id]
        after = made_at + timedelta(seconds=1)
        assert list(settling.choose(connection, ("parked",), "desk", after)) == []


def test_more_actions_than_a_statement_takes_are_settled_all_the_same(post, monkeypatch):
    monkeypatch.setattr(sets, "_MOST", 2)
    post.desk.refuses(Refused("no such group"))
    for number in range(5):
        post.world.answer(id=str(number), score=2, email=f"p{number}@example.com")
    post.settle()
    ids = [row.id for row in post.world.actions(sink="desk")]
    assert post.states() == ["parked"] * 5
    with post.store.read() as connection:
        assert browsing.states_of(connection, ids) == dict.fromkeys(ids, "parked")
    retried = post.store.write(lambda c: outbox.retry(c, ids, post.world.now))
    assert retried == {"desk": 5}
    post.desk.refuses(Refused("no such group"))
    post.settle()
    assert resolve(post, *ids, there=False) == {"desk": 5}
    assert post.states() == ["withheld"] * 5
