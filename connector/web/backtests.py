"""Backtests that pages ask for: one at a time over all processes, bounded in time and size.

They read through a connection that cannot write; nothing is made, sent or activated. How far one is
and what came out stands in the database, so that whichever process is asked knows it.
"""

from __future__ import annotations

import logging
import secrets
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.errors import ConnectorError
from connector.rules.load import load
from connector.rules.model import RULES_FILE, RulesetText
from connector.store import answers, backtests, replaying
from connector.store.database import StoreDown
from connector.store.replaying import Span, Window
from connector.web.replay_process import Job, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from connector.domain import Problem
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

MOST_DECISIONS = 100_000
MOST_SECONDS = 120.0
MOST_CHARACTERS = 150_000
DIFFERENCES = 50
_DEAD_AFTER = timedelta(seconds=MOST_SECONDS + 30)  # nobody is left to say how it ended


class Refused(Exception):
    """It is not begun; the text says why and what to do."""


class Wrong(Refused):
    """The rules have mistakes."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("These rules have mistakes; nothing was replayed.")
        self.problems = problems


class Backtests:
    """Of one installation; each is kept for an hour."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def find(self, id: str, now: datetime) -> Any:
        """Its row; `running` is None when it is over. None where it is not kept (any more)."""
        with self._workspace.store.read() as connection:
            return backtests.find(connection, id, now)

    def active_text(self) -> str:
        """The rules file of the active ruleset."""
        with self._workspace.store.read() as connection:
            return _active_files(connection).get(RULES_FILE, "")

    def start(self, text: str, days: int, now: datetime) -> str:
        """Replay the last so many days under these rules, with today's topics and templates.
        Returns its id.

        Raises:
            Wrong: the rules have mistakes.
            Refused: there is too much to replay, nothing, or another one runs.
        """
        if len(text) > MOST_CHARACTERS:
            raise Refused("These rules are too long for a page; use: connector rules try")
        workspace, window = self._workspace, Window(now - timedelta(days=days), now)
        with workspace.store.read() as connection:
            active = _active_files(connection)
            if not active:
                raise Refused("No rules are active yet.")
            span = replaying.span_of(connection, window)
        candidate = active | {RULES_FILE: text.replace("\r\n", "\n")}
        self._check(candidate)
        job = Job(
            url=workspace.store.url,
            vocabulary=workspace.vocabulary,
            active=active,
            candidate=candidate,
            window=window,
            within=workspace.settings.act_on_customers_within,
            accounts=workspace.accounts,
            limit=DIFFERENCES,
        )
        id = secrets.token_urlsafe(12)
        row = {"id": id, "days": days, "total": _bounded(span, days), "ends_at": now + _DEAD_AFTER}
        if not workspace.store.write(lambda c: backtests.begin(c, now, row)):
            raise Refused("Another backtest runs; try again when it is done.")
        threading.Thread(target=self._run, args=(id, job), name="backtest", daemon=True).start()
        return id

    def _check(self, files: dict[str, str]) -> None:
        loaded = load(RulesetText(files=files), self._workspace.vocabulary)
        if loaded.ruleset is None:
            raise Wrong([one for one in loaded.problems if one.severity == "error"])

    def _run(self, id: str, job: Job) -> None:
        """In a thread that waits for the process."""
        store = self._workspace.store
        try:
            told = self._outcome(id, job)
            store.write(lambda c: backtests.finish(c, id, **told))
        except StoreDown as error:
            log.warning("what came out of a backtest could not be kept: %s", error)

    def _outcome(self, id: str, job: Job) -> dict[str, Any]:
        store = self._workspace.store
        try:
            return {"result": run(job, MOST_SECONDS, lambda n: store.write(_reached(id, n)))}
        except StoreDown:
            raise
        except ConnectorError as error:
            return {"failed": str(error)}
        except Exception as error:
            log.exception("a backtest failed (%s)", type(error).__name__)
            return {"failed": f"a mistake of ours ({type(error).__name__}); the log says where"}


def _reached(id: str, more: int) -> Any:
    return lambda connection: backtests.reach(connection, id, more)


def _active_files(connection: Connection) -> dict[str, str]:
    return answers.ruleset_files(connection, answers.active_ruleset(connection) or "") or {}


def _bounded(span: Span | None, days: int) -> int:
    if span is None:
        raise Refused("Nothing was decided in this time.")
    if span.decisions > MOST_DECISIONS:
        raise Refused(
            f"{span.decisions:,} decisions are too many for a page, which replays at most "
            f"{MOST_DECISIONS:,}: choose fewer days, or use: connector rules try --last {days}d"
        )
    return span.decisions
