"""An installation before its vendors' stand-ins, whose database can be backed up and restored.

The stand-ins keep what was done, as real vendors do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import sqlite3
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from connector import config, deciding, intake
from connector.delivery import Courier
from connector.sandbox import SECRETS, Sandbox
from connector.store import alarms, browsing, sending
from connector.workspace import Workspace, open_workspace

CONNECTOR = """
store: {store}
surveys: {{nps: {{language: en}}}}
sources:
  app:
    type: webhook
    survey: nps
    paths: {{id: id, score: score, comment: comment, answered_at: at, email: email, name: name}}
    signature: {{scheme: standard, secrets: ["${{WEBHOOK_SECRET}}"]}}
  polled: {{type: delighted, survey: nps, api_key: "${{DELIGHTED_API_KEY}}", base_url: {delighted}}}
  file: {{type: csv, survey: nps, zone: UTC, columns: {{score: Score, answered_at: Date}}}}
sinks:
  desk:
    type: zendesk
    subdomain: sandbox
    email: ${{ZENDESK_EMAIL}}
    api_token: ${{ZENDESK_API_TOKEN}}
    base_url: {zendesk}
  hub: {{type: hubspot, token: "${{HUBSPOT_TOKEN}}", portal: "1", base_url: {hubspot}}}
  mail:
    type: email
    host: {smtp_host}
    port: {smtp_port}
    security: none
    user: ${{SMTP_USER}}
    password: ${{SMTP_PASSWORD}}
    from_address: care@example.com
    unsubscribe_url: https://nps.example.com/u
    unsubscribe_secret: ${{UNSUBSCRIBE_SECRET}}
  chat: {{type: slack, token: "${{SLACK_BOT_TOKEN}}", base_url: {slack}}}
"""

RULES = """
rules:
  - id: refund
    when: {segment: detractor, comment: {mentions: refund}}
    then:
      - slack.message: {channel: "#retention", text: "Refund: {{ comment }}"}
  - id: detractor
    when: {segment: detractor}
    then:
      - zendesk.ticket: {priority: high, next_step: Call.}
  - id: promoter
    when: {segment: promoter}
    then:
      - hubspot.task: {next_step: Ask for a referral.}
  - id: thanks
    when: {segment: passive}
    then:
      - email.thank_you: {template: thank_you, settle: 0s}
default:
  then: [{log: {}}]
"""

SINKS = ("desk", "hub", "mail", "chat")


@dataclass
class Restorable:
    """`backup` and `restore` do what an operator does with the tools of the database."""

    sandbox: Sandbox
    url: str
    folder: Path
    rules: str = RULES
    workspace: Workspace = field(init=False)
    file: Path = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "templates/thank_you").mkdir(parents=True)
        (self.folder / "templates/thank_you/en.txt").write_text("Subject: Thank you\n\nThanks.\n")
        (self.folder / "rules.yaml").write_text(self.rules)
        host, port = self.sandbox.urls["smtp"].split(":")
        urls = {name: self.sandbox.urls[name] for name in ("delighted", "zendesk", "hubspot")}
        urls |= {"slack": self.sandbox.urls["slack"], "smtp_host": host, "smtp_port": port}
        self.file = self.folder / "connector.yaml"
        self.file.write_text(CONNECTOR.format(store=self.url, **urls))
        self.open(added_before=timedelta(days=60))

    def open(self, added_before: timedelta = timedelta(0)) -> None:
        settings = config.load(self.file, SECRETS)
        self.workspace = open_workspace(settings, self.now() - added_before)

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def wait(self, **span: float) -> None:
        self.sandbox.clock.advance(timedelta(**span).total_seconds())

    # -- the database --------------------------------------------------------------------------

    def backup(self) -> Any:
        self.workspace.store.close()
        path = self.folder / f"{uuid.uuid4().hex}.db"
        if self.url.startswith("sqlite"):
            source = sqlite3.connect(self.url.removeprefix("sqlite:///"))
            target = sqlite3.connect(path)
            source.backup(target)
            source.close()
            target.close()
            kept: Any = path
        else:
            kept = f"b{uuid.uuid4().hex}"
            self._on_server(f"CREATE DATABASE {kept} TEMPLATE {self._name()}")
        self.open()
        return kept

    def restore(self, kept: Any) -> None:
        self.workspace.store.close()
        if isinstance(kept, Path):
            place = self.url.removeprefix("sqlite:///")
            for ending in ("-wal", "-shm"):
                Path(place + ending).unlink(missing_ok=True)
            shutil.copy(kept, place)
        else:
            self._on_server(f"DROP DATABASE {self._name()} WITH (FORCE)")
            self._on_server(f"ALTER DATABASE {kept} RENAME TO {self._name()}")
        self.open()

    def _name(self) -> str:
        return self.url.rpartition("/")[2]

    def _on_server(self, statement: str) -> None:
        url = f"{self.url.rpartition('/')[0]}/postgres"
        server = create_engine(url, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.exec_driver_sql(statement)
        server.dispose()

    # -- answers -------------------------------------------------------------------------------

    def post(self, record: bytes) -> None:
        stamp = str(int(self.now().timestamp()))
        secret = base64.b64decode(SECRETS["WEBHOOK_SECRET"].removeprefix("whsec_"))
        told = f"m1.{stamp}.".encode() + record
        digest = base64.b64encode(hmac.new(secret, told, hashlib.sha256).digest()).decode()
        headers = {"webhook-id": "m1", "webhook-timestamp": stamp}
        headers["webhook-signature"] = f"v1,{digest}"
        assert intake.receive(self.workspace, "app", headers, record, self.now()) == 202
        self.decide()

    def answer(self, id: str, score: int, comment: str = "", **more: Any) -> bytes:
        """A webhook; returns its body, which its sender may deliver again."""
        said = {"id": id, "score": score, "comment": comment, "email": f"{id}@example.com"}
        body = json.dumps({"at": self.now().isoformat(), **said, **more}).encode()
        self.post(body)
        return body

    def give(self, score: int, comment: str, email: str) -> None:
        """An answer at the polled source."""
        self.sandbox.delighted.add_response(score, comment=comment, email=email, at=self.now())

    def poll(self) -> None:
        polled = intake.poll(
            self.workspace, "polled", self.workspace.new_source("polled"), self.now()
        )
        assert not polled.error
        self.decide()

    def decide(self) -> None:
        while deciding.decide_batch(self.workspace, self.now()).records:
            pass

    # -- effects -------------------------------------------------------------------------------

    def settle(self, *sinks: str) -> None:
        """Rounds until nothing is due any more, waiting as long as each of them asks."""
        for id in sinks or SINKS:
            sink = self.workspace.new_sink(id)
            for _ in range(60):
                if Courier(self.workspace.store, id, sink, self.now).round().actions:
                    continue
                with self.workspace.store.read() as connection:
                    due = sending.next_due(connection, id, self.now())
                if due is None:
                    break
                self.wait(seconds=max((due - self.now()).total_seconds(), 0) + 0.01)
            else:
                raise AssertionError(f"{id} never ends")

    def effects(self) -> dict[str, int]:
        """What exists at the far sides."""
        found: dict[str, int] = {}
        for vendor in ("zendesk", "hubspot", "mail", "slack"):
            found |= self.sandbox.vendors[vendor].counts()
        return found

    def tickets_by_key(self) -> Counter[str]:
        return Counter(ticket["external_id"] for ticket in self.sandbox.zendesk.tickets())

    def actions(self, **filters: Any) -> list[Any]:
        with self.workspace.store.read() as connection:
            return list(browsing.list_actions(connection, limit=None, **filters))

    def remote_ids(self) -> dict[str, str]:
        """Key -> what its receipt said, of the cases."""
        done = (action for action in self.actions(state="done") if action.opens_case)
        return {action.key: action.remote_id for action in done}

    def alarms(self) -> dict[str, str]:
        with self.workspace.store.read() as connection:
            return {alarm.kind: alarm.message for alarm in alarms.open_alarms(connection)}
