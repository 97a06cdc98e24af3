"""A customer answers again after their case was closed."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from connector import deciding
from connector.errors import LookFirst, Refused
from connector.store import Store, cases, next_answers, outbox, settling
from connector.store.cases import events_of
from connector.store.tables import decisions
from connector.workspace import Workspace
from tests.integration.far_side import Post
from tests.integration.test_followup import (
    HOUR,
    Desk,
    case,
    events,
    open_cases_that_rules_see,
    opened,
    standing,
    tell,
)
from tests.integration.test_projecting import copied, on_postgresql
from tests.integration.test_working_time import order

DAY = timedelta(days=1)
ANA = {"email": "ana@example.com"}


@pytest.fixture
def post(world) -> Post:
    post = Post(world)
    post.sides["desk"] = Desk()
    opened(post)
    return post


def closed(post: Post) -> None:
    at = case(post).opened_at + HOUR
    tell(post, standing(state="closed", at=at, closed_at=at, contacted_at=at))


def answers_again(post: Post, score: int = 2, after: timedelta = DAY, **more: Any) -> None:
    post.world.now += after
    post.world.answer(**{"id": "2", "score": score, **ANA} | more)


def newest(post: Post) -> Any:
    return post.world.actions(sink="desk")[-1]


def link(post: Post) -> int:
    found: int = post.store.write(lambda c: next_answers.link(c, post.world.now))
    return found


def test_an_unhappy_answer_opens_the_same_record_again_with_clocks_of_its_own(post):
    closed(post)
    answers_again(post)
    again = newest(post)
    assert (again.amends, again.reopens) == (case(post).action_id, True)
    assert order(post, again.id)["about"]["reopens"] is True
    post.deliver()
    first, second = case(post, 0), case(post, 1)
    assert (first.state, first.reopened, first.continued_in) == ("closed", 1, again.id)
    assert first.next_response_id == second.response_id
    assert events(post)[-1] == "reopened"
    assert (second.state, second.continues) == ("open", first.action_id)
    assert second.respond_by > post.world.now


def test_from_then_on_the_record_speaks_of_the_new_case_only(post):
    closed(post)
    before = case(post)
    answers_again(post)
    post.desk.make = lambda prepared: _receipt(before.remote_id)
    post.deliver()
    second = case(post, 1)
    assert second.remote_id == before.remote_id
    stale = {"contacted_at": before.contacted_at}  # the first touch of the record as a whole
    tell(post, standing(state="open", at=second.opened_at + HOUR, **stale))
    assert case(post, 1).contacted_at is None, "that was in the case before"
    fresh = second.opened_at + 2 * HOUR
    tell(post, standing(state="closed", at=fresh, contacted_at=fresh, closed_at=fresh))
    assert (case(post, 0).state, case(post, 1).state) == ("closed", "closed")
    assert case(post, 0).closed_at == before.closed_at
    assert case(post, 1).contacted_at == fresh


def _receipt(remote_id: str) -> Any:
    from connector.domain import Receipt

    return Receipt(remote_id=remote_id)


def test_news_of_our_own_reopening_may_come_before_its_receipt(post):
    closed(post)
    before = case(post)
    answers_again(post)
    tell(post, standing(state="open", at=post.world.now))
    assert case(post).state == "contacted", "so it looks at the far side"
    post.desk.make = lambda prepared: _receipt(before.remote_id)
    post.deliver()
    first, second = case(post, 0), case(post, 1)
    assert (first.state, first.closed_at, first.reopened) == ("closed", before.closed_at, 1)
    assert first.continued_in == second.action_id
    at = second.opened_at + HOUR
    tell(post, standing(state="closed", at=at, contacted_at=at, closed_at=at))
    assert open_cases_that_rules_see(post) == 0


def test_two_unhappy_answers_before_the_first_receipt_are_one_case_in_the_end(post):
    closed(post)
    answers_again(post)
    answers_again(post, id="3", after=timedelta(minutes=1))
    record = case(post).remote_id
    post.desk.make = lambda prepared: _receipt(record)
    while post.deliver():
        pass
    with post.store.read() as connection:
        live = cases.known(connection, "desk", [record])
    assert len(live) == 1


def test_a_person_who_says_that_it_was_opened_again_makes_it_this_answers_case(post):
    closed(post)
    answers_again(post)
    again = newest(post)
    doubt = {"state": "in_doubt", "lease_until": None}
    post.store.write(lambda c: outbox.change_action(c, again.id, **doubt))
    settle = {"said": "seen by Ana", "now": post.world.now, "there": True}
    post.store.write(lambda c: settling.resolve(c, [again.id], **settle))
    assert (case(post, 1).remote_id, case(post, 1).continues) == ("T-1", case(post).action_id)
    assert case(post).continued_in == again.id


def test_who_begins_between_the_reopening_and_its_receipt_has_begun(post):
    closed(post)
    answers_again(post)
    post.desk.fails(LookFirst("lost"))
    post.deliver()
    begun = post.world.now + timedelta(minutes=1)
    post.desk.finds.append(lambda batch: [_receipt("T-1") for _ in batch])
    post.deliver(after=timedelta(minutes=5))
    tell(post, standing(state="contacted", at=begun, contacted_at=begun))
    assert case(post, 1).contacted_at == begun


def test_an_unhappy_answer_from_before_the_closing_opens_nothing_again(post):
    given = (post.world.now + timedelta(minutes=10)).isoformat()
    closed(post)
    answers_again(post, at=given, after=HOUR)
    assert newest(post).reopens is False


def test_a_closing_that_is_told_late_still_finds_the_answer_that_came_next(post):
    link(post)
    at = case(post).opened_at + HOUR
    answers_again(post, score=8)
    link(post)
    post.world.now += DAY
    link(post)
    tell(post, standing(state="closed", at=at, closed_at=at, contacted_at=at))
    assert link(post) == 1


def test_reopenings_count_as_cases_of_a_flood(make_world):
    post = Post(make_world(surge=2))
    post.sides["desk"] = Desk()
    for number in range(2):
        post.world.answer(id=f"old {number}", score=3, email=f"p{number}@example.com")
    post.deliver()
    for number in range(2):
        at = case(post, number).opened_at + HOUR
        tell(post, standing(f"T-{number + 1}", "closed", at=at, closed_at=at))
    post.world.now += DAY
    for number in range(2):
        post.world.answer(id=f"new {number}", score=2, email=f"p{number}@example.com")
    post.world.answer(id="stranger", score=2, email="p9@example.com")
    states = [one.state for one in post.world.actions(sink="desk")[2:]]
    assert states == ["waiting", "waiting", "held"]


def test_where_it_cannot_be_opened_again_the_answer_gets_a_case_of_its_own(post):
    closed(post)
    answers_again(post)
    post.desk.refuses(Refused("the ticket was closed for good"))
    assert post.deliver() == {"wait": 1}
    assert post.deliver() == {"done": 1}
    alone = newest(post)
    assert (alone.amends, alone.reopens, alone.state) == (None, False, "done")
    assert order(post, alone.id)["about"] is None
    assert len(post.world.actions(sink="desk")) == 2
    assert (case(post, 1).continues, case(post, 0).continued_in) == (None, None)
    assert "parked" not in post.alarms()


def test_a_happy_answer_opens_nothing_and_is_linked(post):
    closed(post)
    answers_again(post, score=8)
    assert len(post.world.actions(sink="desk")) == 1
    link(post)
    linked = case(post)
    assert linked.next_response_id is not None
    assert linked.state == "closed"
    with post.store.read() as connection:
        assert events_of(connection, linked.action_id)[-1].detail == "8 passive"


def test_of_many_some_are_linked_at_a_time_and_none_is_forgotten(post, monkeypatch):
    monkeypatch.setattr(next_answers, "_MOST", 2)
    link(post)
    for number in range(5):
        person = {"email": f"p{number}@example.com"}
        opened(post, id=f"a{number}", **person)
        at = case(post, -1).opened_at + HOUR
        ended = {"at": at, "closed_at": at, "contacted_at": at}
        tell(post, standing(case(post, -1).remote_id, "closed", **ended))
        answers_again(post, score=9, id=f"b{number}", **person)
    assert [link(post) for _ in range(4)] == [2, 2, 1, 0]


def test_an_answer_that_is_decided_long_after_it_came_in_is_linked(post):
    """A backlog, rules that could not be used, records that were held."""
    closed(post)
    post.world.now += DAY
    post.world.post(id="2", score=8, **ANA)
    for _ in range(3):
        post.world.now += HOUR
        assert link(post) == 0
    post.world.decide()
    assert link(post) == 1


@on_postgresql
def test_an_answer_whose_decision_is_committed_after_a_later_one_is_linked(post):
    """Numbers are given out in order, and become visible in any."""
    closed(post)
    assert link(post) == 0
    post.world.now += DAY
    post.world.post(id="2", score=8, **ANA)
    with contextlib.closing(Store(post.store.url)) as store:
        other = Workspace(post.world.workspace.settings, store)
        with store.engine.begin() as slow:
            deciding.decide_in(slow, other, post.world.now, 1)
            number = slow.scalar(select(func.max(decisions.c.number)))
            post.store.write(lambda c: copied(c, post.world, number + 1))
            assert [link(post) for _ in range(3)] == [0, 0, 0]
    assert link(post) == 1


def test_only_the_first_answer_after_the_closing_is_linked_whenever_it_is_noticed(post):
    closed(post)
    answers_again(post, score=8)
    answers_again(post, score=9, id="3")
    found = []
    for _ in range(2):
        found.append(link(post))
    assert found == [1, 0]
    ids = {one.id: one.score for one in post.world.responses()}
    assert ids[case(post).next_response_id] == 8


def test_an_answer_from_before_the_closing_is_no_next_answer(post):
    answers_again(post, score=8, after=timedelta(minutes=1))
    closed(post)
    link(post)
    assert case(post).next_response_id is None


@pytest.mark.parametrize("state", ["open", "contacted", "gone"])
def test_only_a_closed_case_is_opened_again(post, state):
    tell(post, standing(state=state, at=case(post).opened_at + HOUR))
    answers_again(post)
    assert newest(post).reopens is False


def test_after_the_time_that_the_sink_allows_it_is_a_new_case(post):
    closed(post)
    answers_again(post, after=timedelta(days=31))
    assert newest(post).reopens is False


def test_somebody_elses_case_is_not_opened(post):
    closed(post)
    answers_again(post, email="bo@example.com")
    assert newest(post).reopens is False


def test_a_revision_before_it_is_sent_keeps_it_a_reopening(post):
    closed(post)
    answers_again(post, revised=(post.world.now + DAY).isoformat())
    stamp = (post.world.now + timedelta(minutes=1)).isoformat()
    post.world.answer(id="2", score=1, comment="refund", revised=stamp, **ANA)
    again = newest(post)
    assert (again.reopens, again.amends) == (True, case(post).action_id)
    assert order(post, again.id)["facts"]["score"] == 1


def test_a_revision_after_it_was_sent_becomes_a_note_on_it(post):
    closed(post)
    answers_again(post)
    post.deliver()
    again = newest(post)
    stamp = (post.world.now + timedelta(minutes=1)).isoformat()
    post.world.answer(id="2", score=1, comment="worse", revised=stamp, **ANA)
    note = newest(post)
    assert (note.amends, note.reopens) == (again.id, False)
    post.deliver()
    assert [one.state for one in post.world.actions(sink="desk")] == ["done", "done", "done"]


def test_a_third_unhappy_answer_opens_the_second_case(post):
    closed(post)
    answers_again(post)
    post.desk.make = lambda prepared: _receipt(case(post).remote_id)
    post.deliver()
    at = case(post, 1).opened_at + HOUR
    tell(post, standing(state="closed", at=at, closed_at=at, contacted_at=at))
    answers_again(post, id="3")
    third = newest(post)
    assert third.amends == case(post, 1).action_id
    post.deliver()
    with post.store.read() as connection:
        shown = [cases.show(connection, one.id) for one in post.world.actions(sink="desk")]
    assert [one.reopened for one in shown] == [1, 1, 0]


def test_the_customer_gets_no_thanks_while_it_is_open_again(post):
    closed(post)
    answers_again(post)
    post.deliver()
    post.world.now += timedelta(minutes=5)
    post.world.answer(id="3", score=9, **ANA)
    [mail] = post.world.actions(sink="mail")
    assert mail.state == "withheld"
