"""`connector demo` as its reader runs it: one process, started once and shared by these tests."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connector import cli
from connector.cli import shipped
from connector.cli.demo import counting, scenario, serving
from connector.cli.demo.staging import pointed_at_stand_ins, without_settling
from connector.environment import dotenv
from tests.e2e import day
from tests.e2e.processes import started

CASES = ("zendesk.ticket", "salesforce.task", "hubspot.task")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """A command in this process: its exit code and what it printed."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


@dataclass
class Demo:
    """What the shared run printed, and the directory that it kept."""

    found: dict[str, Any]
    said: str
    posted: str
    solved: dict[str, Any]
    code: int
    left_something: bool
    directory: Path
    morning: Path  # as it was before an answer of our own

    def items(self, **like: Any) -> list[dict[str, Any]]:
        return [i for i in self.found["items"] if all(i[k] == v for k, v in like.items())]

    def state(self, vendor: str) -> Any:
        return json.loads((self.directory / "stand-ins" / f"{vendor}.json").read_text())


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One run with everything: JSON, kept, and up long enough to take an answer of our own."""
    directory = tmp_path_factory.mktemp("demo") / "kept"
    # Somebody who tries it may have a proxy, and keys of the real accounts in the environment.
    strange = {"HTTP_PROXY": "http://127.0.0.1:9", "ZENDESK_API_TOKEN": "a-real-one"}
    with started(
        "demo", "--json", "--serve", "--no-past", "--keep", str(directory), **strange
    ) as process:
        printed = process.lines_until("}")
        assert printed, process.last_words()
        morning = _copy(directory, directory.with_name("morning"))
        said = process.hear_until("Stop with Ctrl-C.")
        posted = _bash(said, r"^  now=.*?hooks/typeform$")
        solved = _bash(said, r"^  curl --json .*?/hands$")
        code = process.end(signal.SIGTERM)
        return Demo(
            found=json.loads(printed),
            said="".join(process.said),
            posted=posted,
            solved=json.loads(solved),
            code=code,
            left_something=process.has_left_something_running(),
            directory=directory,
            morning=morning,
        )


def _copy(directory: Path, copy: Path) -> Path:
    """Of what is in use: a database is copied by itself."""
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("*.db*"))
    with (
        contextlib.closing(sqlite3.connect(directory / "connector.db")) as one,
        contextlib.closing(sqlite3.connect(copy / "connector.db")) as other,
    ):
        one.backup(other)
    return copy


def _bash(said: str, command: str) -> str:
    """What one of the commands that it prints says when it is copied into a shell."""
    found = re.search(command, said, re.DOTALL | re.MULTILINE)
    assert found
    words = found[0].replace("curl ", "curl --noproxy '*' -sS ")
    done = subprocess.run(["bash", "-ec", words], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def command(demo: Demo, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """What a command prints as JSON about the kept demo."""
    config = str(demo.directory / "connector.yaml")
    return json.loads(run(capsys, "--config", config, *words, "--json")[1])


def test_it_ends_well_and_leaves_nothing_running(demo: Demo) -> None:
    assert demo.code == 0, demo.said
    assert not demo.left_something


def test_the_keys_that_it_keeps_are_for_their_owner_alone(demo: Demo) -> None:
    assert stat.S_IMODE((demo.directory / ".env").stat().st_mode) == 0o600


def test_it_prints_nothing_on_stderr_but_the_invitation(demo: Demo) -> None:
    assert demo.said.lstrip().startswith("Look at http://127.0.0.1:")
    assert "Traceback" not in demo.said


def test_the_sums_are_those_of_the_scenario(demo: Demo) -> None:
    sums = {name: value for name, value in demo.found.items() if name != "items"}
    assert sums == {
        "responses": 52,
        "lived": 0,
        "segments": {"promoter": 20, "passive": 12, "detractor": 19, "none": 1},
        "effects": {
            "email.thank_you": 4,
            "hubspot.task": 2,
            "salesforce.task": 3,
            "slack.message": 5,  # four alerts of rules, one alarm
            "zendesk.note": 1,
            "zendesk.ticket": 9,
        },
        "actions": demo.found["effects"],
        "rejected": 1,
        "refused_webhooks": 3,
        "quarantined": 2,
        "duplicates": 2,
        "amended": 1,
        "history": 32,
    }


def test_every_response_has_its_entry_with_all_that_was_made_of_it(demo: Demo) -> None:
    assert len(demo.found["items"]) == 52
    assert Counter(item["source"] for item in demo.found["items"]) == {
        "archive": 12,
        "delighted-main": 27,
        "forms-partners": 4,
        "hotjar-shop": 3,
        "typeform": 2,
        "app": 4,
    }
    done = Counter(
        effect["kind"]
        for item in demo.found["items"]
        for effect in item["effects"]
        if effect["state"] == "done"
    )
    assert done == {**demo.found["effects"], "slack.message": 4}
    for item in demo.found["items"]:
        for effect in item["effects"]:
            assert (effect["state"] == "done") == bool(effect["remote_id"])
            if effect["kind"] in ("zendesk.ticket", "salesforce.task", "zendesk.note"):
                assert effect["url"].startswith("https://sandbox.")


def test_an_answer_opens_at_most_one_case_in_an_account(demo: Demo) -> None:
    for item in demo.found["items"]:
        cases = Counter(e["sink"] for e in item["effects"] if e["kind"] in CASES)
        assert all(count == 1 for count in cases.values())


def test_old_answers_make_nothing_whatever_the_rules_say(demo: Demo) -> None:
    old = demo.items(history=True)
    assert Counter(item["source"] for item in old) == {"archive": 12, "delighted-main": 20}
    assert all(item["effects"] == [] for item in old)
    assert any("detractor" in item["rules"] for item in old)


def test_a_score_of_zero_gets_its_call(demo: Demo) -> None:
    (zero,) = demo.items(score=0, history=False)
    assert (zero["segment"], zero["rules"]) == ("detractor", ["detractor-severe", "detractor"])
    assert [effect["kind"] for effect in zero["effects"]] == ["zendesk.ticket"]


def test_a_one_to_ten_programme_has_its_own_thresholds(demo: Demo) -> None:
    partners = demo.items(survey="programme-1-10")
    found = {item["score"]: item["segment"] for item in partners}
    assert found == {9: "promoter", 6: "passive", 4: "detractor"}


def test_a_rating_has_no_segment_and_falls_to_the_default(demo: Demo) -> None:
    (rating,) = demo.items(survey="checkout-rating")
    assert (rating["segment"], rating["rules"], rating["effects"]) == (None, [], [])


def test_an_old_detractor_who_complains_again_is_known(demo: Demo) -> None:
    (again,) = demo.items(score=5, history=False)
    assert again["rules"][0] == "detractor-again"


def test_who_left_no_address_gets_a_ticket_but_no_mail(demo: Demo) -> None:
    (slow,) = demo.items(source="forms-partners", score=6)
    assert [(e["kind"], e["state"]) for e in slow["effects"]] == [("zendesk.ticket", "done")]
    (happy,) = demo.items(source="hotjar-shop", score=10)
    (mail,) = happy["effects"]
    assert (mail["state"], mail["note"]) == ("withheld", "the customer left no e-mail address")


def test_a_comment_that_comes_later_amends_the_ticket_and_raises_it(demo: Demo) -> None:
    (revised,) = [item for item in demo.found["items"] if item["revision"] == 2]
    assert revised["rules"] == ["detractor-urgent-words", "detractor"]
    kinds = [effect["kind"] for effect in revised["effects"]]
    assert kinds == ["zendesk.ticket", "zendesk.note", "slack.message"]
    ticket, note, _ = revised["effects"]
    assert ticket["remote_id"] == note["remote_id"]
    desk = demo.state("zendesk")
    assert desk["tickets"][ticket["remote_id"]]["priority"] == "urgent"
    first, second = desk["comments"][ticket["remote_id"]]
    assert scenario.REVISED_COMMENT not in first["body"]
    assert scenario.REVISED_COMMENT in second["body"]
    assert not second["public"]


def test_a_dead_mailbox_parks_one_mail_with_the_words_of_the_server(demo: Demo) -> None:
    (mail,) = [
        effect
        for item in demo.found["items"]
        for effect in item["effects"]
        if effect["state"] == "parked"
    ]
    assert mail["kind"] == "email.thank_you"
    assert "550: 5.1.1 The mailbox does not exist" in mail["note"]
    told = [m["text"] for m in demo.state("slack")["messages"] if m["channel"] == "nps-ops"]
    assert len(told) == 1
    assert "The mailbox does not exist" in told[0]


def test_customers_are_thanked_in_their_language(demo: Demo) -> None:
    subjects = {m["rcpt_tos"][0]: m["headers"]["Subject"] for m in demo.state("mail")["messages"]}
    assert set(subjects) == {p.email for p in (scenario.PIA, scenario.HUGO, scenario.BIANCA)} | {
        scenario.PAUL.email
    }
    assert subjects[scenario.PIA.email] == "O que faltou para o 10?"
    assert subjects[scenario.HUGO.email].startswith("Gracias")
    assert subjects[scenario.BIANCA.email].startswith("Grazie")
    assert subjects[scenario.PAUL.email].startswith("What")


def test_a_lost_acknowledgement_did_not_open_a_second_ticket(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    actions = command(demo, capsys, "actions", "list", "--sink", "zendesk-main", "--limit", "100")
    (lost,) = [action for action in actions if action["attempts"] == 2]
    assert (lost["kind"], lost["state"]) == ("zendesk.ticket", "done")
    tickets = demo.state("zendesk")["tickets"].values()
    assert [t["id"] for t in tickets if t["external_id"] == lost["key"]] == [int(lost["remote_id"])]


def test_a_ticket_is_solved_as_it_says(demo: Demo) -> None:
    assert demo.solved["status"] == "solved"
    assert demo.state("zendesk")["tickets"][str(demo.solved["id"])]["status"] == "solved"


def test_the_ticket_that_it_names_is_one_that_still_waits() -> None:
    states = ("solved", "new", "open", "pending", "closed")
    tickets = [{"id": number, "status": status} for number, status in enumerate(states)]
    sandbox = SimpleNamespace(
        zendesk=SimpleNamespace(tickets=lambda: tickets),
        urls={"zendesk": "http://desk"},
        secrets={"TYPEFORM_SECRET": "s"},
    )
    stage: Any = SimpleNamespace(sandbox=sandbox)
    assert "solves ticket 2;" in serving.invitation("http://here", stage, "p")


def test_an_answer_of_ones_own_can_be_posted_as_it_says(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.posted == "stored\n"
    rows = command(demo, capsys, "responses", "list", "--limit", "100")
    assert len(rows) == 53
    mine = [row for row in rows if row["content"]["respondent"]["email"] == "you@example.com"]
    assert [(row["score"], row["history"]) for row in mine] == [(2, False)]


def test_it_runs_the_shipped_configuration_but_for_addresses_and_the_wait_of_mails() -> None:
    content = shipped.files()
    config = _added(content["connector.yaml"], pointed_at_stand_ins(content["connector.yaml"]))
    allowed = (
        r" *(port: .*|base_url: \$\{SANDBOX_\w+_URL\}|security: none|(promoter|passive)_from:"
        r"|public_url: http://127.*|webhook_secret: \$\{ZENDESK_WEBHOOK_SECRET\}"
        r"|(cause|action)_field: \w+ \w+)"
    )
    assert config
    assert [line for line in config if not re.fullmatch(allowed, line)] == []
    rules = _added(content["rules.yaml"], without_settling(content["rules.yaml"]))
    assert [line.split("#")[0].strip() for line in rules] == ["settle: 0s"]


def _added(before: bytes, after: bytes) -> list[str]:
    changes = difflib.ndiff(before.decode().splitlines(), after.decode().splitlines())
    return [change[2:] for change in changes if change.startswith("+ ")]


def test_a_kept_demo_is_opened_again_on_ports_that_are_free(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(demo.directory / "connector.yaml")
    before = dotenv(demo.directory / ".env")
    port = int(before["SANDBOX_ZENDESK_URL"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), started("--config", config, "sandbox") as open_:
        said = open_.lines_until("Stop with")
        now = dotenv(demo.directory / ".env")
        assert now["SANDBOX_ZENDESK_URL"] != before["SANDBOX_ZENDESK_URL"]
        assert now["SANDBOX_ZENDESK_URL"] in said
        assert now["SANDBOX_HUBSPOT_URL"] == before["SANDBOX_HUBSPOT_URL"]
        findings = command(demo, capsys, "doctor")
        assert [f["subject"] for f in findings if not f["ok"]] == ["alarm parked"]
        rules = demo.directory / "rules.yaml"
        text = rules.read_text()
        rules.write_text(text.replace("group: Retention", "group: Retentoin"))
        (group,) = (f for f in command(demo, capsys, "doctor") if "Retentoin" in f["subject"])
        rules.write_text(text)
        assert not group["ok"]
        assert "detractor-high-value, detractor-urgent-words" in group["message"]
        assert "Retention" in group["cure"]
        assert counting.counted_by_stand_ins(_urls(now))["zendesk.ticket"] == 10
        code, _, again = run(capsys, "--config", config, "sandbox")
        assert code == 1
        assert "open already" in again
        assert dotenv(demo.directory / ".env") == now
        assert open_.end(signal.SIGINT) == 0
        assert not open_.has_left_something_running()


def _urls(environment: dict[str, str]) -> dict[str, str]:
    names = (re.fullmatch(r"SANDBOX_(\w+)_URL", name) for name in environment)
    return {found[1].lower(): environment[found[0]] for found in names if found}


def test_there_is_nothing_to_open_where_no_demo_was_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = run(capsys, "--config", str(tmp_path / "connector.yaml"), "sandbox")
    assert code == 1
    assert "connector demo --keep" in said


def test_it_keeps_nothing_where_something_lies_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").touch()
    code, _, said = run(capsys, "demo", "--keep", str(tmp_path))
    assert code == 1
    assert "is not empty" in said
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_demo_that_is_stopped_halfway_leaves_nothing(tmp_path: Path) -> None:
    with started("demo", TMPDIR=str(tmp_path)) as process:
        process.lines_until("  ")
        assert list(tmp_path.iterdir())
        assert process.end(signal.SIGTERM) == 130
        assert not process.has_left_something_running()
    assert list(tmp_path.iterdir()) == []


def test_a_difference_between_the_two_counts_is_named() -> None:
    found = {"effects": {"zendesk.ticket": 2, "slack.message": 1}, "actions": {"zendesk.ticket": 1}}
    assert counting.differences(found) == [
        "slack.message: the stand-ins counted 1, our store says 0",
        "zendesk.ticket: the stand-ins counted 2, our store says 1",
    ]
    assert counting.differences({"effects": {}, "actions": {}}) == []


def test_the_day_of_a_cx_ops_person_is_as_the_page_tells_it(
    demo: Demo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = tmp_path / "day"
    shutil.copytree(demo.morning, here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setenv("CONNECTOR_ONLINE", "false")
    assert day.live(here, partial(run, capsys)) >= 10
