"""`connector rules activate|history|diff|table`: what a rule author sees, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import click
import pytest

from connector.cli.rules import activate as command
from connector.store import activations, answers

RULES = """
rules:
  - id: refund
    name: Asks for money back
    when: {segment: detractor, comment: {mentions: [refund, money back]}}
    then: [{zendesk.ticket: {priority: urgent, next_step: Call., respond_within: 4h}}]
  - id: thanks
    when: {segment: promoter}
    then: [{email.thank_you: {template: thank_you}}]
"""
CHANGED = RULES.replace("refund, money", "chargeback, money").replace("urgent", "high")
FAILS = RULES + "    examples: [{given: {score: 2}, fires: true}]\n"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def world(make_world) -> Any:
    return make_world(RULES)


@pytest.fixture
def run(world, connector, monkeypatch) -> Run:
    monkeypatch.chdir(world.workspace.settings.directory)
    monkeypatch.setenv("SECRET", "whsec_" + "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcy4uLi4=")
    monkeypatch.setenv("TOKEN", "t0ken")

    return partial(connector, "rules")


def write(world, name: str, rules: str) -> None:
    (world.workspace.settings.directory / name).write_text(rules)


def active(world) -> str:
    with world.workspace.store.read() as connection:
        return str(answers.active_ruleset(connection))


def history(run: Run) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(run("history", "--json")[1])
    return rows


def test_activate_says_what_would_change_and_asks(run, world, monkeypatch):
    before = active(world)
    write(world, "new.yaml", CHANGED)
    asked: list[str] = []

    def no(question: str, **_: Any) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(click, "confirm", no)
    code, out, err = run("activate", "new.yaml")
    assert (code, active(world)) == (130, before)
    assert asked == ["Make new.yaml active?"]
    assert 'when: comment mentions: + "chargeback", - "refund"' in out
    assert 'zendesk.ticket: priority: "urgent" -> "high"' in out
    assert "1 rule changed." in out
    assert "Nothing was changed." in err

    code, out, _ = run("activate", "new.yaml", "--yes", "--by", "ana", "--note", "a\x1b[2J note")
    assert code == 0
    assert active(world) != before
    assert active(world)[:12] in out
    newest = history(run)[0]
    assert (newest["by"], newest["note"]) == ("ana", "a [2J note")


@pytest.mark.parametrize("rules", [FAILS, "rules: [", "rules: [{id: X}]"])
def test_what_has_a_mistake_is_not_made_active(run, world, rules):
    before = active(world)
    write(world, "new.yaml", rules)
    code, out, err = run("activate", "new.yaml", "--yes")
    assert (code, out, active(world)) == (3, "", before)
    assert "new.yaml:" in err
    assert "Nothing was changed." in err


def test_back_is_the_one_before_and_a_hash_any_of_them(run, world):
    first = active(world)
    assert "no other ruleset was active before" in run("activate", "--back")[2]
    write(world, "new.yaml", CHANGED)
    run("activate", "new.yaml", "--yes")
    second = active(world)

    assert run("activate", "--back", "--yes")[0] == 0
    assert active(world) == first
    assert run("activate", second[:6], "--yes")[0] == 0
    assert active(world) == second
    assert "is active already" in run("activate", second, "--yes")[1]
    assert [row["hash"] for row in history(run)] == [second, first, second, first]


def test_who_looked_before_another_one_activated_looks_again(run, world, monkeypatch):
    write(world, "new.yaml", CHANGED)
    now = world.now
    from connector.rules.model import RulesetText

    third = RulesetText({"rules.yaml": RULES + "# third\n"})

    def meanwhile(*_: Any) -> None:
        world.workspace.store.write(
            lambda c: activations.activate(c, third.hash, third.files, now, "leo", "")
        )

    monkeypatch.setattr(command, "confirm", meanwhile)
    code, _, err = run("activate", "new.yaml")
    assert (code, active(world)) == (1, third.hash)
    assert "look again" in err


def test_the_history_tells_who_and_how_much_and_where_the_files_differ(run, world):
    world.answer(id="1", score=9, email="ana@example.com")
    write(world, "rules.yaml", CHANGED)
    code, out, _ = run("history")
    assert code == 0
    assert out.splitlines()[1].split()[0] == active(world)[:12]
    assert "the first ruleset" in out
    assert "connector rules diff active rules.yaml" in out
    assert [row["decisions"] for row in history(run)] == [1]

    write(world, "rules.yaml", RULES)
    assert "diff" not in run("history")[1]


def test_explain_says_since_when_the_ruleset_was_active(run, world):
    world.answer(id="1", score=9, email="ana@example.com")
    response = world.responses()[0].id
    assert "active since 2026-11-20 11:00 UTC" in run("explain", response)[1]
    story = json.loads(run("explain", response, "--json")[1])
    assert story["active_since"] == "2026-11-20T11:00:00Z"


def test_diff_takes_files_hashes_and_the_active_one(run, world):
    write(world, "new.yaml", CHANGED)
    code, out, _ = run("diff", "active", "new.yaml")
    assert code == 0
    assert out.startswith("changed  rule refund\n")
    back = json.loads(run("diff", "new.yaml", active(world)[:8], "--json")[1])
    assert [(change["what"], change["of"]) for change in back] == [("changed", "rule refund")]
    assert run("diff", "active", "rules.yaml")[1] == f"Both are ruleset {active(world)[:12]}.\n"
    write(world, "new.yaml", RULES + "# a comment\n")
    assert "differ in comments" in run("diff", "active", "new.yaml")[1]


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("0000000000", 1, "there is no ruleset '0000000000'"),
        ("nothing.yaml", 3, "cannot be read"),
    ],
)
def test_what_does_not_exist_says_where_to_look(run, name, code, said):
    for words in (("diff", "active", name), ("table", name), ("activate", name)):
        found, out, err = run(*words)
        assert (found, out) == (code, "")
        assert said in err


def test_the_table_of_an_earlier_ruleset_can_be_read(run, world):
    old = active(world)
    write(world, "rules.yaml", CHANGED)
    assert "chargeback" in run("table")[1]
    out = run("table", old[:8], "--format", "markdown")[1]
    assert "chargeback" not in out
    assert out.startswith(f"**ruleset {old[:12]}")
    assert "| 1 | refund<br>Asks for money back | live |" in out
    assert run("table", "rules.yaml", "--format", "html")[1].startswith("<!doctype html>")


def test_the_text_of_a_ruleset_comes_back_as_it_was(run, world, tmp_path):
    write(world, "rules.yaml", CHANGED)
    assert run("show")[1] == RULES
    assert run("show", "-o", "old")[0] == 0
    old = tmp_path / "old"
    assert (old / "rules.yaml").read_text() == RULES
    kept = tmp_path / "templates/thank_you/en.txt"
    assert (old / "templates/thank_you/en.txt").read_bytes() == kept.read_bytes()
    code, _, err = run("show", "-o", "old")
    assert code == 1
    assert "holds these already: rules.yaml" in err
    assert run("diff", "active", "old/rules.yaml")[1].startswith("Both are ruleset")


def test_a_stored_name_cannot_leave_the_folder(run, world, tmp_path):
    from connector.rules.model import RulesetText

    bad = RulesetText({"rules.yaml": RULES, "../escaped": "x"})
    world.workspace.store.write(
        lambda c: activations.activate(c, bad.hash, bad.files, world.now, "leo", "")
    )
    code, _, err = run("show", "-o", "old")
    assert code == 1
    assert "outside of its folder" in err
    assert not (tmp_path / "escaped").exists()


def test_a_file_with_a_mistake_has_no_table(run, world):
    write(world, "new.yaml", "rules: [{id: x, when: {segmnt: promoter}, then: [{log: {}}]}]")
    code, out, err = run("table", "new.yaml")
    assert (code, out) == (3, "")
    assert "new.yaml:1:" in err
