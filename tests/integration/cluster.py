"""Receiver, workers and beat as processes of their own, with a broker that can be mistreated."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks import servers
from benchmarks.servers import free_port
from connector import faultpoints
from connector.sandbox.credentials import SECRETS
from connector.sandbox.server import Sandbox
from connector.store import Store, browsing

CONNECTOR = """
store: {store}
receiver: {{port: {port}}}
surveys: {{nps: {{}}}}
sources:
  delighted:
    type: delighted
    api_key: ${{DELIGHTED_API_KEY}}
    survey: nps
    poll_every: 2s
    base_url: {delighted}
  app:
    type: webhook
    survey: nps
    surge: 100000
    paths: {{id: id, score: score, comment: comment, answered_at: at, email: email}}
    signature: {{scheme: standard, secrets: ["${{WEBHOOK_SECRET}}"]}}
sinks:
  desk:
    type: zendesk
    subdomain: acme
    email: ${{ZENDESK_EMAIL}}
    api_token: ${{ZENDESK_API_TOKEN}}
    base_url: {zendesk}
  chat:
    type: slack
    token: ${{SLACK_BOT_TOKEN}}
    base_url: {slack}
"""
RULES = """
rules:
  - id: detractor
    when: {segment: detractor}
    then: [{zendesk.ticket: {next_step: Call., respond_within: 4h}}]
  - id: happy
    when: {segment: promoter}
    then: [{slack.message: {channel: "#wins", text: "A promoter."}}]
"""


NO_SWEEPS = {"seconds": {"sweep": 3600}}  # a plan of `connector.faultpoints`


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never came"
        time.sleep(0.05)  # what is waited for happens in another process


class Valkey(servers.Valkey):
    def start(self) -> None:
        try:
            super().start()
        except servers.Missing as missing:
            pytest.skip(str(missing))


class RabbitMQ:
    """A node of its own in a folder of its own; no running server is touched."""

    def __init__(self, place: Path) -> None:
        binary = next(Path("/usr/lib/rabbitmq").glob("**/bin/rabbitmq-server"), None)
        if binary is None or shutil.which("epmd") is None:
            pytest.skip("no RabbitMQ: apt install rabbitmq-server")
        names, port = str(free_port()), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        self._port = port
        self._quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
        listen = ["epmd", "-port", names, "-address", "127.0.0.1"]
        self._names = subprocess.Popen(listen, **self._quiet)
        self._binary, self._environment = binary, _own_node(place, names, port)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self._binary], env=self._environment, start_new_session=True, **self._quiet
        )

    def wait(self) -> None:
        """It takes some seconds to come up; other tests can run meanwhile."""
        wait_for(self.answers, 60)

    def answers(self) -> bool:
        assert self.process.poll() is None, "RabbitMQ ended"
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1) as line:
                line.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(line.recv(1))
        except OSError:
            return False

    def crash(self) -> None:
        self.process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        self.crash()
        self._names.kill()
        self._names.wait()


def _own_node(place: Path, names: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "ERL_EPMD_PORT": names,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"connector{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        **{
            f"RABBITMQ_{name}": str(place / name.lower())
            for name in (
                "MNESIA_BASE",
                "LOG_BASE",
                "ENABLED_PLUGINS_FILE",
                "CONF_ENV_FILE",
                "CONFIG_FILE",
                "PID_FILE",
            )
        },
    }


class Cluster:
    """One installation; its processes are started and killed by the test."""

    def __init__(self, place: Path, sandbox: Sandbox, store: str, broker: str) -> None:
        self.place = place
        self.sandbox = sandbox
        self.store = Store(store)
        self.port = free_port()
        urls = {name: sandbox.urls[name] for name in ("delighted", "zendesk", "slack")}
        text = CONNECTOR.format(store=store, port=self.port, **urls)
        (place / "connector.yaml").write_text(text)
        (place / "rules.yaml").write_text(RULES)
        (place / "templates").mkdir()
        self.environment = {**os.environ, **SECRETS, "CONNECTOR_BROKER": broker}
        self.processes: list[subprocess.Popen[bytes]] = []

    def never_sweep(self) -> None:
        """What is not told at once is not seen in the time of a test; before any start."""
        plan = self.place / "plan.json"
        plan.write_text(json.dumps(NO_SWEEPS))
        self.environment[faultpoints.VARIABLE] = str(plan)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.place / "log").open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", "connector", *words],
                cwd=self.place,
                env=self.environment,
                stderr=log,
            )
        self.processes.append(started)
        return started

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "connector", *words],
            cwd=self.place,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def get(self, path: str) -> requests.Response | None:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)
        return None

    def is_ready(self) -> bool:
        for process in self.processes:
            assert process.poll() in (None, -signal.SIGKILL), self.log()
        answer = self.get("/readyz?exclude=broker")
        return answer is not None and answer.ok

    def says(self, message: str) -> bool:
        return message in self.log()

    def log(self) -> str:
        return (self.place / "log").read_text()

    def post(self, **answer: Any) -> int:
        body = json.dumps({"at": datetime.now(UTC).isoformat(), **answer}).encode()
        stamp = str(int(time.time()))
        key = base64.b64decode(SECRETS["WEBHOOK_SECRET"].removeprefix("whsec_"))
        digest = hmac.new(key, b"m." + stamp.encode() + b"." + body, hashlib.sha256).digest()
        headers = {"webhook-id": "m", "webhook-timestamp": stamp}
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        url = f"http://127.0.0.1:{self.port}/hooks/app"
        return requests.post(url, body, headers=headers, timeout=10).status_code

    def tickets(self) -> int:
        return self.sandbox.counts()["zendesk.ticket"]

    def states(self) -> set[str]:
        """Of all actions, without an own process for the question."""
        with self.store.read() as connection:
            return {row.state for row in browsing.list_actions(connection, limit=None)}

    def end(self) -> None:
        self.store.close()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


@contextlib.contextmanager
def cluster(place: Path, store: str, broker: str) -> Iterator[Cluster]:
    with Sandbox() as sandbox:
        made = Cluster(place, sandbox, store, broker)
        try:
            yield made
        finally:
            made.end()
