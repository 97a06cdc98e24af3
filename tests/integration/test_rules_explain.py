"""`connector rules explain`: as decided then, as today's rules would, and for an answer that is
written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from connector import config
from connector.store.tables import decisions
from connector.workspace import open_workspace
from tests.integration.conftest import RULES, SECRET

Run = Callable[..., tuple[int, str, str]]
CHANGED = RULES.replace("segment: detractor, comment", "score: {at_most: 1}, comment").replace(
    "id: promoter\n", "id: fans\n"
)


@pytest.fixture
def run(world, connector, monkeypatch) -> Run:
    monkeypatch.chdir(world.workspace.settings.directory)

    return partial(connector, "rules", "explain")


def activate(world, rules: str) -> None:
    settings = world.workspace.settings
    settings.rules.write_text(rules)
    open_workspace(settings, world.now, follow=True).store.close()


def decided(world, **answer: Any) -> str:
    world.answer(id="1", email="ana@example.com", **answer)
    (response,) = world.responses()
    return str(response.id)


def test_an_answer_that_is_written_down_may_have_a_past(run: Run, world) -> None:
    drop = "segment: detractor, history.drop: {at_least: 4, within: 90d}"
    activate(world, RULES.replace("segment: detractor, comment: {mentions: refund}", drop))
    past = '{"score": 3, "history": {"past": [{"score": 9, "days_ago": 90}]}}'
    code, out, _ = run("--given", past)
    assert code == 0
    assert "fired  refund\n" in out
    assert "+ history.drop within 90d is at least 4: saw 6" in out
    assert (
        "history.drop within 90d is at least 4: saw nothing"
        in run("--given", past.replace("90}", "90.1}"))[1]
    )


def test_as_decided_then_and_as_todays_rules_would(run: Run, world) -> None:
    response = decided(world, score=2, comment="a refund!")
    then = run(response, "--json")
    assert json.loads(then[1])["today"]["changed"] == []
    assert "Today's rules are the same." in run(response)[1]

    activate(world, CHANGED)
    code, out, _ = run(response)
    assert code == 0
    before, _, today = out.partition("today's rules, ruleset ")
    assert "fired  refund\n" in before
    assert "active since 2026-11-20 11:00 UTC" in before
    assert "! fired then: no     refund" in today
    assert "score is at most 1: saw 2" in today
    assert "zendesk.ticket in desk, by detractor" in today
    assert "! fires now" not in today

    told = json.loads(run(response, "--json")[1])
    assert told["today"]["changed"] == [{"rule_id": "refund", "then": True, "today": False}]
    assert told["today"]["active_since"] == "2026-11-20T12:00:00Z"
    assert told["ruleset"] != told["today"]["ruleset"]
    assert [one["kind"] for one in told["actions"]] == ["zendesk.ticket", "slack.message"]


def test_a_rule_that_is_new_or_gone_is_marked(run: Run, world) -> None:
    response = decided(world, score=10)
    activate(world, CHANGED)
    _, out, _ = run(response)
    assert "! new: fired  fans" in out
    assert "! fired then and is gone: promoter" in out


def test_an_old_ruleset_that_cannot_be_loaded_any_more_hides_only_itself(run: Run, world) -> None:
    response = decided(world, score=2)
    settings = world.workspace.settings
    file = settings.directory / "connector.yaml"
    text = file.read_text()
    file.write_text(text.replace('  chat: {type: slack, token: "${TOKEN}"}\n', ""))
    settings.rules.write_text(
        RULES[: RULES.index("      - slack")] + RULES[RULES.index("  - id: d") :]
    )
    names = {"SECRET": SECRET, "TOKEN": "t", "STORE_URL": world.workspace.store.url}
    open_workspace(config.load(file, names), world.now, follow=True).store.close()

    code, out, _ = run(response)
    assert code == 0
    assert "That ruleset cannot be loaded any more" in out
    assert "fired  detractor" in out
    told = json.loads(run(response, "--json")[1])
    assert told["rules"] is None
    assert [r["rule_id"] for r in told["today"]["rules"] if r["fired"]] == ["detractor"]


def test_an_answer_that_is_written_down_needs_no_store(run: Run, world, tmp_path) -> None:
    given = {"score": 3, "comment": "Refund!\x1b[2J", "customer": {"name": "Ana\n{{ 7 }}"}}
    code, out, _ = run("--given", json.dumps(given))
    assert code == 0
    assert "fired  refund" in out
    assert "\x1b" not in out
    assert "zendesk.ticket in desk, by refund" in out
    file = tmp_path / "answer.yaml"
    file.write_text("score: 10\nhistory: {open_cases: 2}\n")
    told = json.loads(run("--file", str(file), "--json")[1])
    assert [one["rule"] for one in told["asks"]] == ["promoter", "thanks"]
    assert told["facts"]["history"]["open_cases"] == 2
    assert world.responses() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"scroe": 3}', "did you mean 'score'?"),
        ('{"score": 11}', "scores go from 0 to 10"),
        ('{"customer": {"plann": "x"}}', "did you mean 'plan'?"),
        ('{"survey": "nsp"}', "did you mean 'nps'?"),
        ("[1]", "--given"),
        ("", "--given"),
        ('{"score": 3', "--given:1"),
    ],
)
def test_what_is_wrong_with_it_is_told_with_its_place(run: Run, world, given, said) -> None:
    code, out, err = run("--given", given)
    assert code == 3
    assert out == ""
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", [(), ("r1", "--given", "{}")])
def test_one_answer_has_to_be_named(run: Run, world, words) -> None:
    assert run(*words)[0] == 2


OWNED = """
pools: {team: [kim@example.com, lou@example.com]}
routing: [{when: {}, pool: team}]
rules:
  - {id: bad, when: {segment: detractor}, then: [{hubspot.task: {}}]}
  - {id: spared, holdout: 99.99%, when: {}, then: [{log: {}}]}
  - id: thanks
    cap: 1 per customer per 30d
    when: {segment: passive}
    then: [{email.thank_you: {template: thank_you}}]
"""


def test_it_says_whose_turn_it_was_which_cap_refused_and_who_was_held_out(
    make_world, connector, monkeypatch
) -> None:
    world = make_world(OWNED)
    monkeypatch.chdir(world.workspace.settings.directory)
    for number, score in enumerate((2, 2, 8, 8)):
        email = f"p{number // 2}@example.com"
        world.answer(id=str(number), score=score, email=email)
    with world.workspace.store.read() as connection:
        found = list(connection.execute(select(decisions.c.response_id).order_by("number")))

    said = [connector("rules", "explain", row.response_id)[1] for row in found]
    assert "owner lou@example.com: pool team, position 1, line 1 of routing\n" in said[1]
    assert "owner kim@example.com: pool team, no turn taken, line 1 of routing\n" in said[2]
    assert "fired  spared: held out: the customer falls into the 99.99 %" in said[2]
    why = "cap: 1 per customer per 30d; the last one on 2026-11-20 by thanks"
    assert f"email.thank_you in mail, by thanks: withheld: {why}" in said[3]
    assert f"fired  thanks: its email.thank_you is withheld: {why}" in said[3]
    told = json.loads(connector("rules", "explain", found[1].response_id, "--json")[1])
    assert told["owner"].startswith("lou@example.com: ")
