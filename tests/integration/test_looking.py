"""Commands that look at what is there: they find by names that people have, and change nothing."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from connector.cli import main
from connector.cli.doctor import CURES
from connector.limits import Allowance, Bill, Limit, Meter, Quota
from connector.store import limits, outbox
from connector.store.tables import actions

SECRETS = {"SECRET": "whsec_" + "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcy4uLi4=", "TOKEN": "t0ken"}
ROOT = Path(__file__).parents[2]


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


def answer_of(world, score: int) -> str:
    return next(r.id for r in world.responses() if r.score == score)


@pytest.mark.parametrize(
    "command", [["responses", "show"], ["rules", "explain"], ["erase", "--yes", "--response"]]
)
def test_the_beginning_of_an_id_is_enough(run, told, command):
    listed = run("responses", "list", "--segment", "detractor")[1].splitlines()[1].split()[0]
    whole = answer_of(told, 2)
    assert len(listed) < len(whole)
    assert run(*command, listed)[0] == 0
    code, _, err = run(*command, "r")
    assert code == 1
    assert whole in err
    assert "there is no response '%'" in run(*command, "%")[2]


def test_a_persons_answers_are_found_by_address(run, told):
    code, out, _ = run("responses", "list", "--email", " ANA@example.com", "--json")
    assert code == 0
    assert [row["score"] for row in json.loads(out)] == [2]
    assert "Ana" in run("responses", "list", "--email", "ana@example.com")[1]
    assert run("responses", "list", "--email", "eva@example.com")[:2] == (
        0,
        "There are no such answers.\n",
    )
    assert run("responses", "list", "--email", "nonsense")[0] == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["responses", "list", "--source", "ap"], "did you mean 'app'?"),
        (["responses", "replay", "--source", "nobody"], "there are: app, file"),
        (["actions", "list", "--sink", "nowhere"], "there are: desk, hub, mail, chat"),
        (["actions", "list", "--response", "nothing"], "connector responses list"),
        (["actions", "release", "NOPE"], "there are: app, file"),
        (["actions", "retry", "999"], "there is no action 999"),
        (["actions", "retry", "1"], "action 1 is waiting"),
        (["actions", "show", "999"], "connector actions list"),
        (["poll", "nobody"], "there are: app, file"),
        (["poll", "app"], "has no API to read"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_those_that_do(run, told, command, said):
    before = told.made()
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert said in err
    assert told.made() == before


@pytest.mark.parametrize(
    "command",
    [
        ["responses", "list"],
        ["responses", "show", "r1"],
        ["responses", "unread"],
        ["actions", "list"],
        ["actions", "show", "1"],
        ["actions", "retry", "--parked"],
        ["rules", "explain", "r1"],
        ["erase", "--email", "ana@example.com", "--yes"],
    ],
)
def test_looking_makes_no_database(run, world, command):
    file: Path = world.workspace.settings.directory / "connector.yaml"
    text = file.read_text()
    url = next(line for line in text.splitlines() if line.startswith("store: "))
    file.write_text(text.replace(url, "store: sqlite:///not/yet.db"))
    code, _, err = run(*command)
    assert code == 1
    assert "there is no database yet" in err
    assert "connector run" in err
    assert not (file.parent / "not").exists()


def test_looking_follows_no_change_of_the_rules(run, told):
    before = told.workspace.settings.rules.read_text()
    told.workspace.settings.rules.write_text(before.replace("id: refund", "id: other"))
    with told.workspace.store.read() as connection:
        active = told.workspace.ruleset(connection).hash
    for command in (["responses", "list"], ["actions", "list"], ["doctor"]):
        run(*command)
    with told.workspace.store.read() as connection:
        assert told.workspace.ruleset(connection).hash == active


def test_a_database_that_is_none_is_one_line(run, world, tmp_path):
    file: Path = world.workspace.settings.directory / "connector.yaml"
    (tmp_path / "bad.db").write_text("this is no database " * 100)
    lines = [
        "store: sqlite:///bad.db" if line.startswith("store:") else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines) + "\n")
    code, _, err = run("responses", "list")
    assert code == 1
    assert err.startswith("Error: ")
    assert "bad.db" in err
    assert len(err.splitlines()) == 1
    code, out, _ = run("doctor", "--json")
    assert code == 1
    assert [f["ok"] for f in json.loads(out) if f["subject"] in ("store", "rules")] == [False, True]


def test_doctor_says_which_address_did_not_answer(run, world):
    file: Path = world.workspace.settings.directory / "connector.yaml"
    text = file.read_text()
    file.write_text(
        text.replace("type: zendesk,", "type: zendesk, base_url: 'http://127.0.0.1:1',")
    )
    found = json.loads(run("doctor", "--json")[1])
    (desk,) = [f for f in found if f["subject"].startswith("desk")]
    assert not desk["ok"]
    assert desk["message"] == "127.0.0.1:1 cannot be reached (no connection)"
    assert "proxy" in desk["cure"]


def test_status_says_what_waits_and_how_each_account_stands(run, told, world):
    code, out, _ = run("status")
    assert code == 0
    assert "Every answer is decided." in out
    assert re.search(r"^desk +1 +0 +0 +0 +0 +2026", out, re.MULTILINE)
    assert "calls" not in out

    store, now = world.workspace.store, datetime.now(UTC)
    bill = Bill(limit=Limit(700, 60), quota=Quota(15_000, 14_310))
    meter = Meter(Allowance(Limit(200, 60)))
    store.write(lambda c: limits.pay(c, "zendesk:acme", meter, bill, now))
    until = now + timedelta(hours=1)
    store.write(lambda c: outbox.pause_account(c, "hubspot:default", until, "used up"))
    out = run("status")[1]
    assert "zendesk:acme: 700 calls in 1 min, of which we use 560 at most; 56 may go now" in out
    assert "14,310 of 15,000 calls of the day used (95%)" in out
    assert f"hubspot:default: paused until {until:%Y-%m-%d %H:%M} UTC: used up" in out
    assert "1 alarm open" in out

    found = json.loads(run("status", "--json")[1])
    assert found["sinks"]["desk"]["waiting"] == 1
    assert found["accounts"]["zendesk:acme"]["limit_calls"] == 700
    assert found["accounts"]["hubspot:default"]["reason"] == "used up"
    assert found["alarms"] == {"quota": 1}


def test_every_alarm_has_a_cure():
    code = "".join(file.read_text() for file in (ROOT / "connector").glob("**/*.py"))
    raised = set(re.findall(r'raise_alarm\(\s*\w+(?:\.\w+)?,\s*"([a-z_-]+)"', code))
    raised |= {"parked", "in_doubt", "sink-paused", "sink-failing", "alarm-channel"}
    assert len(raised) > 10
    assert raised - set(CURES) == set()


def test_erasing_says_who_and_how_much_before_it_asks(run, told, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, out, err = run("erase", "--email", "ana@example.com")
    assert (code, out) == (130, "")
    assert "ana@example.com (Ana): 1 response and 0 unread records" in err
    assert err.endswith("Nothing was erased.\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run("erase", "--response", answer_of(told, 2))[0] == 130
    assert "Ana" in run("responses", "list")[1]


def test_an_address_that_nobody_knows_is_no_success(run, told):
    code, _, err = run("erase", "--email", "nobody@example.com")
    assert code == 1
    assert "nothing is known about this address; nothing was erased" in err
    assert run("erase", "--email", "nobody@example.com", "--yes")[0] == 1


def test_what_was_erased_is_shown_as_erased(run, told):
    response = answer_of(told, 2)
    assert run("erase", "--response", response, "--yes")[0] == 0
    assert "is gone" in run("responses", "show", response)[1]
    assert "[erased]" in run("responses", "list")[1]
    code, _, err = run("erase", "--response", response, "--yes")
    assert code == 1
    assert "was erased already" in err


def test_saying_no_to_an_import_imports_nothing(run, world, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    file = tmp_path / "answers.csv"
    file.write_text("Date,Email,Score,Comment\n2026-11-01,x@example.com,1,old\n")
    code, _, err = run("import", "file", str(file), "--act")
    assert code == 130
    assert err.endswith("Nothing was imported.\n")
    assert world.responses() == []


@pytest.mark.parametrize("command", [["customers", "import"], ["import", "file"]])
@pytest.mark.parametrize("data", [b"", b"\x00\x01\x81\x8d" * 500, b"PK\x03\x04 no zip", b'"a\n'])
def test_a_file_that_is_none_is_one_line_and_exit_code_3(run, world, tmp_path, command, data):
    file = tmp_path / "garbage"
    file.write_bytes(data)
    code, out, err = run(*command, str(file))
    assert (code, out) == (3, "")
    assert err.startswith(f"{file}: ")
    assert len(err.splitlines()) == 1


def test_a_source_that_takes_no_files_is_not_the_files_fault(run, world, tmp_path):
    (tmp_path / "a.csv").write_text("x\n")
    code, _, err = run("import", "app", str(tmp_path / "a.csv"))
    assert code == 1
    assert "source 'app' takes no files" in err


def test_the_request_of_an_action_is_shown_readably(run, told):
    (action,) = told.actions(sink="desk")

    def freeze(body: bytes) -> str:
        change = update(actions).where(actions.c.id == action.id).values(request=body)
        told.workspace.store.write(lambda c: c.execute(change).rowcount)
        return run("actions", "show", str(action.id))[1]

    assert '\n  "ticket": {' in freeze(b'{"ticket": {"subject": "A"}}')
    text = freeze(
        b"From: care@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"R3LDvMOfZQ==\r\n"
    )
    assert "Subject: Grüße" in text
    assert text.endswith("\nGrüße\n")
    assert "due  " in text


def test_a_directory_that_cannot_be_written_is_one_line(capsys, tmp_path):
    (tmp_path / "file").touch()
    for command in (["init"], ["demo", "--keep"]):
        with pytest.raises(SystemExit) as ended:
            main([*command, str(tmp_path / "file" / "below")])
        assert ended.value.code == 1
        assert capsys.readouterr().err.startswith("Error: ")
