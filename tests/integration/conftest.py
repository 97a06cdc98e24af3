"""An installation on each database, with rules of its own and no vendor in reach."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from argon2 import PasswordHasher

from connector import config, deciding, intake
from connector.access import passwords
from connector.cli import main
from connector.deciding import Decided
from connector.store import Store, browsing
from connector.workspace import Workspace, open_workspace

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()

CONNECTOR = """
store: ${{STORE_URL}}
surveys:
  nps: {{language: en}}
  partners: {{low: 1, high: 10, promoter_from: 8, passive_from: 5}}
  rating: {{low: 1, high: 5, promoter_from: null, passive_from: null}}
customer_attributes: {{arr: number}}
sources:
  app:
    type: webhook
    surveys: {{nps: nps, partners: partners, rating: rating}}
    surge: {surge}
    paths:
      id: id
      score: score
      comment: comment
      answered_at: at
      revised_at: revised
      survey: survey
      email: email
      name: name
    signature: {{scheme: standard, secrets: ["${{SECRET}}"]}}
  file:
    type: csv
    survey: nps
    zone: UTC
    columns: {{score: Score, comment: Comment, email: Email, answered_at: Date}}
sinks:
  desk: {{type: zendesk, subdomain: acme, email: a@example.com, api_token: "${{TOKEN}}"}}
  hub: {{type: hubspot, token: "${{TOKEN}}"}}
  mail:
    type: email
    host: localhost
    from_address: care@example.com
    unsubscribe_url: https://nps.example.com/u
    unsubscribe_secret: ${{TOKEN}}
    message_id_domain: example.com
  chat: {{type: slack, token: "${{TOKEN}}"}}
"""

RULES = """
rules:
  - id: refund
    when: {segment: detractor, comment: {mentions: refund}}
    then:
      - zendesk.ticket: {priority: urgent, next_step: Call now., respond_within: 4h}
      - slack.message:
          channel: "#retention"
          text: "Refund: {{ customer.name | default('someone') }}"
  - id: detractor
    when: {segment: detractor}
    then:
      - zendesk.ticket: {priority: high, next_step: Call., respond_within: 24h}
  - id: promoter
    when: {segment: promoter}
    then:
      - hubspot.task: {next_step: Ask for a referral.}
  - id: thanks
    when: {segment: {in: [promoter, passive]}}
    then:
      - email.thank_you: {template: thank_you}
default:
  then: [{log: {}}]
"""


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks a vendor which names exist there."""
    monkeypatch.setenv("CONNECTOR_ONLINE", "false")


CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NOBODYS = CHEAP.hash("of nobody")


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the product, but for what a guess costs."""
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    monkeypatch.setattr(passwords, "_NOBODYS", NOBODYS)


Connector = Callable[..., tuple[int, str, str]]


@pytest.fixture
def connector(capsys: pytest.CaptureFixture[str]) -> Connector:
    """`connector("responses", "list")` -> (exit code, what was printed, what was said aside)."""

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        printed, code = capsys.readouterr(), ended.value.code
        return (code if isinstance(code, int) else 0), printed.out, printed.err

    return call


@dataclass
class World:
    """The installation under test, and short ways to send it answers and look at its outbox."""

    workspace: Workspace
    now: datetime
    posted: int = 0

    def signed(self, body: bytes, at: datetime | None = None) -> dict[str, str]:
        stamp = str(int((at or self.now).timestamp()))
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        told = b"m1." + stamp.encode() + b"." + body
        digest = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
        headers = {"webhook-id": "m1", "webhook-timestamp": stamp}
        return {**headers, "webhook-signature": f"v1,{digest}"}

    def post(self, **answer: Any) -> int:
        """A signed webhook; without `at` it was answered a minute ago, after those before."""
        self.posted += 1
        at = self.now - timedelta(minutes=1) + timedelta(milliseconds=self.posted)
        said = {"survey": "nps", "at": at.isoformat(), **answer}
        body = json.dumps(said).encode()
        return intake.receive(self.workspace, "app", self.signed(body), body, self.now)

    def decide(self) -> Decided:
        return deciding.decide_batch(self.workspace, self.now)

    def decide_by_two(self, limit: int = 500) -> Counter[str]:
        """Two workers with stores of their own, until nothing is left; what they made of it."""
        failed: list[BaseException] = []
        found: list[Counter[str]] = []

        def work() -> None:
            store = Store(self.workspace.store.url)
            try:
                worker = Workspace(self.workspace.settings, store)
                while (decided := deciding.decide_batch(worker, self.now, limit)).records:
                    found.append(Counter(decided.changes))
            except BaseException as error:  # noqa: BLE001 - raised again below
                failed.append(error)
            finally:
                store.close()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        while (decided := self.decide()).records:  # what one has left to the other
            found.append(Counter(decided.changes))
        return sum(found, Counter())

    def answer(self, **answer: Any) -> Decided:
        assert self.post(**answer) == 202
        return self.decide()

    def actions(self, **filters: Any) -> list[Any]:
        with self.workspace.store.read() as connection:
            return list(browsing.list_actions(connection, limit=None, **filters))

    def made(self) -> list[tuple[str, str]]:
        """(kind, state) of every action, in the order they were decided."""
        return [(action.kind, action.state) for action in self.actions()]

    def responses(self) -> list[Any]:
        with self.workspace.store.read() as connection:
            return list(browsing.list_responses(connection, limit=10_000))


@pytest.fixture
def make_world(
    store_url: str, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., World]]:
    monkeypatch.setenv("STORE_URL", store_url)  # so all tests have the same text, parsed once
    opened: list[Workspace] = []

    def make(
        rules: str = RULES,
        surge: int = 200,
        added_before: timedelta = timedelta(hours=1),
        more_sinks: str = "",
        rename: Mapping[str, str] = MappingProxyType({}),
    ):
        (tmp_path / "templates/thank_you").mkdir(parents=True, exist_ok=True)
        (tmp_path / "templates/thank_you/en.txt").write_text("Subject: Thank you\n\nThank you.\n")
        (tmp_path / "rules.yaml").write_text(rules)
        file = tmp_path / "connector.yaml"
        text = (CONNECTOR + more_sinks).format(surge=surge)
        for old, new in rename.items():
            text = text.replace(f"  {old}: ", f"  {new}: ")
        file.write_text(text)
        settings = config.load(file, {"SECRET": SECRET, "TOKEN": "t0ken", "STORE_URL": store_url})
        workspace = open_workspace(settings, now - added_before, follow=True)
        opened.append(workspace)
        return World(workspace, now)

    yield make
    for workspace in opened:
        workspace.store.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
