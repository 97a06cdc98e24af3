"""Pools take turns: which turn is a fact of the decision, and each is taken once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from connector import deciding
from connector.domain import Facts
from connector.rules.decide import decide
from connector.store import answers
from connector.store.tables import actions, decisions, pools

RULES = """
pools:
  iberia: [ana@example.com, bo@example.com, cy@example.com]
  everyone: [di@example.com]
routing:
  - {when: {brand: own}, owner: own@example.com}
  - {when: {comment: {mentions: madrid}}, pool: iberia}
  - {when: {}, pool: everyone}
rules:
  - id: spared
    holdout: 99.99%
    when: {comment: {mentions: spared}}
    then: [{slack.message: {channel: "#x", text: "for {{ owner }}"}}]
  - id: mail
    when: {comment: {mentions: mailed}}
    then: [{email.thank_you: {template: personal}}]
  - id: bad
    when: {segment: detractor}
    then:
      - hubspot.task: {next_step: Call.}
"""
SPAIN = {"score": 2, "comment": "madrid"}


@pytest.fixture(autouse=True)
def personal(tmp_path) -> None:
    (tmp_path / "templates/personal").mkdir(parents=True)
    text = "Subject: Thank you\n\nYours, {{ owner }}\n"
    (tmp_path / "templates/personal/en.txt").write_text(text)


@pytest.fixture
def world(make_world) -> Any:
    return make_world(RULES, added_before=timedelta(days=400))


def owners(world) -> list[str]:
    """Of the tasks, in the order in which they were decided."""
    with world.workspace.store.read() as connection:
        mine = actions.c.kind == "hubspot.task"
        rows = connection.execute(select(actions.c.order).where(mine).order_by(actions.c.id))
        return [row.order["params"]["owner"].partition("@")[0] for row in rows]


def turns(world) -> dict[str, int]:
    with world.workspace.store.read() as connection:
        return dict(map(tuple, connection.execute(select(pools.c.name, pools.c.position))))


def kept(world) -> list[Any]:
    with world.workspace.store.read() as connection:
        return list(connection.execute(select(decisions).order_by(decisions.c.number)))


def test_members_take_turns_in_the_order_of_the_file(world):
    for number in range(4):
        world.answer(id=str(number), **SPAIN)
    world.answer(id="x", score=1)

    assert owners(world) == ["ana", "bo", "cy", "ana", "di"]
    assert [row.facts["positions"] for row in kept(world)] == [
        *({"iberia": number} for number in range(4)),
        {"everyone": 0},
    ]
    assert turns(world) == {"iberia": 4, "everyone": 1}


def test_answers_decided_together_take_one_turn_each(world):
    for number in range(5):
        world.post(id=str(number), **SPAIN)
        world.post(id=f"x{number}", score=9)
    while world.decide().records:
        pass

    assert sorted(owners(world)) == ["ana", "ana", "bo", "bo", "cy"]
    assert turns(world) == {"iberia": 5}


def test_a_revision_keeps_the_turn_of_its_answer(world):
    world.answer(id="1", **SPAIN)
    world.answer(id="2", **SPAIN)
    world.answer(id="1", score=1, comment="madrid!", revised="2026-11-20T12:01:00Z")
    world.answer(id="1", score=1, comment="oslo", revised="2026-11-20T12:02:00Z")
    world.answer(id="1", score=1, comment="madrid", revised="2026-11-20T12:03:00Z")

    assert owners(world) == ["ana", "bo"]
    assert turns(world) == {"iberia": 2, "everyone": 1}
    assert kept(world)[-1].facts["positions"] == {"iberia": 0, "everyone": 0}


@pytest.mark.parametrize(
    "answer",
    [
        {"score": 9, "comment": "madrid"},  # nothing is asked for
        {**SPAIN, "at": "2025-01-01T00:00:00Z"},  # history
        {"score": 9, "comment": "madrid, mailed"},  # withheld: no address
        {"score": 9, "comment": "madrid, spared"},  # held out
    ],
)
def test_where_nothing_is_made_no_turn_is_taken(world, answer):
    world.answer(id="1", **answer)
    world.answer(id="2", **SPAIN)

    assert owners(world) == ["ana"]
    assert turns(world) == {"iberia": 1}
    assert [row.facts["positions"] for row in kept(world)] == [{}, {"iberia": 0}]


def test_every_kept_decision_is_reproduced_after_the_pool_has_changed(make_world):
    world = make_world(RULES)
    for number in range(5):
        world.answer(id=str(number), **SPAIN)
    ruleset = world.workspace.store.write(world.workspace.ruleset)
    fewer = RULES.replace("bo@example.com, ", "")
    world = make_world(fewer)
    for number in range(5, 8):
        world.answer(id=str(number), **SPAIN)

    assert owners(world) == ["ana", "bo", "cy", "ana", "bo", "cy", "ana", "cy"]
    for row in kept(world)[:5]:
        again = decide(ruleset, Facts.model_validate(row.facts))
        assert again.model_dump(mode="json") == row.verdict


def test_what_is_undone_gives_its_turn_back(world, monkeypatch):
    place, broken = deciding.place_orders, []

    def refused(connection: Any, workspace: Any, placed: Any, *more: Any) -> Any:
        if any(one.facts.comment == "madrid bad" for one in placed):
            broken.append(1)
            raise ValueError
        return place(connection, workspace, placed, *more)

    monkeypatch.setattr(deciding, "place_orders", refused)
    for number, comment in enumerate(("madrid", "madrid bad", "madrid")):
        world.post(id=str(number), score=1, comment=comment, email=f"p{number}@example.com")
    while world.decide().records:
        pass

    assert broken
    assert owners(world) == ["ana", "bo"]
    assert turns(world) == {"iberia": 2}


def test_a_turn_of_deciding_ends_soon_after_a_pool_was_locked(world, monkeypatch):
    monkeypatch.setattr(deciding, "_TURN_SECONDS", 60.0)
    for number in range(50):
        world.post(id=str(number), **SPAIN)
    sizes = []
    while (decided := world.decide()).records:
        sizes.append(decided.records)

    assert sizes == [20, 20, 10]


LOOKING_BACK = """
pools: {everyone: [di@example.com, eva@example.com]}
routing: [{when: {}, pool: everyone}]
rules:
  - id: seen
    when: {history.answers: {at_least: 1}}
    then: [{%s}]
"""
MAIL, TASK = "email.thank_you: {template: personal}", "hubspot.task: {next_step: Call.}"
ANA = {"email": "ana@example.com", "score": 9}


def test_what_a_cap_refuses_takes_no_turn(make_world):
    alert = 'slack.message: {channel: "#x", text: "for {{ owner }}"}'
    capped = "defaults: {cap: 1 per customer per 30d}" + LOOKING_BACK % alert
    world = make_world(capped.replace("at_least: 1", "at_least: 0"))
    for number in range(3):
        world.answer(id=str(number), **ANA)

    assert [state for _, state in world.made()] == ["waiting", "withheld", "withheld"]
    assert turns(world) == {"everyone": 1}


@pytest.mark.parametrize(("action", "taken"), [(MAIL, {}), (TASK, {"everyone": 1})])
def test_a_late_answer_takes_a_turn_only_for_what_it_makes(make_world, monkeypatch, action, taken):
    monkeypatch.setattr(deciding, "_TURN_SECONDS", 60.0)
    world = make_world(LOOKING_BACK % action)
    world.answer(id="1", **ANA)
    world.post(id="0", at=(world.now - timedelta(hours=2)).isoformat(), **ANA)
    for number in range(30):
        world.post(id=f"x{number}", score=9)
    sizes = []
    while (decided := world.decide()).records:
        sizes.append(decided.records)

    assert turns(world) == taken
    assert sizes == ([20, 11] if taken else [31]), "others wait for the pool no longer than needed"


def test_rules_without_pools_ask_the_database_nothing_more(make_world):
    world = make_world()
    world.answer(id="1", score=2)
    asked: list[str] = []
    engine = world.workspace.store.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    world.answer(id="1", score=1, revised="2026-11-20T12:01:00Z")

    assert asked
    assert not [one for one in asked if "pools" in one or "positions" in one]


def test_two_workers_at_once_take_each_turn_once(world):
    for number in range(60):
        who = {"email": f"p{number % 7}@example.com"} if number % 2 else {}
        world.post(id=str(number), **SPAIN, **who)
    world.decide_by_two(limit=9)

    taken = {(row.response_id, row.facts["positions"]["iberia"]) for row in kept(world)}
    assert sorted(turn for _, turn in taken) == list(range(60))
    assert turns(world) == {"iberia": 60}
    with world.workspace.store.read() as connection:
        ruleset = world.workspace.ruleset(connection)
        for response in world.responses():
            *_, row = answers.decisions_of(connection, response.id)
            again = decide(ruleset, Facts.model_validate(row.facts))
            assert again.model_dump(mode="json") == row.verdict
