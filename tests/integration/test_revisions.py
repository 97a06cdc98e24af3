"""Answers that change their mind, in every state that an action can be in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector import intake
from connector.errors import LookFirst, Refused, TryLater
from connector.store import outbox
from tests.integration.far_side import HOUR, Post

TWO_DESKS = """
  desk2: {{type: zendesk, subdomain: acme, email: a@example.com, api_token: "${{TOKEN}}"}}
"""


@pytest.fixture
def post(world) -> Post:
    return Post(world)


class Answer:
    """One answer that is revised; each revision comes a minute after the one before."""

    def __init__(self, post: Post, **always) -> None:
        self.post = post
        self.always = {"id": "1", "at": (post.world.now - timedelta(minutes=1)).isoformat()}
        self.always |= always

    def says(self, score: int, comment: str = "", **more):
        self.post.world.now += timedelta(minutes=1)
        revised = self.post.world.now.isoformat()
        said = {"score": score, "comment": comment, "revised": revised, **more}
        return self.post.world.answer(**self.always | said).changes


def told(post: Post, sink: str = "desk") -> list[str]:
    return [body.decode() for _, body in post.sides[sink].made]


# -- which revision is the newest ------------------------------------------------------------------


def test_a_repetition_that_is_newer_keeps_older_words_from_winning(world):
    world.answer(id="1", score=2, comment="newest", revised="2026-11-20T11:10:00Z")
    again = world.answer(
        id="1", score=2, comment="newest", revised="2026-11-20T11:30:00Z", name="", link="x"
    )
    assert again.changes == {"duplicate": 1}
    late = world.answer(id="1", score=9, comment="older", revised="2026-11-20T11:20:00Z")

    assert late.changes == {"stale": 1}
    assert [r.content["comment"] for r in world.responses()] == ["newest"]


def test_a_record_that_is_replayed_does_not_win_over_what_came_after_it(world, monkeypatch):
    from connector import facts
    from connector.store import arrivals

    with monkeypatch.context() as patched:
        patched.setattr(facts, "gather_facts", lambda *_: 1 / 0)
        assert world.answer(id="1", score=2, comment="older").changes == {"quarantined": 1}
    world.answer(id="1", score=2, comment="newest")
    world.workspace.store.write(lambda c: arrivals.reopen_arrivals(c, "quarantined"))

    assert world.decide().changes == {"stale": 1}
    assert [r.content["comment"] for r in world.responses()] == ["newest"]


# -- not sent yet ----------------------------------------------------------------------------------


def test_a_held_answer_stays_held_as_a_whole_until_it_is_released(make_world):
    post = Post(make_world(surge=1))
    Answer(post, id="0").says(1)
    answer = Answer(post)
    answer.says(1)
    assert post.states() == ["waiting", "held"]
    post.world.now += 3 * HOUR  # the flood is over
    answer.says(1, "a refund!")

    assert post.states() == ["waiting", "held"]
    assert post.states("chat") == ["held"], "also the alert that the comment asks for"
    post.store.write(lambda c: outbox.release(c, "app", post.world.now))
    post.settle()
    post.settle("chat")
    assert told(post) == ["1 ", "1 a refund!"]
    assert post.states("chat") == ["done"]


def test_a_comment_on_a_case_that_is_made_is_no_flood(make_world):
    post = Post(make_world(surge=2))
    answer = Answer(post)
    answer.says(1)
    Answer(post, id="2").says(1)
    post.settle()
    answer.says(1, "a refund!")

    assert post.alarms() == {}
    assert post.states("chat") == ["waiting"]


def test_a_held_answer_that_turns_happy_and_back_is_still_held(make_world):
    post = Post(make_world(surge=1))
    Answer(post, id="0").says(1)
    answer = Answer(post, email="ana@example.com")
    answer.says(1)
    answer.says(9)
    assert post.states() == ["waiting", "superseded"]
    answer.says(1)
    assert post.states() == ["waiting", "held"]


def test_a_mail_without_an_address_goes_out_when_a_revision_brings_one(post):
    answer = Answer(post)
    answer.says(8)
    assert post.states("mail") == ["withheld"]
    answer.says(8, email="ana@example.com")
    assert post.states("mail") == ["waiting"]
    answer.says(3, email="ana@example.com")
    assert post.states("mail") == ["superseded"]


def test_happy_unhappy_happy_before_anything_is_sent_is_one_thank_you(post):
    answer = Answer(post, email="ana@example.com")
    for score in (8, 3, 8):
        answer.says(score)
    post.settle()
    post.settle("mail")
    assert post.states() == ["superseded"]
    assert post.states("mail") == ["done"]
    assert len(post.sides["mail"].sent) == 1


# -- sent ------------------------------------------------------------------------------------------


def test_unhappy_happy_unhappy_with_sends_in_between_tells_the_agent_each_time(post):
    answer = Answer(post)
    for score in (3, 9, 3, 9):
        answer.says(score)
        post.settle()
        post.settle("hub")
    assert told(post) == ["3 ", "9 ", "3 ", "9 "]
    assert told(post, "hub") == ["9 ", "3 ", "9 "]


def test_notes_arrive_in_the_order_in_which_they_were_written(post):
    answer = Answer(post)
    answer.says(3)
    post.settle()
    answer.says(3, "first note")
    post.desk.fails(LookFirst("no answer"))
    post.deliver()
    answer.says(3, "second note")
    assert post.deliver() == {"wait": 1}, "the first one is still on its way"
    post.settle()
    assert told(post) == ["3 ", "3 first note", "3 second note"]


def test_words_that_are_taken_back_while_the_note_is_on_its_way_are_corrected(post):
    answer = Answer(post)
    answer.says(3, "fine")
    post.settle()
    answer.says(3, "awful")
    post.desk.fails(LookFirst("no answer"), after_doing_it=True)
    post.deliver()
    answer.says(3, "fine")
    post.settle()
    assert told(post) == ["3 fine", "3 awful", "3 fine"]


def test_a_note_that_was_refused_is_no_longer_wanted_after_the_next_one(post):
    answer = Answer(post)
    answer.says(3)
    post.settle()
    answer.says(3, "first note")
    post.desk.refuses(Refused("too long"))
    post.settle()
    answer.says(3, "second note")
    post.settle()
    assert post.states() == ["done", "superseded", "done"]
    assert post.retry() == {}


# -- refused or unknown ----------------------------------------------------------------------------


def test_a_refused_case_takes_in_a_revision_and_is_tried_again(post):
    answer = Answer(post)
    answer.says(3)
    post.desk.refuses(Refused("no such requester"))
    post.settle()
    answer.says(3, "a refund!")
    post.settle()
    assert told(post) == ["3 a refund!"]
    assert post.states() == ["done"]


def test_a_refused_case_that_nobody_wants_any_more_is_not_opened_by_a_retry(post):
    answer = Answer(post)
    answer.says(3)
    post.desk.refuses(Refused("no such requester"))
    post.settle()
    answer.says(9)
    assert post.states() == ["superseded"]
    assert post.retry() == {}


def test_a_revision_that_came_while_its_case_was_being_refused_is_not_lost(post):
    answer = Answer(post)
    answer.says(3)

    def revised_then_refused(batch):
        answer.says(3, "a refund!")
        return [Refused("no such requester") for _ in batch]

    post.desk.then = [revised_then_refused]
    post.deliver()
    assert post.states() == ["parked", "superseded"]
    post.retry()
    post.settle()
    assert told(post) == ["3 a refund!"]
    case = post.world.actions(sink="desk")[0]
    assert [key for key, _ in post.desk.made] == [case.key]


def test_a_revision_of_a_case_that_may_exist_waits_for_it_and_is_not_lost(post):
    answer = Answer(post)
    answer.says(3)
    post.desk.fails(KeyError("id"), after_doing_it=True)
    post.deliver()
    assert post.states() == ["parked"]
    answer.says(3, "a refund!")
    post.settle()
    assert told(post) == ["3 ", "3 a refund!"]
    assert post.states() == ["done", "done"]


def test_nobody_waits_for_the_note_of_a_case_that_waits_for_a_person(post):
    from connector.store import watching

    answer = Answer(post)
    answer.says(3)

    def revised_then_broken(batch):
        answer.says(3, "worse")
        raise KeyError("id")

    post.desk.then = [revised_then_broken]
    post.deliver()
    assert post.states() == ["parked", "waiting"]
    with post.store.read() as connection:
        assert watching.unfinished(connection).actions == 0
    post.retry()
    post.settle()
    assert post.states() == ["done", "done"]


def test_a_revision_of_a_case_in_doubt_says_so_and_waits_for_nothing(post):
    post.sides["desk"].capabilities = replace(post.desk.capabilities, can_find=False)
    answer = Answer(post)
    answer.says(3)
    post.desk.fails(LookFirst("no answer"))
    post.deliver()
    answer.says(3, "worse")

    assert post.states() == ["in_doubt"]
    assert "revised" in post.alarms()["in_doubt"]


def test_a_case_that_was_put_back_takes_in_the_revision_before_its_next_try(post):
    answer = Answer(post)
    answer.says(3)
    post.desk.fails(TryLater("503"))
    post.deliver()
    answer.says(3, "worse")
    post.settle()
    assert told(post) == ["3 worse"]


# -- one for ever ----------------------------------------------------------------------------------


def test_two_sinks_of_one_account_have_one_case_and_the_first_rule_opens_it(make_world, tmp_path):
    rules = """
rules:
  - id: first
    when: {segment: detractor}
    then: [{zendesk.ticket: {sink: desk, next_step: Call., priority: urgent}}]
  - id: second
    when: {segment: detractor}
    then: [{zendesk.ticket: {sink: desk2, next_step: Wait., priority: low}}]
"""
    post = Post(make_world(rules=rules, more_sinks=TWO_DESKS))
    answer = Answer(post)
    answer.says(3)
    assert [(a.rule_id, a.sink) for a in post.world.actions()] == [("first", "desk")]
    post.settle()
    answer.says(3, "worse")
    assert [(a.rule_id, a.sink) for a in post.world.actions()] == [("first", "desk")] * 2


def test_a_customer_is_thanked_once_whichever_mail_sink_the_rules_name(make_world):
    mail = """
  mail2:
    type: email
    host: other.example.com
    from_address: care@example.com
"""
    rules = """
rules:
  - id: thanks
    when: {segment: passive}
    then: [{email.thank_you: {sink: mail, template: thank_you}}]
  - id: thanks-again
    when: {segment: passive}
    then: [{email.thank_you: {sink: mail2, template: thank_you}}]
"""
    post = Post(make_world(rules=rules, more_sinks=mail))
    Answer(post, email="ana@example.com").says(8)
    assert [(a.rule_id, a.sink) for a in post.world.actions()] == [("thanks", "mail")]


def test_who_turns_out_to_have_an_open_case_gets_no_mail(post):
    answer = Answer(post)
    answer.says(3)
    post.settle()
    answer.says(8, email="ana@example.com")

    assert post.states("mail") == ["withheld"]


def test_an_answer_that_got_its_time_late_is_no_history_any_more(world):
    world.answer(id="1", score=2, at=None)
    world.answer(id="1", score=2, comment="refund")
    assert [r.history for r in world.responses()] == [False]
    assert world.made() == [("zendesk.ticket", "waiting"), ("slack.message", "waiting")]


def test_a_source_that_is_unknown_by_now_is_no_door(world):
    assert intake.receive(world.workspace, "gone", {}, b"{}", world.now) == 404
