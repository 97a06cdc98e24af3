"""`connector rules check` as people, editors and CI call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from connector.cli import main
from connector.cli.rules import linting

RULES = """\
rules:
  - id: refund
    name: Refund
    owner: cx@example.com
    when: {segment: detractor, comment: {mentions: refund}}
    then:
      - zendesk.ticket: {group: Support, subject: "{{ customer.plan }}", respond_within: 4h}
default: {then: [{log: {}}]}
"""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(world, connector, monkeypatch) -> Run:
    """`run("check")` in the installation's folder -> (exit code, what was printed)."""
    monkeypatch.chdir(world.workspace.settings.directory)

    def call(*words: str) -> tuple[int, str]:
        return connector("rules", *words)[:2]

    return call


def rules_file(world, text: str = RULES) -> Path:
    path: Path = world.workspace.settings.rules
    path.write_text(text)
    return path


def test_all_problems_of_all_files_are_told_at_once_with_their_places(run: Run, world) -> None:
    text = RULES.replace("mentions: refund", "mentoins: refund")
    text += "  - {id: b, name: B, owner: o, when: {score: 3, segment: promoter}, then: [{log: {}}]}"
    text = text.replace("default: {then: [{log: {}}]}\n", "")
    rules_file(world, text)
    (world.workspace.settings.templates / "thank_you" / "en.txt").write_text("Hello")

    code, out = run("check", "--json")
    problems = json.loads(out)
    assert code == 3
    assert [set(problem) for problem in problems] == [
        {"file", "line", "column", "severity", "message", "hint"}
    ] * len(problems)
    assert [(p["file"], p["line"], p["column"]) for p in problems if p["severity"] == "error"] == [
        ("rules.yaml", 5, 42),
        ("rules.yaml", 8, 58),  # found by trying, although another rule cannot be read
        ("templates/thank_you/en.txt", 1, 1),
    ]


def test_annotations_for_a_pull_request_are_escaped(run: Run, world) -> None:
    rules_file(world, RULES.replace("segment: detractor", '"a,b:100%": 1'))
    code, out = run("check", "--format", "github")
    assert code == 3
    (line,) = (line for line in out.splitlines() if line.startswith("::error"))
    assert line.startswith("::error file=rules.yaml,line=5,col=12::unknown field 'a,b:100%25'")
    odd = world.workspace.settings.directory / "odd,name:1.yaml"
    odd.write_text(RULES.replace("segment", "segmnt"))
    _, out = run("check", "--format", "github", odd.name)
    assert "::error file=odd%2Cname%3A1.yaml,line=5" in out


def test_warnings_and_notes_pass(run: Run, world) -> None:
    rules_file(world, RULES.replace("    name: Refund\n", ""))
    code, out = run("check")
    assert code == 0
    assert "rules.yaml:2:5: warning: 'refund' has no name" in out
    assert out.splitlines()[-1] == "The rules are in order (2 warnings, 1 note)."
    assert "::notice file=rules.yaml," in run("check", "--format", "github")[1]


def test_a_candidate_is_checked_in_place_of_the_configured_file(
    run: Run, world, tmp_path_factory, monkeypatch, capsys
) -> None:
    rules_file(world)
    assert run("check")[0] == 0
    candidate = world.workspace.settings.directory / "new.yaml"
    candidate.write_text(RULES.replace("segment", "segmnt"))
    code, out = run("check", "new.yaml")
    assert code == 3
    assert out.startswith("new.yaml:5:12: unknown field 'segmnt'")

    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))  # connector.yaml lies beside the file
    code, out = run("check", str(candidate))
    assert code == 3
    assert out.startswith(f"{candidate}:5:12: ")
    assert run("check", "missing.yaml")[0] == 3


def test_a_mistake_in_connector_yaml_is_told_in_the_same_form(run: Run, world) -> None:
    config = world.workspace.settings.directory / "connector.yaml"
    config.write_text(config.read_text().replace("type: hubspot", "type: hubspt"))
    code, out = run("check", "--json")
    assert code == 3
    (problem,) = json.loads(out)
    assert (problem["file"], problem["severity"]) == ("connector.yaml", "error")
    assert problem["hint"] == "did you mean 'hubspot'?"


def test_names_come_from_the_configuration_where_nothing_is_asked(run: Run, world) -> None:
    config = world.workspace.settings.directory / "connector.yaml"
    text = config.read_text()
    config.write_text(text.replace("acme,", "acme, names: {group: [Suport, Care]},"))
    rules_file(world)
    code, out = run("check")
    assert code == 3
    assert (
        "rules.yaml:7:33: group: 'Support' does not exist in desk "
        "(did you mean 'Suport'? there are: Suport, Care)" in out
    )
    rules_file(world, RULES.replace("Support", "care"))
    assert run("check")[0] == 0
    rules_file(world, RULES.replace("Support", "'36001'"))  # an id cannot be judged by names
    assert run("check")[0] == 0

    config.write_text(text.replace("acme,", "acme, names: {grup: [Support]},"))
    with pytest.raises(SystemExit) as ended:
        main(["rules", "check"])
    assert ended.value.code == 3


def test_past_answers_show_which_texts_stay_empty(run: Run, world, monkeypatch) -> None:
    monkeypatch.setattr(linting, "utc_now", lambda: world.now + timedelta(days=1))
    rules_file(world)
    assert "rules.yaml:7:51: warning: template: customer.plan can be empty" in run("check")[1]
    for number in range(25):
        world.answer(id=str(number), score=number % 2, comment="a refund" if number < 22 else "no")
    world.answer(id="1", score=1, comment="a refund, please", revised=world.now.isoformat())
    _, out = run("check")
    told = [line for line in out.splitlines() if "customer.plan" in line]
    assert told == [
        "rules.yaml:7:51: warning: template: customer.plan is empty in 100% of the 22 answers that "
        "'refund' matched in the last 90 days (write {{ customer.plan | default('…') }}, or an if "
        "around it)"
    ]
    monkeypatch.setattr(linting, "utc_now", lambda: world.now + timedelta(days=91))
    assert "customer.plan can be empty" in run("check")[1], "these answers are too old to count"


def test_a_store_that_cannot_be_read_is_a_note(run: Run, world) -> None:
    rules_file(world)
    config = world.workspace.settings.directory / "connector.yaml"
    (config.parent / "broken.db").write_text("no database")
    lines = config.read_text().splitlines()
    lines = ["store: sqlite:///broken.db" if li.startswith("store:") else li for li in lines]
    config.write_text("\n".join(lines))
    code, out = run("check")
    assert code == 0
    assert "store: note: past answers were not looked at: " in out
