"""Rules are checked, and an editor is helped, with what exists at the far side right now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector import cli
from connector.cli.demo.staging import Stage, staged
from connector.cli.rules import surroundings

RULES = """\
rules:
  - id: a
    name: A
    owner: o
    when: {segment: detractor}
    then:
      - zendesk.ticket:
          group: Suport
          fields: {NPS scroe: "{{ score }}"}
      - salesforce.task: {owner: nobody@example.com, status: Begun, fields: {Sbject: x}}
      - hubspot.task: {owner: nobody@example.com}
default: {then: [{log: {}}]}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The shipped configuration on stand-ins of every vendor."""
    with staged(tmp_path_factory.mktemp("far") / "side") as started:
        yield started


@pytest.fixture
def run(stage: Stage, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["--config", str(stage.config), "rules", *words])
        code = ended.value.code
        return (code if isinstance(code, int) else 1), capsys.readouterr().out

    return call


def test_what_does_not_exist_there_is_a_mistake_with_what_does(
    stage: Stage, run: Callable[..., tuple[int, str]]
) -> None:
    (stage.directory / "candidate.yaml").write_text(RULES)
    code, out = run("check", str(stage.directory / "candidate.yaml"), "--online", "--json")
    found = [p for p in json.loads(out) if "does not exist in" in p["message"]]
    assert code == 3
    assert [(p["line"], p["column"], p["severity"]) for p in found] == [
        (8, 18, "error"),
        (9, 20, "error"),
        (10, 34, "error"),
        (10, 62, "error"),
        (10, 78, "error"),
        (11, 31, "error"),
    ]
    assert found[0]["message"] == "group: 'Suport' does not exist in zendesk-main"
    assert found[0]["hint"] == (
        "did you mean 'Support'? there are: Customer Care, Retention, Support"
    )
    assert "NPS score" in found[1]["hint"]
    assert "Not Started" in found[3]["hint"]


def test_the_shipped_rules_name_what_exists(run: Callable[..., tuple[int, str]]) -> None:
    code, out = run("check", "--online")
    assert (code, out) == (0, "The rules are in order.\n")


def test_the_schema_offers_what_exists(run: Callable[..., tuple[int, str]]) -> None:
    code, out = run("schema", "--online")
    assert code == 0
    kinds: dict[str, Any] = json.loads(out)["definitions"]["actions"]["items"]["properties"]
    ticket = kinds["zendesk.ticket"]["properties"]
    assert ticket["group"]["enum"] == ["Customer Care", "Retention", "Support"]
    assert "NPS score" in ticket["fields"]["properties"]
    assert "@" in kinds["hubspot.task"]["properties"]["owner"]["examples"][0]
    assert "Not Started" in kinds["salesforce.task"]["properties"]["status"]["enum"]


def test_a_sink_out_of_reach_is_a_note_and_a_mistake_only_where_it_had_to_answer(
    stage: Stage, run: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(surroundings, "PATIENCE_SECONDS", 0.0)  # nobody answers as fast as that
    monkeypatch.setattr(surroundings._Asking, "run", lambda asking: None)
    rule = "nobody knows whether this group exists in zendesk-main: no answer within"
    code, out = run("check")
    assert (code, f"note: {rule}" in out) == (0, True)
    code, out = run("check", "--online")
    assert (code, f": {rule}" in out) == (3, True)
    assert run("check", "--offline") == (0, "The rules are in order.\n")
    assert run("schema", "--online")[0] == 1
