"""`connector run` as its operator runs it: a process, real HTTP, stand-ins of the vendors."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
import requests
from sqlalchemy import Connection, func, select

from benchmarks.servers import free_port
from connector import faultpoints
from connector.sandbox.credentials import SECRETS
from connector.sandbox.server import Sandbox
from connector.store import Store, browsing
from connector.store.tables import responses
from tests.integration.cluster import NO_SWEEPS, wait_for

T = TypeVar("T")

CONNECTOR = """
store: {store}
receiver: {{port: {port}}}
surveys: {{nps: {{}}}}
sources:
  delighted:
    type: delighted
    api_key: ${{DELIGHTED_API_KEY}}
    survey: nps
    base_url: {delighted}
  app:
    type: webhook
    survey: nps
    paths: {{id: id, score: score, comment: comment, answered_at: at, email: email}}
    signature: {{scheme: standard, secrets: ["${{WEBHOOK_SECRET}}"]}}
sinks:
  desk:
    type: zendesk
    subdomain: acme
    email: ${{ZENDESK_EMAIL}}
    api_token: ${{ZENDESK_API_TOKEN}}
    base_url: {zendesk}
"""
RULES = """
rules:
  - id: detractor
    when: {segment: detractor}
    then: [{zendesk.ticket: {next_step: Call., respond_within: 4h}}]
"""


class Installation:
    """A folder with a configuration, and a `connector run` in it that can be started and killed."""

    def __init__(self, place: Path, sandbox: Sandbox, store: str) -> None:
        self.place = place
        self.sandbox = sandbox
        self.store = store
        self.port = free_port()
        urls = {name: sandbox.urls[name] for name in ("delighted", "zendesk")}
        text = CONNECTOR.format(store=store, port=self.port, **urls)
        (place / "connector.yaml").write_text(text)
        (place / "rules.yaml").write_text(RULES)
        (place / "templates").mkdir()
        self.environment = {**os.environ, **SECRETS}
        self.process: subprocess.Popen[bytes] | None = None

    def never_sweep(self) -> None:
        """What is not told at once is not seen in the time of a test; before any start."""
        plan = self.place / "plan.json"
        plan.write_text(json.dumps(NO_SWEEPS))
        self.environment[faultpoints.VARIABLE] = str(plan)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "connector", *words],
            cwd=self.place,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> None:
        with (self.place / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "connector", "run"],
                cwd=self.place,
                env=self.environment,
                stderr=log,
            )
        wait_for(self.is_ready)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.place / "log").read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).ok
        return False

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(60)

    def post(self, **answer: object) -> int:
        body = json.dumps({"at": datetime.now(UTC).isoformat(), **answer}).encode()
        stamp = str(int(time.time()))
        key = base64.b64decode(SECRETS["WEBHOOK_SECRET"].removeprefix("whsec_"))
        told = b"m." + stamp.encode() + b"." + body
        digest = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
        headers = {"webhook-id": "m", "webhook-timestamp": stamp}
        headers["webhook-signature"] = f"v1,{digest}"
        url = f"http://127.0.0.1:{self.port}/hooks/app"
        return requests.post(url, body, headers=headers, timeout=10).status_code

    def tickets(self) -> int:
        counts = requests.get(self.sandbox.urls["zendesk"] + "/_sandbox/counts", timeout=5).json()
        return int(counts["zendesk.ticket"])

    def sees(self, look: Callable[[Connection], T]) -> T:
        """What it has stored by now, without an own process for the question."""
        with contextlib.closing(Store(self.store)) as store, store.read() as connection:
            return look(connection)

    def metrics(self) -> str:
        return requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=10).text


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture
def install(tmp_path: Path, sandbox: Sandbox) -> Iterator[Callable[[str], Installation]]:
    made: list[Installation] = []

    def make(store: str) -> Installation:
        made.append(Installation(tmp_path, sandbox, store))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def installation(install: Callable[[str], Installation], tmp_path: Path) -> Installation:
    """The embedded default: SQLite beside the configuration."""
    return install(f"sqlite:///{tmp_path / 'connector.db'}")


def test_an_account_with_5000_old_answers_makes_nothing_and_a_live_one_its_ticket(installation):
    installation.never_sweep()
    long_ago = datetime.now(UTC) - timedelta(days=400)
    for number in range(5000):
        at = long_ago + timedelta(hours=number)
        installation.sandbox.delighted.add_response(number % 11, comment="old", at=at)
    installation.start()

    kept = select(func.count()).select_from(responses)
    wait_for(lambda: installation.sees(lambda c: c.scalar(kept)) == 5000)
    listed = installation.command("responses", "list", "--limit", "6000", "--json")
    assert len(json.loads(listed.stdout)) == 5000
    assert installation.tickets() == 0

    assert installation.post(id="live", score=0, email="ana@example.com") == 202
    wait_for(installation.tickets)
    assert installation.tickets() == 1
    assert installation.end(signal.SIGTERM) == 0


def test_killed_at_once_after_the_202_the_answer_still_gets_its_one_ticket(installation):
    for round_ in range(3):
        installation.start()
        for number in range(10):
            assert installation.post(id=f"{round_}-{number}", score=1) == 202
        installation.end(signal.SIGKILL)
    installation.start()
    wait_for(lambda: installation.tickets() == 30, 60)
    assert installation.end(signal.SIGTERM) == 0
    assert installation.command("run", "--once").returncode == 0
    assert installation.tickets() == 30


def test_sigterm_finishes_the_call_in_flight(install, store_url):
    installation = install(store_url)
    installation.start()
    zendesk = installation.sandbox.zendesk
    zendesk.fault(method="POST", path="/api/v2/tickets", fault="slow", seconds=1.5)
    assert installation.post(id="1", score=1) == 202

    def in_flight() -> bool:
        log = requests.get(installation.sandbox.urls["zendesk"] + "/_sandbox/log", timeout=5)
        sending = installation.sees(lambda c: browsing.list_actions(c, state="sending"))
        return bool(sending) or any(e["method"] == "POST" for e in log.json())

    wait_for(in_flight)
    assert installation.end(signal.SIGTERM) == 0
    listed = installation.command("actions", "list", "--json")
    assert [a["state"] for a in json.loads(listed.stdout)] == ["done"]
    assert installation.tickets() == 1


def test_rules_are_followed_while_it_runs_and_a_broken_file_stops_nothing(installation):
    rules, log = installation.place / "rules.yaml", installation.place / "log"
    installation.start()
    assert installation.post(id="before", score=9) == 202
    rules.write_text(RULES.replace("detractor", "promoter"))
    wait_for(lambda: log.read_text().count("is active now") == 2)
    assert installation.post(id="after", score=9) == 202
    wait_for(lambda: installation.tickets() == 1)

    rules.write_text("rules: [")
    wait_for(lambda: "stays active" in log.read_text())
    assert installation.end(signal.SIGTERM) == 0
    installation.start()
    assert installation.post(id="cold", score=10) == 202
    wait_for(lambda: installation.tickets() == 2)
    assert 'connector_alarms_open{kind="rules"} 1.0' in installation.metrics()

    rules.write_text(RULES)
    wait_for(lambda: log.read_text().count("is active now") == 3)
    assert 'connector_alarms_open{kind="rules"}' not in installation.metrics()
    history = json.loads(installation.command("rules", "history", "--json").stdout)
    assert [row["decisions"] for row in history] == [1, 2, 1]
    assert installation.end(signal.SIGTERM) == 0


def test_two_engines_never_work_on_one_sqlite_file(installation):
    installation.start()
    second = installation.command("run")
    assert second.returncode == 1
    assert f"port {installation.port} is taken" in second.stderr

    config = installation.place / "connector.yaml"
    config.write_text(config.read_text().replace(f"port: {installation.port}", "port: 0"))
    third = installation.command("run")
    assert third.returncode == 1
    assert "Error: another `connector run` works on this database" in third.stderr
    assert installation.end(signal.SIGTERM) == 0
