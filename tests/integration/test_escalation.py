"""What happens when a case is due and nobody acts: once for each step, whatever is restarted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.engine.chores import do_chores
from connector.erasure import erase_email, erase_response
from connector.errors import Refused
from connector.escalating import escalate
from connector.store import Store, following
from connector.workspace import Workspace
from tests.integration.beside import acting
from tests.integration.far_side import MESSAGES, FarSide, Post
from tests.integration.test_followup import HOUR, Desk, case, events, follow, standing, tell
from tests.integration.test_forgetting_everywhere import everything
from tests.integration.test_working_time import order, with_rules

on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
RULES = """
escalation:
  - id: nobody-called
    name: Nobody has called
    when: {segment: detractor}
    then:
      - slack.message: {channel: "#leads", text: "NPS {{ score }}: nobody has called"}
      - zendesk.ticket: {priority: urgent, group: Leads}
  - id: not-closed
    still: open
    overdue_by: 2h
    then:
      - slack.message: {channel: "#heads", text: still open}
rules:
  - id: d
    when: {score: {at_most: 7}}
    then: [{zendesk.ticket: {priority: high, respond_within: 4h, group: Support}}]
"""


@pytest.fixture
def post(world) -> Post:
    post = Post(with_rules(world, RULES))
    post.sides["desk"] = Desk()
    return post


def opened(post: Post, **answer: Any) -> Any:
    post.world.answer(**{"id": "1", "score": 3} | answer)
    post.deliver()
    began = case(post)
    post.desk.stands[began.remote_id] = standing(at=began.opened_at)
    return began


def chores(post: Post, after: timedelta) -> set[str]:
    post.world.now += after
    post.store.write(lambda c: following.move(c, "desk", asked_at=None))
    follow(post, timedelta(0))  # the news so far; there is a test of waiting for them
    return escalate(post.world.workspace, post.world.now)


def made(post: Post) -> list[tuple[str, str]]:
    return [(one.kind, one.rule_id) for one in post.world.actions() if "/" in one.rule_id]


NOBODY_CALLED = [
    ("slack.message", "escalation/nobody-called"),
    ("zendesk.ticket", "escalation/nobody-called"),
]
NOT_CLOSED = ("slack.message", "escalation/not-closed")


def test_at_the_due_time_the_case_is_raised_and_its_leads_are_told_once(post):
    opened(post)
    assert chores(post, 4 * HOUR - timedelta(seconds=1)) == set()
    assert chores(post, timedelta(seconds=1)) == {"chat", "desk"}
    assert made(post) == NOBODY_CALLED
    assert chores(post, timedelta(minutes=1)) == set()
    assert made(post) == NOBODY_CALLED
    assert events(post) == ["overdue", "escalated"]


def test_steps_survive_a_restart_and_two_processes(post):
    opened(post)
    chores(post, 4 * HOUR)
    again = Workspace(post.world.workspace.settings, post.store)
    escalate(again, post.world.now + timedelta(minutes=1))
    assert made(post) == NOBODY_CALLED
    chores(post, 2 * HOUR)
    assert made(post) == [*NOBODY_CALLED, NOT_CLOSED]


def test_who_has_begun_hears_nothing_until_it_stays_open_too_long(post):
    began = opened(post)
    touched = began.opened_at + HOUR
    tell(post, standing(state="contacted", at=touched, contacted_at=touched))
    chores(post, 4 * HOUR)
    assert made(post) == []
    assert events(post) == ["contacted"], "its clock has stopped: it is not overdue"
    chores(post, 2 * HOUR)
    assert made(post) == [NOT_CLOSED]


def test_before_anything_is_said_the_far_side_must_have_been_heard_an_hour_long(post):
    began = opened(post)
    follow(post)
    post.world.now = began.respond_by
    workspace = post.world.workspace
    assert escalate(workspace, post.world.now) == set(), "somebody may have begun since"
    assert escalate(workspace, post.world.now + timedelta(minutes=59)) == set()
    touched = began.opened_at + HOUR
    tell(post, standing(state="contacted", at=touched, contacted_at=touched))
    escalate(workspace, post.world.now + HOUR)
    assert made(post) == []


def test_a_far_side_that_says_nothing_for_an_hour_is_not_waited_for(post):
    began = opened(post)
    follow(post)
    escalate(post.world.workspace, began.respond_by + HOUR)
    assert made(post) == NOBODY_CALLED


def test_a_case_whose_receipt_came_after_it_was_due_is_looked_at_before_anything_is_said(post):
    post.world.answer(id="1", score=3)
    follow(post, 5 * HOUR)  # the record is made, its receipt does not come back
    post.deliver()
    began = case(post)
    assert began.respond_by < began.opened_at
    touched = began.opened_at - 2 * HOUR
    post.desk.stands["T-1"] = standing(state="contacted", at=touched, contacted_at=touched)
    assert escalate(post.world.workspace, post.world.now) == set(), "nobody has asked about it yet"
    chores(post, timedelta(minutes=1))
    assert made(post) == []
    assert events(post) == ["contacted"]


def test_a_change_that_comes_too_late_is_no_trouble(post):
    opened(post)
    chores(post, 4 * HOUR)
    post.desk.refuses(Refused("the ticket was solved"))
    post.deliver()
    [change] = [one for one in post.world.actions(sink="desk") if one.amends]
    assert change.state == "withheld"
    assert "parked" not in post.alarms()


def test_a_closed_case_is_never_escalated(post):
    began = opened(post)
    tell(post, standing(state="closed", at=began.opened_at + HOUR))
    chores(post, 20 * HOUR)
    assert made(post) == []


def test_only_cases_that_its_conditions_hold_for(post):
    opened(post, score=7)
    chores(post, 4 * HOUR)
    assert made(post) == []
    chores(post, 2 * HOUR)
    assert made(post) == [NOT_CLOSED], "the step without conditions holds for all"


def test_the_change_takes_the_case_from_its_group_and_says_why(post):
    opened(post)
    chores(post, 4 * HOUR)
    [change] = [one for one in post.world.actions(sink="desk") if one.amends]
    told = order(post, change.id)
    assert (told["params"]["group"], told["params"]["priority"]) == ("Leads", "urgent")
    assert told["about"]["moves"] is False, "only while nobody has begun"
    assert "Nobody has called" in told["about"]["why"]
    assert told["due_at"] is None, "the customer's clock is not set back"
    post.deliver()
    assert case(post).priority == "urgent"


def test_the_message_names_the_case_its_owner_and_its_link(post):
    began = opened(post)
    post.sides["chat"] = FarSide(MESSAGES)
    assigned = {"owner": "Ana", "at": began.opened_at + HOUR}
    tell(post, standing(state="open", **assigned))
    chores(post, 4 * HOUR)
    [message] = post.world.actions(sink="chat")
    about = order(post, message.id)["about"]
    assert (about["number"], about["owner"]) == ("T-1", "Ana")


def test_a_change_that_names_no_priority_leaves_that_of_the_case(post, world):
    rules = RULES.replace("{priority: urgent, group: Leads}", "{group: Leads}")
    with_rules(world, rules)
    opened(post)
    chores(post, 4 * HOUR)
    [change] = [one for one in post.world.actions(sink="desk") if one.amends]
    assert order(post, change.id)["params"]["priority"] == "high"


def test_a_revision_does_not_take_an_escalation_back(post):
    opened(post)
    chores(post, 4 * HOUR)
    post.world.answer(id="1", score=2, revised=post.world.now.isoformat())
    assert made(post) == NOBODY_CALLED
    assert {one.state for one in post.world.actions() if "/" in one.rule_id} == {"waiting"}


def test_a_step_that_is_new_starts_no_flood_of_old_cases(post, world):
    opened(post)
    chores(post, 10 * HOUR)
    with_rules(world, RULES.replace("id: not-closed", "id: another"))
    chores(post, 30 * HOUR)
    assert ("slack.message", "escalation/another") not in made(post)


def test_overdue_counts_working_time_in_the_calendar_of_the_case(post, world):
    world.now = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # Friday, an hour before closing
    calendars = 'calendars: {office: {hours: {mon-fri: "09:00-18:00"}}}\ndefaults: {hours: office}'
    with_rules(world, calendars + RULES.replace("respond_within: 4h", "respond_within: 1h"))
    opened(post)
    chores(post, 3 * HOUR)
    assert made(post) == NOBODY_CALLED
    chores(post, 60 * HOUR)  # Monday 08:00
    assert made(post) == NOBODY_CALLED
    chores(post, 3 * HOUR)
    assert made(post) == [*NOBODY_CALLED, NOT_CLOSED]


def test_an_untouched_urgent_detractor_is_an_alarm_until_somebody_begins(post):
    began = opened(post)
    chores(post, 4 * HOUR)
    assert "T-1" in post.alarms()["untouched"]
    touched = began.opened_at + 5 * HOUR
    tell(post, standing(state="contacted", at=touched, contacted_at=touched))
    assert "untouched" not in post.alarms()


def test_of_an_erased_person_nothing_is_told(post):
    began = opened(post)
    erase_response(post.store, began.response_id, post.world.now)
    chores(post, 4 * HOUR)
    assert made(post) == []


@on_postgresql
@pytest.mark.parametrize("erased", ["the earlier one", "the one of the case", "all"])
def test_what_is_erased_while_a_case_is_raised_is_quoted_nowhere(post, erased):
    post.world.answer(id="0", score=9, comment="my secret story", email="ana@example.com")
    [earlier] = post.world.responses()
    began = opened(post, comment="what came after", email="ana@example.com")

    def erase(store: Store) -> None:
        if erased == "all":
            erase_email(store, "ana@example.com", post.world.now)
        else:
            chosen = earlier.id if erased == "the earlier one" else began.response_id
            erase_response(store, chosen, post.world.now)

    with acting(post.store, "INSERT INTO case_events", erase):
        chores(post, 4 * HOUR)
    assert made(post) == NOBODY_CALLED
    left = everything(post.world)
    assert ("my secret story" in left) == (erased == "the one of the case")
    assert ("what came after" in left) == (erased == "the earlier one")


def test_the_chores_do_it(post, monkeypatch):
    opened(post)
    post.world.now += 4 * HOUR
    assert {"chat", "desk"} <= do_chores(post.world.workspace, post.world.now)
    assert made(post) == NOBODY_CALLED


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{id: a, then: [{email.thank_you: {template: thank_you}}]}", "writes to no customer"),
        ("{id: a, then: [{log: {}}]}", "log: an escalation has to do something"),
        ("{id: A b, then: [{log: {}}]}", "may only hold a-z"),
        ("{id: a, still: closed, then: [{slack.message: {channel: '#a', text: t}}]}", "untouched"),
        ("{id: a, then: [{slack.message: {text: t}}]}", "channel"),
        ("{id: a, overdue_by: soon, then: [{slack.message: {channel: '#a', text: t}}]}", "overdue"),
        ("{id: a, when: {scoer: 3}, then: [{slack.message: {channel: '#a', text: t}}]}", "score"),
        ("{id: a}", "then"),
        ("7", "must be a group"),
    ],
)
def test_mistakes_are_named_with_their_line(connector, world, step, said):
    settings = world.workspace.settings
    settings.rules.write_text(f"escalation:\n  - {step}\nrules: []\n")
    config = settings.directory / "connector.yaml"
    code, out, err = connector("--config", str(config), "rules", "check", "--json")
    assert code != 0
    problems = out + err
    assert said in problems
    assert '"line": 2' in problems
