"""One installation under test: its configuration, and its processes, which are restarted as a
service manager would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from connector.sandbox.credentials import SECRETS
from connector.sandbox.server import Sandbox
from tests.chaos import lots
from tests.chaos.plan import SILENCE_SECONDS
from tests.integration.cluster import free_port

CONNECTOR = """
store: {store}
receiver: {{port: {port}}}
surveys: {{nps: {{}}}}
sources:
  app:
    type: webhook
    survey: nps
    surge: 1000000
    paths:
      id: id
      score: score
      comment: comment
      answered_at: at
      revised_at: revised
      email: email
      name: name
      tags: tags
    signature: {{scheme: standard, secrets: ["${{WEBHOOK_SECRET}}"]}}
sinks:
  desk:
    type: zendesk
    subdomain: acme
    email: ${{ZENDESK_EMAIL}}
    api_token: ${{ZENDESK_API_TOKEN}}
    webhook_secret: ${{ZENDESK_WEBHOOK_SECRET}}
    follow_every: 1s
    base_url: {zendesk}
  hub:
    type: hubspot
    token: ${{HUBSPOT_TOKEN}}
    default_owner: sonia@example.com
    base_url: {hubspot}
  crm:
    type: salesforce
    domain: sandbox.my
    consumer_key: ${{SALESFORCE_CONSUMER_KEY}}
    consumer_secret: ${{SALESFORCE_CONSUMER_SECRET}}
    default_owner: sonia@example.com
    base_url: {salesforce}
  chat:
    type: slack
    token: ${{SLACK_BOT_TOKEN}}
    base_url: {slack}
  mail:
    type: email
    host: 127.0.0.1
    port: {smtp_port}
    security: none
    user: ${{SMTP_USER}}
    password: ${{SMTP_PASSWORD}}
    from_address: care@example.com
    timeout_seconds: {silence}
"""
RULES = (
    lots.RULES
    + """
  - id: detractor
    when: {segment: detractor, score: {not: 5}}
    then:
      - zendesk.ticket: {next_step: Call., respond_within: 4h}
      - slack.message: {channel: "#cx-alerts", text: "{{ customer.name }} is unhappy."}
  - id: seven
    when: {score: 7}
    then: [{hubspot.task: {next_step: Ask what is missing.}}]
  - id: eight
    when: {score: 8}
    then: [{salesforce.task: {next_step: Ask what is missing.}}]
  - id: promoter
    when: {segment: promoter}
    then: [{email.thank_you: {template: thank_you, settle: 0s}}]
"""
)
MAIL = "Subject: Thank you\n\nThank you.\n"
ROLES = {
    "embedded": {"run": ("run",)},
    "distributed": {
        "web": ("web",),
        "worker-1": ("worker", "--concurrency", "2"),
        "worker-2": ("worker", "--concurrency", "2"),
        "beat": ("beat",),
    },
}
CALLS_AT_ONCE = 2  # of each sink, in each process
RESTART_SECONDS = 0.1
# As in the Makefile, for whoever does not come from there.
COMPILED = {"PYTHONPYCACHEPREFIX": str(Path(sys.prefix) / "compiled")}


def is_stopped(process: int) -> bool:
    """Does it sleep by SIGSTOP?"""
    asked = ["ps", "-o", "stat=", "-p", str(process)]
    return subprocess.run(asked, capture_output=True, check=False).stdout.startswith(b"T")


class Installation:
    """`roles` is a key of ROLES. `tend` must be called every now and then."""

    def __init__(
        self, place: Path, sandbox: Sandbox, store: str, roles: str, more: Mapping[str, str]
    ) -> None:
        self.place = place
        self.store = store
        self.port = free_port()
        smtp_port = sandbox.urls["smtp"].rpartition(":")[2]
        facts = {"store": store, "port": self.port, "smtp_port": smtp_port, **sandbox.urls}
        text = CONNECTOR.format(silence=SILENCE_SECONDS, **facts)
        (place / "connector.yaml").write_text(text)
        (place / "rules.yaml").write_text(RULES)
        (place / "templates/thank_you").mkdir(parents=True)
        (place / "templates/thank_you/en.txt").write_text(MAIL)
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self._environment = {**inherited, **COMPILED, **SECRETS, **more}
        self._lock = threading.RLock()
        self._commands = ROLES[roles]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._held: set[str] = set()
        self._back_at: dict[str, float] = {}
        self.surprises: list[str] = []

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self._commands)

    @property
    def workers(self) -> tuple[str, ...]:
        return tuple(role for role in self.roles if role == "run" or role.startswith("worker"))

    @property
    def receiver(self) -> str:
        return "run" if "run" in self.roles else "web"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """The receiver first: it makes the tables."""
        self._spawn(self.receiver)
        until = time.monotonic() + 60
        while not self.is_ready():
            if time.monotonic() > until:
                raise RuntimeError(f"it did not start:\n{self.log()[-3000:]}")
            time.sleep(0.05)
        for role in self.roles:
            if role != self.receiver:
                self._spawn(role)

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz?exclude=broker", timeout=5).ok
        except requests.RequestException:
            return False

    def tend(self) -> None:
        """Start again what has died and is not held down."""
        now = time.monotonic()
        with self._lock:
            for role, process in list(self._running.items()):
                if process.poll() is None:
                    continue
                if process.returncode != -signal.SIGKILL:
                    said = [line for line in self.log().splitlines() if line.startswith("Error")]
                    why = f" ({said[-1]})" if said else ""
                    self.surprises.append(f"{role} ended with {process.returncode}{why}")
                del self._running[role]
                self._back_at[role] = now + RESTART_SECONDS
            for role, at in list(self._back_at.items()):
                if at <= now and role not in self._held:
                    del self._back_at[role]
                    self._spawn(role)

    def kill(self, role: str) -> bool:
        """False where it does not run."""
        return bool(self._signal(role, signal.SIGKILL))

    def pause(self, role: str) -> int:
        """SIGSTOP; its process id, or 0 where it does not run."""
        return self._signal(role, signal.SIGSTOP)

    def hold_down(self, roles: tuple[str, ...]) -> None:
        """Kill these and start them again only after `release`."""
        with self._lock:
            self._held |= set(roles)
            for role in roles:
                self._signal(role, signal.SIGKILL)

    def release(self) -> None:
        self._held.clear()

    def lives(self, process: int) -> bool:
        with self._lock:
            return any(p.pid == process and p.poll() is None for p in self._running.values())

    def end(self) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        self._running.clear()

    def log(self) -> str:
        return (self.place / "log").read_text() if (self.place / "log").exists() else ""

    def _signal(self, role: str, which: signal.Signals) -> int:
        with self._lock:
            process = self._running.get(role)
            if process is None or process.poll() is not None:
                return 0
            process.send_signal(which)
            return process.pid

    def _spawn(self, role: str) -> None:
        with (self.place / "log").open("ab") as log:
            self._running[role] = subprocess.Popen(
                [sys.executable, "-m", "connector", *self._commands[role]],
                cwd=self.place,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
