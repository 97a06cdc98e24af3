"""The play: engine and receiver up, then answers through every door, then everything at rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from connector import config, importing
from connector.cli.demo import posting, reliving, scenario
from connector.cli.demo.posting import Poster
from connector.cli.demo.seeding import add_to_delighted
from connector.cli.demo.watching import Say, Watcher
from connector.customers import import_customers
from connector.engine.embedded import Embedded
from connector.engine.serving import WebServer
from connector.ports import Pollable
from connector.store import arrivals, browsing
from connector.web.app import application
from connector.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from connector.cli.demo.staging import Stage
    from connector.sandbox import Sandbox

_ARCHIVE = "archive"
_CREATED, _UPDATED = "survey_response.created", "survey_response.updated"


@dataclass(frozen=True)
class Running:
    """A connector at work on the stage."""

    workspace: Workspace
    engine: Embedded
    url: str
    watcher: Watcher

    @property
    def polled(self) -> list[str]:
        sources = self.workspace.sources
        return [id for id, source in sources.items() if isinstance(source, Pollable)]


@contextlib.contextmanager
def running(stage: Stage, started: datetime, say: Say, lived: bool = False) -> Iterator[Running]:
    """The real engine and receiver, as in `connector run`; both have ended afterwards. `lived`:
    three months have gone by before."""
    # Only the stage's .env counts: keys of the real accounts may stand in the environment.
    settings = config.load(stage.config, environment={})
    added = started - timedelta(minutes=scenario.ADDED_MINUTES_AGO)
    workspace = open_workspace(settings, added)
    try:
        if lived:
            _live(workspace, stage.sandbox, started, say)
        watcher = Watcher(workspace.store, say)
        watcher.begin()
        _import_files(workspace, started, say)
        engine = Embedded(workspace)
        receiver = settings.receiver
        site = application(workspace, engine.arrived, engine.changed)
        server = WebServer(site, receiver.host, receiver.port)
        engine.start()
        server.start()
        try:
            yield Running(workspace, engine, server.url, watcher)
        finally:
            server.stop()
            engine.stop()
    finally:
        workspace.store.close()


def _live(workspace: Workspace, sandbox: Sandbox, started: datetime, say: Say) -> None:
    added = {"added_at": started - reliving.LENGTH}  # of this source only: the others bring history
    workspace.store.write(lambda c: arrivals.update_source(c, reliving.SOURCE, **added))
    reliving.relive(workspace, sandbox, started, say)


def _import_files(workspace: Workspace, now: datetime, say: Say) -> None:
    customers = import_customers(workspace.store, scenario.customers_csv(), {}, now)
    say("imported", f"{customers.customers} customers with plan, value, owner and company")
    columns = workspace.settings.sources[_ARCHIVE].columns
    data = scenario.archive_csv(columns.score, columns.comment)
    rows = importing.read_rows(workspace, _ARCHIVE, data)
    importing.import_rows(workspace, _ARCHIVE, rows, now, act=False, progress=lambda _: None)
    say("imported", f"{len(rows)} old answers from a CSV file into {_ARCHIVE}")


def perform(run: Running, sandbox: Sandbox, started: datetime, poster: Poster) -> None:
    """All answers; at the end everything is decided, sent and announced.

    Raises ClickException with a sentence when it does not come to rest.
    """
    watcher = run.watcher
    sources = run.polled
    watcher.until(
        lambda: watcher.polled(sources, started), f"{', '.join(sources)} were not read to the end"
    )
    revised = _post_first(sandbox, started, poster)
    too_large = run.workspace.settings.receiver.max_body_kb * 1024 + 1
    _post_bad(sandbox, started, poster, too_large)
    watcher.until(
        lambda: _has_ticket(run.workspace, scenario.RITA.name), "the ticket to amend was not made"
    )
    _post_second(sandbox, revised, started, poster)
    watcher.until(watcher.worked_off, "the demo did not come to rest")
    # Once more, so that what came by webhook is met again by the poll, and alarms are announced.
    again = datetime.now(UTC)
    run.engine.wake()
    watcher.until(
        lambda: watcher.polled(sources, again) and watcher.quiet(),
        "the second reading of the sources did not come to rest",
    )


def _post_first(sandbox: Sandbox, now: datetime, poster: Poster) -> str:
    """The answers; returns the Delighted id of the one that is revised later."""
    secrets = sandbox.secrets
    revised = add_to_delighted(sandbox, scenario.REVISED, now)
    poster.post("delighted-main", sandbox.delighted.webhook(revised, _CREATED))
    for number, answer in enumerate(scenario.TYPEFORM, start=1):
        webhook = posting.typeform(number, answer, now, secrets["TYPEFORM_SECRET"])
        poster.post("typeform", webhook)
        if number == 1:
            poster.post("typeform", webhook, "typeform sends the same answer once more")
    for sent in scenario.APP:
        poster.post("app", posting.from_app(sent, now, secrets["WEBHOOK_SECRET"]))
    return revised


def _post_bad(sandbox: Sandbox, now: datetime, poster: Poster, too_large: int) -> None:
    """Two that are kept and quarantined, and three that are turned away."""
    secrets = sandbox.secrets
    webhook = posting.from_app(scenario.OFF_THE_SCALE, now, secrets["WEBHOOK_SECRET"])
    poster.post("app", webhook, "a score that is not on the scale")
    garbage = b"<html>this is no answer"
    webhook = posting.signed_standard(garbage, "app-6", now, secrets["WEBHOOK_SECRET"])
    poster.post("app", webhook, "garbage with a valid signature")
    forged = posting.typeform(9, scenario.TYPEFORM[0], now, "not-the-secret")
    poster.post("typeform", forged, "a wrong signature")
    poster.post("nobody", forged, "an unknown source")
    webhook = posting.signed_by_typeform(b" " * too_large, secrets["TYPEFORM_SECRET"])
    poster.post("typeform", webhook, "a body that is too large")


def _post_second(sandbox: Sandbox, revised: str, now: datetime, poster: Poster) -> None:
    """The comment that comes later."""
    at = scenario.given_at(scenario.REVISED_MINUTES_AGO, now)
    sandbox.delighted.revise(revised, comment=scenario.REVISED_COMMENT, at=at)
    webhook = sandbox.delighted.webhook(revised, _UPDATED)
    poster.post("delighted-main", webhook, "the comment of an earlier answer arrives")


def _has_ticket(workspace: Workspace, name: str) -> bool:
    with workspace.store.read() as connection:
        for row in browsing.list_responses(connection, source="delighted-main", limit=1000):
            if row.content["respondent"]["name"] == name:
                found = browsing.list_actions(connection, response=row.id)
                return any(a.kind == "zendesk.ticket" and a.state == "done" for a in found)
    return False
