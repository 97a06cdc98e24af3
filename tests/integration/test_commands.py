"""The commands of an operator and of CX ops: what they print, and their exit codes."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from connector.cli import main
from connector.store import alarms

SECRETS = {"SECRET": "whsec_" + "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcy4uLi4=", "TOKEN": "t0ken"}


@pytest.fixture
def run(world, connector, monkeypatch):
    """`run("responses", "list")` -> (exit code, what was printed, what was said on the side)."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    config = str(world.workspace.settings.directory / "connector.yaml")

    return partial(connector, "--config", config)


@pytest.fixture
def told(world):
    world.answer(id="1", score=2, comment="a refund!", email="ana@example.com", name="Ana")
    world.answer(id="2", score=9, comment="nice", email="leo@example.com")
    world.answer(id="3", score=11)
    return world


def test_responses_are_listed_newest_first_and_as_json(run, told):
    code, out, _ = run("responses", "list", "--json")
    assert code == 0
    assert {row["score"] for row in json.loads(out)} == {2, 9}

    code, out, _ = run("responses", "list", "--segment", "detractor")
    assert code == 0
    assert "a refund!" in out
    assert "nice" not in out


def test_one_response_tells_its_whole_story(run, told):
    response = next(r.id for r in told.responses() if r.score == 2)
    code, out, _ = run("responses", "show", response, "--json")
    story = json.loads(out)

    assert code == 0
    assert [a["kind"] for a in story["actions"]] == ["zendesk.ticket", "slack.message"]
    assert [m["rule_id"] for m in story["matches"]] == ["refund", "detractor"]
    assert "Ana" in run("responses", "show", response)[1]


def test_an_unknown_response_says_how_to_find_one(run, told):
    code, _, err = run("responses", "show", "nothing")
    assert code == 1
    assert "connector responses list" in err


def test_what_could_not_be_read_is_shown_and_can_be_read_again(run, told):
    code, out, _ = run("responses", "unread")
    assert code == 0
    assert "outside 0..10" in " ".join(out.split())
    trouble = ("undecided", "app", "a mistake", told.now)
    told.workspace.store.write(lambda c: alarms.raise_alarm(c, *trouble))
    assert "1 record will be read again" in run("responses", "replay")[1]
    with told.workspace.store.read() as connection:
        assert alarms.open_alarms(connection) == [], "it is raised again where it is not mended"


def test_a_decision_is_explained_with_the_condition_that_decided(run, told):
    response = next(r.id for r in told.responses() if r.score == 9)
    code, out, _ = run("rules", "explain", response)

    assert code == 0
    assert "fired  promoter" in out
    assert "no     detractor" in out
    assert 'segment is "detractor": saw "promoter"' in out
    assert "hubspot.task in hub, by promoter: waiting" in out
    assert "email.thank_you in mail, by thanks: withheld: the customer has an open case" in out

    reports = json.loads(run("rules", "explain", response, "--json")[1])["rules"]
    assert [(r["rule_id"], r["fired"]) for r in reports][:2] == [
        ("refund", False),
        ("detractor", False),
    ]


def test_actions_are_listed_shown_and_filtered(run, told):
    code, out, _ = run("actions", "list", "--sink", "desk", "--json")
    assert code == 0
    [ticket] = json.loads(out)
    code, out, _ = run("actions", "show", str(ticket["id"]), "--json")
    assert code == 0
    assert json.loads(out)["key"].startswith("nps-")
    assert run("actions", "show", "999")[0] == 1


def test_a_held_flood_is_released_by_one_command(run, make_world):
    world = make_world(surge=1)
    for number in range(3):
        world.answer(id=str(number), score=1)

    code, out, _ = run("actions", "release", "app")
    assert code == 0
    assert "2 actions of desk released" in out
    assert [state for _, state in world.made()] == ["waiting"] * 3
    assert run("actions", "release", "app")[1] == "Nothing is held.\n"


def test_retry_needs_to_be_told_what(run, told):
    code, _, err = run("actions", "retry")
    assert code == 2
    assert "--all" in err


def test_erasing_asks_first_and_wants_exactly_one_thing(run, told):
    assert run("erase")[0] == 2
    code, out, _ = run("erase", "--email", "ana@example.com", "--yes")
    assert code == 0
    assert "Erased: 1 response and 0 unread records." in out
    assert "ana@example.com" not in run("responses", "list", "--json")[1]


def test_a_file_is_imported_with_its_refused_rows(run, told, tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("Date,Email,Score,Comment\n2026-11-01,x@example.com,1,old\n2026-11-01,,7.5,\n")
    code, out, err = run("import", "file", str(file))

    assert code == 4
    assert "2 rows: 1 new record (1 new), as history" in out
    assert "line 3: " in err
    code, out, _ = run("import", "file", str(file), "--json")
    assert json.loads(out)["repeated"] == 1
    assert run("import", "nobody", str(file))[0] == 1
    assert run("import", "file", str(tmp_path / "missing.csv"))[0] == 2


def test_a_dry_run_stores_nothing(run, world, tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("Date,Email,Score,Comment\n2026-11-01,x@example.com,1,old\n")
    assert "1 of 1 row can be imported" in run("import", "file", str(file), "--dry-run")[1]
    assert world.responses() == []


def test_acting_on_a_file_shows_the_counts_and_asks(run, world, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    file = tmp_path / "answers.csv"
    file.write_text("Date,Email,Score,Comment\n2026-11-01,x@example.com,1,old\n")
    code, _, err = run("import", "file", str(file), "--act")
    assert code == 130, "nobody said yes"
    assert "1  zendesk.ticket in desk" in err
    assert world.made() == []
    assert run("import", "file", str(file), "--act", "--yes")[0] == 0
    assert world.made() == [("zendesk.ticket", "waiting")]


def test_customers_are_imported(run, world, tmp_path):
    file = tmp_path / "customers.csv"
    file.write_text("email,plan\nana@example.com,pro\nnobody,free\n")
    code, out, err = run("customers", "import", str(file))
    assert (code, out) == (4, "1 customer set, 1 row refused.\n")
    assert err.startswith("line 3: ")


def test_a_good_configuration_is_in_order(run, world):
    code, out, _ = run("check")
    assert (code, out.splitlines()[-1]) == (0, "Everything is in order.")
    assert run("rules", "check")[0] == 0


MISTAKES = [
    ("rules.yaml", "segment: detractor", "segmnt: detractor", "did you mean 'segment'?"),
    ("rules.yaml", "priority: urgent", "priority: asap", "rules.yaml:6:"),
    ("rules.yaml", "template: thank_you", "template: thank_yu", "thank_you"),
]
IN_CONNECTOR = ("connector.yaml", "type: zendesk", "type: zendsk", "connector.yaml:")


def mistaken(world, file: str, old: str, new: str) -> Path:
    path: Path = world.workspace.settings.directory / file
    path.write_text(path.read_text().replace(old, new, 1))
    return path


@pytest.mark.parametrize(("file", "old", "new", "said"), [IN_CONNECTOR, *MISTAKES])
@pytest.mark.parametrize("command", [["check"], ["rules", "check"]])
def test_a_mistake_in_a_file_is_one_line_and_exit_code_3(run, world, file, old, new, said, command):
    mistaken(world, file, old, new)
    code, out, err = run(*command)

    assert code == 3
    assert said in out + err
    assert "Traceback" not in out + err


@pytest.mark.parametrize(("file", "old", "new", "said"), [IN_CONNECTOR, *MISTAKES])
@pytest.mark.parametrize("command", [["run"], ["import", "file"]])
def test_with_a_mistake_in_a_file_nothing_starts_for_the_first_time(
    run, world, file, old, new, said, command
):
    path = mistaken(world, file, old, new)
    settings = world.workspace.settings
    text = (settings.directory / "connector.yaml").read_text()
    store = next(line for line in text.splitlines() if line.startswith("store:"))
    (settings.directory / "connector.yaml").write_text(text.replace(store, "store: sqlite:///x.db"))
    code, out, err = run(*command, *([str(path)] if command[0] == "import" else []))

    assert code == 3
    assert said in out + err
    assert "Traceback" not in out + err


def test_an_import_decides_with_the_active_rules_whatever_the_files_say(run, world, tmp_path):
    mistaken(world, *MISTAKES[0][:3])
    file = tmp_path / "answers.csv"
    file.write_text("Date,Email,Score,Comment\n2026-11-01,x@example.com,1,old\n")
    assert run("import", "file", str(file), "--act", "--yes")[0] == 0
    assert world.made() == [("zendesk.ticket", "waiting")]


def test_a_missing_configuration_says_what_to_do(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["check"])
    assert ended.value.code == 3
    assert "connector init" in capsys.readouterr().out


def test_the_explanation_survives_a_change_of_the_rules(run, told):
    response = next(r.id for r in told.responses() if r.score == 2)
    rules: Path = told.workspace.settings.rules
    rules.write_text(rules.read_text().replace("id: refund", "id: money-back"))

    code, out, _ = run("rules", "explain", response)
    assert code == 0
    assert "fired  refund" in out


def test_once_with_a_sink_out_of_reach_says_that_not_all_is_done(run, world):
    settings = world.workspace.settings
    file: Path = settings.directory / "connector.yaml"
    text = file.read_text().replace(
        "type: zendesk,", "type: zendesk, base_url: 'http://127.0.0.1:1',"
    )
    file.write_text(text)
    world.now = datetime.now(UTC)
    world.answer(id="1", score=2)

    assert run("run", "--once")[0] == 4
    waiting = world.actions(state="waiting")
    assert len(waiting) == 1
    assert waiting[0].due_at > world.now + timedelta(seconds=1)


def test_actions_are_ended_one_by_one_or_in_bulk_and_it_says_by_whom(run, told):
    from connector.store import outbox

    store = told.workspace.store
    first, alert, task = (action.id for action in told.actions() if action.state == "waiting")
    for action in (first, alert, task):
        store.write(lambda c, action=action: outbox.change_action(c, action, state="parked"))

    code, _, err = run("actions", "resolve", str(first))
    assert (code, "--there or --not-needed" in err) == (2, True)
    assert run("actions", "resolve", "--there")[0] == 2
    assert run("actions", "resolve", "--all", "--there", "--remote-id", "5")[0] == 2
    assert run("actions", "resolve", str(first), "--sink", "desk", "--there")[0] == 2
    code, _, err = run("actions", "resolve", "999", "--there")
    assert (code, "there is no action 999" in err) == (1, True)

    ended = ("actions", "resolve", str(first), "--there", "--remote-id", "42", "--by", "Ana")
    code, out, _ = run(*ended, "--note", "made by hand")
    assert (code, out) == (0, "1 action of desk ended: there.\n")
    shown = run("actions", "show", str(first))[1]
    assert "there, says Ana: made by hand" in shown
    assert "resolve" in shown
    code, _, err = run(*ended)
    assert (code, f"action {first} is done" in err) == (1, True)


def test_ending_many_asks_first(run, told, monkeypatch):
    from connector.store import outbox

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    store = told.workspace.store
    for action in told.actions(state="waiting"):
        store.write(lambda c, id=action.id: outbox.change_action(c, id, state="parked"))
    chosen = ("actions", "resolve", "--state", "parked", "--sink", "desk", "--all", "--not-needed")
    code, _, err = run(*chosen)
    assert (code, "End 1 action as not needed?" in err) == (130, True)
    assert run(*chosen, "--yes")[1] == "1 action of desk ended: not needed.\n"
    assert run(*chosen)[1] == "There are no such actions.\n"
    assert run("actions", "list", "--since", "2100-01-01")[0] == 2
    assert run("actions", "retry", "--all", "--sink", "hub")[1].startswith("1 action of hub will")
    assert run("actions", "retry", "--parked")[1].startswith("1 action of chat will")
    assert run("actions", "retry", "--all")[1] == "No action is parked.\n"
    assert run("actions", "retry", "--all", "--sink", "nowhere")[0] == 1
