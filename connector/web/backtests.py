"""Backtests that pages ask for: one at a time, in a thread of its own, bounded in time and size.

They read through a connection that cannot write; nothing is kept, made or activated.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connector.errors import ConnectorError
from connector.replaying import Question, replay
from connector.rules.load import load
from connector.rules.model import RULES_FILE, Ruleset, RulesetText
from connector.store import answers, replaying
from connector.store.replaying import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.domain import Problem
    from connector.replaying import Replayed
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

MOST_DECISIONS = 100_000
MOST_SECONDS = 120.0
MOST_CHARACTERS = 150_000
DIFFERENCES = 50
_KEPT = 5
_PAUSE_SECONDS = 0.005  # after every thousand decisions: webhooks are answered by the same process


class Refused(Exception):
    """It is not begun; the text says why and what to do."""


class Wrong(Refused):
    """The rules have mistakes."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("These rules have mistakes; nothing was replayed.")
        self.problems = problems


@dataclass
class Backtest:
    """`result` and `failed` are None while it runs. Read it, never write it."""

    days: int
    candidate: Ruleset
    active: Ruleset
    begun_at: datetime
    total: int
    done: int = 0
    result: Replayed | None = None
    failed: str | None = None
    is_over: threading.Event = field(default_factory=threading.Event)


class _TooLong(ConnectorError):
    pass


class Begun(NamedTuple):
    id: str
    backtest: Backtest


class Backtests:
    """Those of this process; the last few are kept for whoever looks at their result."""

    def __init__(self, workspace: Workspace, most_decisions: int = MOST_DECISIONS) -> None:
        self._workspace = workspace
        self._most = most_decisions
        self._kept: OrderedDict[str, Backtest] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, id: str) -> Backtest | None:
        return self._kept.get(id)

    def active_text(self) -> str:
        """The rules file of the active ruleset."""
        with self._workspace.store.read() as connection:
            identity = answers.active_ruleset(connection) or ""
            files = answers.ruleset_files(connection, identity) or {}
        return files.get(RULES_FILE, "")

    def start(self, text: str, days: int, now: datetime) -> Begun:
        """Replay the last so many days under these rules, with today's topics and templates.

        Raises:
            Wrong: the rules have mistakes.
            Refused: there is too much to replay, nothing, or another one runs.
        """
        if len(text) > MOST_CHARACTERS:
            raise Refused("These rules are too long for a page; use: connector rules try")
        window = Window(now - timedelta(days=days), now)
        with self._workspace.store.read() as connection:
            active = self._workspace.ruleset(connection)
            if active is None:
                raise Refused("No rules are active yet.")
            identity = answers.active_ruleset(connection) or ""
            files = answers.ruleset_files(connection, identity) or {}
            span = replaying.span_of(connection, window)
        candidate = self._load(files | {RULES_FILE: text.replace("\r\n", "\n")})
        if span is None:
            raise Refused("Nothing was decided in this time.")
        if span.decisions > self._most:
            raise Refused(
                f"{span.decisions:,} decisions are too many for a page, which replays at most "
                f"{self._most:,}: choose fewer days, or use: connector rules try --last {days}d"
            )
        backtest = Backtest(days, candidate, active, now, span.decisions)
        question = Question(
            active=active,
            candidate=candidate,
            window=window,
            within=self._workspace.settings.act_on_customers_within,
            accounts=self._workspace.accounts,
            limit=DIFFERENCES,
            processes=1,
        )
        with self._lock:
            if any(not one.is_over.is_set() for one in self._kept.values()):
                raise Refused("Another backtest runs; try again when it is done.")
            id = secrets.token_urlsafe(12)
            self._kept[id] = backtest
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        work = threading.Thread(
            target=self._run, args=(backtest, question), name="backtest", daemon=True
        )
        work.start()
        return Begun(id, backtest)

    def _load(self, files: dict[str, str]) -> Ruleset:
        loaded = load(RulesetText(files=files), self._workspace.vocabulary)
        if loaded.ruleset is None:
            raise Wrong([one for one in loaded.problems if one.severity == "error"])
        return loaded.ruleset

    def _run(self, backtest: Backtest, question: Question) -> None:
        ends_at = time.monotonic() + MOST_SECONDS

        def progress(done: int, _total: int) -> None:
            backtest.done += done
            if time.monotonic() > ends_at:
                raise _TooLong("it took too long for a page; choose fewer days")
            time.sleep(_PAUSE_SECONDS)

        try:
            backtest.result = replay(self._workspace.store.url, question, progress)
        except ConnectorError as error:
            backtest.failed = str(error)
        except Exception as error:
            log.exception("a backtest failed (%s)", type(error).__name__)
            backtest.failed = f"a mistake of ours ({type(error).__name__}); the log says where"
        finally:
            backtest.is_over.set()
