"""Many answers decided at once: the same as one after the other, and one bad one stops no other."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from connector import deciding
from connector.store import alarms, answers
from connector.store.tables import customer_keys, customers


def facts_of(world, response: str) -> dict[str, Any]:
    with world.workspace.store.read() as connection:
        facts: dict[str, Any] = answers.decisions_of(connection, response)[-1].facts
    return facts


def decide_all(world) -> Counter[str]:
    changes: Counter[str] = Counter()
    while (decided := world.decide()).records:
        changes.update(decided.changes)
    return changes


@pytest.mark.parametrize("batches", [(5,), (2, 3), (4, 1), (1, 1, 1, 1, 1)])
def test_a_flood_is_counted_over_answers_decided_together_and_before(make_world, batches):
    world = make_world(surge=3)
    number = 0
    for size in batches:
        for _ in range(size):
            world.post(id=str(number), score=1)
            number += 1
        world.decide()

    assert [state for _, state in world.made()] == ["waiting"] * 3 + ["held"] * 2
    with world.workspace.store.read() as connection:
        assert [(a.kind, a.count) for a in alarms.open_alarms(connection)] == [("surge", 2)]


def test_answers_of_one_customer_that_come_together_see_each_other(world):
    for number, score in enumerate((9, 2, 8)):
        given = (world.now - timedelta(minutes=9 - number)).isoformat()
        world.post(id=str(number), score=score, email="ana@example.com", at=given)
        world.post(id=f"x{number}", score=7)
    assert decide_all(world) == {"new": 6}

    theirs = [r for r in world.responses() if r.content["respondent"]["email"]]
    seen = {r.score: facts_of(world, r.id)["history"] for r in theirs}
    assert {score: history["answers"] for score, history in seen.items()} == {9: 0, 2: 1, 8: 2}
    assert seen[8]["previous_score"] == 2
    assert seen[8]["open_cases"] == 2
    mails = [(a.state, a.error) for a in world.actions() if a.kind == "email.thank_you"]
    assert mails[-1][0] == "withheld", "the case of the second answer is open by then"


def test_an_answer_and_its_revision_that_come_together_are_one_case(world):
    world.post(id="1", score=2, revised="2026-11-20T11:58:00Z")
    world.post(id="2", score=9, email="leo@example.com")
    world.post(id="1", score=2, comment="a refund!", revised="2026-11-20T11:59:00Z")

    assert world.decide().changes == {"new": 2, "revised": 1}
    assert [(a.rule_id, a.state) for a in world.actions(sink="desk")] == [("refund", "waiting")]


def test_one_customer_under_two_keys_in_one_batch_is_decided_one_after_the_other(world):
    store = world.workspace.store
    row = {"id": "c1", "name": None, "attributes": {}, "created_at": world.now}
    both = ("ana@example.com", "ana@work.example.com")
    keys = [{"kind": "email", "value": address, "customer_id": "c1"} for address in both]
    store.write(
        lambda c: (c.execute(insert(customers), row), c.execute(insert(customer_keys), keys))
    )
    for number, address in enumerate(both):
        given = (world.now - timedelta(minutes=9 - number)).isoformat()
        world.post(id=str(number), score=2 + number, email=address, at=given)

    assert world.decide().changes == {"new": 2}
    found = {r.score: facts_of(world, r.id)["history"]["answers"] for r in world.responses()}
    assert found == {2: 0, 3: 1}
    assert world.decide().records == 0


@pytest.mark.parametrize("bad", ["first", "middle", "last"])
def test_what_the_database_refuses_of_one_answer_leaves_the_others_alone(world, monkeypatch, bad):
    place = deciding.place_orders

    def refused(connection: Any, workspace: Any, placed: Any, *more: Any) -> Any:
        sinks = place(connection, workspace, placed, *more)
        if any(one.facts.comment == bad for one in placed):
            connection.execute(insert(customers), {"id": None, "attributes": {}})
        return sinks

    monkeypatch.setattr(deciding, "place_orders", refused)
    for comment in ("first", "middle", "last"):
        world.post(id=comment, score=1, comment=comment, email=f"{comment}@example.com")

    assert world.decide().changes == {"new": 2, "quarantined": 1}
    left = {"first", "middle", "last"} - {bad}
    assert {r.content["comment"] for r in world.responses()} == left
    assert world.made() == [("zendesk.ticket", "waiting")] * 2
    with world.workspace.store.read() as connection:
        known = connection.scalars(select(customer_keys.c.value)).all()
        assert set(known) == {f"{name}@example.com" for name in left}
        assert [a.kind for a in alarms.open_alarms(connection)] == ["undecided"]


def test_a_record_that_breaks_its_source_leaves_the_others_alone(world, monkeypatch):
    source = world.workspace.sources["app"]
    parse = source.parse

    def sometimes(note: Any) -> Any:
        return 1 / 0 if json.loads(note.body)["id"] == "2" else parse(note)

    monkeypatch.setattr(source, "parse", sometimes)
    for number in ("1", "2", "3"):
        world.post(id=number, score=1)

    assert world.decide().changes == {"new": 2, "quarantined": 1}


def test_a_turn_that_ends_early_leaves_the_rest_to_the_next(world, monkeypatch):
    monkeypatch.setattr(deciding, "_TURN_SECONDS", 0.0)
    for number in range(45):
        world.post(id=str(number), score=1, email=f"p{number}@example.com")
    turns = []
    while (decided := world.decide()).records:
        turns.append(decided.records)

    assert turns == [20, 20, 5]
    assert len(world.responses()) == 45
    assert world.made() == [("zendesk.ticket", "waiting")] * 45


def test_a_turn_takes_no_more_than_it_was_asked_for(world):
    for number in range(45):
        world.post(id=str(number), score=8)

    decided = world.workspace.store.write(
        lambda c: deciding.decide_in(c, world.workspace, world.now, 33)
    )
    assert decided.records == 33
    assert decide_all(world) == {"new": 12}


def test_statements_are_shared_by_the_answers_of_a_turn(world):
    world.answer(id="first", score=8)
    store, statements = world.workspace.store, []
    event.listen(store.engine, "before_cursor_execute", lambda *_: statements.append(1))
    counted = []
    for answers_given in (5, 20):
        for number in range(answers_given):
            name = f"{answers_given}-{number}"
            assert world.post(id=name, email=f"{name}@example.com", score=number % 11) == 202
        statements.clear()
        most = answers_given
        store.write(lambda c, n=most: deciding.decide_in(c, world.workspace, world.now, n))
        counted.append(len(statements))

    assert len(world.responses()) == 26
    assert counted[0] == counted[1]


def test_two_deciders_with_many_answers_of_few_customers_lose_and_double_nothing(world):
    for number in range(40):
        world.post(id=str(number), score=2, email=f"p{number % 4}@example.com")
    assert world.decide_by_two(limit=7) == {"new": 40}
    assert world.made() == [("zendesk.ticket", "waiting")] * 40
    seen: dict[str, list[int]] = {}
    for response in world.responses():
        facts = facts_of(world, response.id)
        seen.setdefault(facts["customer"]["email"], []).append(facts["history"]["answers"])
    assert {email: sorted(counts) for email, counts in seen.items()} == {
        f"p{number}@example.com": list(range(10)) for number in range(4)
    }
