"""Limits per customer: counted when decided, whichever answer, revision or worker asks."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from connector.store import answers, outbox
from connector.store.tables import actions

RULES = """
defaults: {cap: 1 per customer per 30d}
rules:
  - id: bad
    when: {segment: detractor}
    then: [{zendesk.ticket: {next_step: Call.}}]
  - id: watched
    cap: 2 per customer per 7d
    when: {comment: {mentions: look}}
    then: [{slack.message: {channel: "#x", text: Look.}}]
  - id: promoter-thanks
    when: {segment: promoter}
    then: [{email.thank_you: {template: thank_you}}]
  - id: passive-thanks
    when: {segment: passive}
    then: [{email.thank_you: {template: thank_you}}]
"""
ANA = {"email": "ana@example.com"}


@pytest.fixture
def world(make_world) -> Any:
    return make_world(RULES, added_before=timedelta(days=400))


def mails(world) -> list[str]:
    return [a.state for a in world.actions() if a.kind == "email.thank_you"]


def set_state(world, state: str, **more: Any) -> None:
    """Of all mails that are still to be sent."""
    mine = (actions.c.kind == "email.thank_you") & (actions.c.state == "waiting")
    world.workspace.store.write(
        lambda c: c.execute(update(actions).where(mine).values(state=state, **more))
    )


def orders(world) -> list[Any]:
    with world.workspace.store.read() as connection:
        return list(connection.execute(select(actions).order_by(actions.c.id)))


def later(world, **after: float) -> None:
    world.now += timedelta(**after)


def test_the_second_message_within_the_time_is_withheld_whichever_rule_asks(world):
    world.answer(id="1", score=9, **ANA)
    later(world, days=3)
    world.answer(id="2", score=8, **ANA)

    assert mails(world) == ["waiting", "withheld"]
    why = "cap: 1 per customer per 30d; the last one on 2026-11-20 by promoter-thanks"
    assert world.actions()[-1].error == why


def test_after_the_time_the_place_is_free_to_the_second(world):
    world.answer(id="1", score=9, **ANA)
    set_state(world, "done", finished_at=world.now)
    later(world, days=30, seconds=-1)
    world.answer(id="2", score=9, **ANA)
    later(world, seconds=1)
    world.answer(id="3", score=9, **ANA)

    assert mails(world) == ["done", "withheld", "waiting"]


def test_others_and_strangers_have_places_of_their_own(world):
    for number, person in enumerate(("ana@example.com", "leo@example.com", "ana@example.com")):
        world.answer(id=str(number), score=9, email=person)

    assert mails(world) == ["waiting", "waiting", "withheld"]


def test_a_case_is_never_limited(world):
    for number in range(3):
        world.answer(id=str(number), score=1, **ANA)

    assert world.made() == [("zendesk.ticket", "waiting")] * 3


def test_alerts_count_by_their_rule_and_a_rule_has_its_own_cap(world):
    for number in range(3):
        world.answer(id=str(number), score=None, comment="look", **ANA)

    assert [state for _, state in world.made()] == ["waiting", "waiting", "withheld"]
    assert world.actions()[-1].error.startswith("cap: 2 per customer per 7d; the last one on")


def test_alerts_about_nobody_in_particular_are_not_limited(world):
    for number in range(3):
        world.answer(id=str(number), score=None, comment="look")

    assert [state for _, state in world.made()] == ["waiting"] * 3


@pytest.mark.parametrize("state", ["waiting", "held", "sending", "done", "in_doubt"])
def test_what_may_reach_the_customer_keeps_its_place(world, state):
    world.answer(id="1", score=9, **ANA)
    set_state(world, state)
    world.answer(id="2", score=9, **ANA)

    assert mails(world) == [state, "withheld"]


@pytest.mark.parametrize("state", ["parked", "withheld", "superseded"])
def test_a_message_that_was_refused_gives_its_place_back(world, state):
    world.answer(id="1", score=9, **ANA)
    set_state(world, state)
    world.answer(id="2", score=9, **ANA)

    assert mails(world) == [state, "waiting"]


def test_a_revision_does_not_count_against_itself(world):
    world.answer(id="1", score=9, **ANA)
    world.answer(id="1", score=10, revised="2026-11-20T12:01:00Z", **ANA)

    assert mails(world) == ["waiting"]


def test_a_revision_does_not_exceed_the_cap_either(world):
    world.answer(id="1", score=None, **ANA)
    world.answer(id="2", score=9, **ANA)
    world.answer(id="1", score=9, revised="2026-11-20T12:01:00Z", **ANA)

    assert mails(world) == ["waiting", "withheld"]


def test_the_time_runs_from_the_decision_that_counts_not_from_the_first(world):
    world.answer(id="1", score=9, **ANA)
    later(world, days=20)
    at = (world.now - timedelta(days=1)).isoformat()
    world.answer(id="1", score=10, revised=world.now.isoformat(), at=at, **ANA)
    later(world, days=20)
    world.answer(id="2", score=9, **ANA)

    assert mails(world) == ["waiting", "withheld"]


def test_answers_that_come_together_keep_to_it_too(world):
    for number in range(4):
        world.post(id=str(number), score=9, **ANA)
        world.post(id=f"x{number}", score=9, email=f"p{number}@example.com")
    while world.decide().records:
        pass

    theirs = Counter((a.order["facts"]["customer"]["email"], a.state) for a in orders(world))
    assert theirs == {
        ("ana@example.com", "waiting"): 1,
        ("ana@example.com", "withheld"): 3,
        **{(f"p{number}@example.com", "waiting"): 1 for number in range(4)},
    }


def test_a_later_rule_without_the_cap_still_sends(make_world):
    world = make_world(
        """
rules:
  - {id: a, cap: 1 per customer per 30d, when: {}, then: [{email.thank_you: {}}]}
  - {id: b, cap: none, when: {tags: {exists: false}}, then: [{email.thank_you: {}}]}
"""
    )
    for number in range(2):
        world.answer(id=str(number), score=9, **ANA)

    assert [(a.rule_id, a.state) for a in world.actions()] == [("a", "waiting"), ("b", "waiting")]


def test_rules_without_caps_ask_the_database_nothing_more(make_world, monkeypatch):
    from connector.store import effects

    world = make_world()
    monkeypatch.setattr(effects, "_EFFECTS", None)
    world.answer(id="0", score=None, **ANA)
    world.answer(id="1", score=8, **ANA)

    assert mails(world) == ["waiting"]


def test_two_workers_at_once_exceed_no_cap(world):
    for number in range(60):
        score = (9, 8, None)[number % 3]
        comment = "look" if number % 2 else ""
        world.post(id=str(number), score=score, comment=comment, email=f"p{number % 5}@example.com")
    world.decide_by_two(limit=7)

    assert len(world.responses()) == 60
    made = Counter((a.customer_id, a.kind) for a in world.actions() if a.state == "waiting")
    assert len({customer for customer, _ in made}) == 5
    assert {n for (_, kind), n in made.items() if kind == "email.thank_you"} == {1}
    assert {n for (_, kind), n in made.items() if kind == "slack.message"} == {2}


def facts(world) -> list[dict[str, Any]]:
    found = []
    with world.workspace.store.read() as connection:
        for response in world.responses():
            found.append(answers.decisions_of(connection, response.id)[-1])
    return [row.facts for row in sorted(found, key=lambda row: row.number)]


CONTACTS = """
rules:
  - id: bad
    when: {segment: detractor}
    then: [{zendesk.ticket: {next_step: Call.}}]
  - id: silent
    when: {history.days_since_contact: {at_least: 10}}
    then: [{slack.message: {channel: "#x", text: "{{ history.days_since_contact }} days"}}]
  - id: never
    when: {history.days_since_contact: {exists: false}}
    then: [{log: {}}]
"""


def test_days_since_contact_are_whole_days_since_the_newest_message_or_case(make_world):
    world = make_world(CONTACTS, added_before=timedelta(days=400))
    for number, (days, score) in enumerate(((0, 8), (1, 1), (9.9, 8), (0.2, 8))):
        later(world, days=days)
        world.answer(id=str(number), score=score, **ANA)

    seen = [one["history"]["days_since_contact"] for one in facts(world)]
    assert seen == [None, None, 9, 10]
    alerts = [a.order["params"]["text"] for a in orders(world) if a.kind == "slack.message"]
    assert alerts == ["10 days"], "an alert is no contact"


@pytest.mark.parametrize("state", ["parked", "withheld", "superseded"])
def test_what_never_reached_the_customer_is_no_contact(make_world, state):
    world = make_world(CONTACTS)
    world.answer(id="1", score=1, **ANA)
    world.workspace.store.write(lambda c: c.execute(update(actions).values(state=state)))
    world.answer(id="2", score=8, **ANA)

    assert facts(world)[-1]["history"]["days_since_contact"] is None


def test_the_facts_keep_what_decided_and_no_more(world):
    world.answer(id="1", score=9, **ANA)
    world.answer(id="2", score=1, **ANA)
    world.answer(id="3", score=9, **ANA)

    kept = facts(world)[-1]
    (one,) = kept["history"]["effects"]
    assert (one["kind"], one["rule_id"], one["case"]) == (
        "email.thank_you",
        "promoter-thanks",
        False,
    )
    assert kept["decided_at"]
    with world.workspace.store.read() as connection:
        ids = set(connection.scalars(select(actions.c.customer_id)))
        assert outbox.action_counts(connection)["email.thank_you", "withheld"] == 1
    assert ids == {kept["customer_id"]}
