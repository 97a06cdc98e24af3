"""One replay in a process of its own: behind all others, and killed when its time is up.

A slow expression of a rule holds its interpreter for as long as it likes; this one's is nobody
else's. It says how far it is, and at last what came out.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection as Pipe
from typing import TYPE_CHECKING, Any

from connector.errors import ConnectorError
from connector.replaying import Question, replay
from connector.reports.backtested import kept
from connector.rules.load import load
from connector.rules.model import Ruleset, RulesetText, Vocabulary
from connector.store.replaying import Window

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

log = logging.getLogger(__name__)

TOO_LONG = "it took too long for a page; choose fewer days, or use: connector rules try"
_ENDED = "its process ended before its time; try again"
_NICE = 10  # webhooks and deliveries go first
_GRACE_SECONDS = 5  # after which it ends by itself, should nobody be left to do it


@dataclass(frozen=True)
class Job:
    """All that the process needs; rulesets go as texts, as compiled they cannot be handed over."""

    url: str
    vocabulary: Vocabulary
    active: Mapping[str, str]
    candidate: Mapping[str, str]
    window: Window
    within: timedelta
    accounts: Mapping[str, str]
    limit: int


def run(job: Job, seconds: float, progress: Callable[[int], None]) -> dict[str, Any]:
    """What came out, as `reports.backtested.kept` has it.

    Raises:
        ConnectorError: it was not finished; the text says why.
    """
    context = multiprocessing.get_context("spawn")  # forking a server with threads is not safe
    here, there = context.Pipe(duplex=False)
    ends_at = time.monotonic() + seconds
    child = context.Process(target=_work, args=(there, job, seconds), name="backtest", daemon=True)
    child.start()
    there.close()
    try:
        return _listen(here, ends_at, progress)
    finally:
        _end(child)
        here.close()


def _listen(pipe: Pipe, ends_at: float, progress: Callable[[int], None]) -> dict[str, Any]:
    while pipe.poll(max(ends_at - time.monotonic(), 0.0)):
        try:
            said: int | dict[str, Any] | ConnectorError = pipe.recv()
        except EOFError:
            raise ConnectorError(_ENDED) from None
        if isinstance(said, ConnectorError):
            raise said
        if isinstance(said, dict):
            return said
        progress(said)
    raise ConnectorError(TOO_LONG)


def _end(child: SpawnProcess) -> None:
    child.kill()
    child.join()
    child.close()


def _work(pipe: Pipe, job: Job, seconds: float) -> None:
    """In the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is asked, and ends us
    signal.alarm(int(seconds) + _GRACE_SECONDS)  # no handler: it kills, whatever is being run
    os.nice(_NICE)
    try:
        pipe.send(_replay(job, lambda done, _: pipe.send(done)))
    except ConnectorError as error:
        pipe.send(ConnectorError(str(error)))
    except Exception as error:
        log.exception("a backtest failed (%s)", type(error).__name__)
        mistake = f"a mistake of ours ({type(error).__name__}); the log says where"
        pipe.send(ConnectorError(mistake))


def _replay(job: Job, progress: Callable[[int, int], None]) -> dict[str, Any]:
    active, candidate = (_load(job, files) for files in (job.active, job.candidate))
    question = Question(
        active=active,
        candidate=candidate,
        window=job.window,
        within=job.within,
        accounts=job.accounts,
        limit=job.limit,
        processes=1,
    )
    return kept(replay(job.url, question, progress), active, candidate)


def _load(job: Job, files: Mapping[str, str]) -> Ruleset:
    loaded = load(RulesetText(files=files), job.vocabulary)
    if loaded.ruleset is None:
        raise ConnectorError("these rules cannot be loaded any more; ask for it again")
    return loaded.ruleset
