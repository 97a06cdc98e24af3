"""One run: an installation under fire from start to verdict."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from connector.sandbox.credentials import SECRETS
from connector.sandbox.server import Sandbox
from tests.chaos.agents import MOODS, Agents
from tests.chaos.draw import at_the_end, far_faults, lanes
from tests.chaos.faults import Event, Fault, Scene
from tests.chaos.followed import STILL_OPEN_AFTER, FollowUp
from tests.chaos.installation import Installation
from tests.chaos.lots import NOBODY, STILL_OPEN
from tests.chaos.plan import Plan
from tests.chaos.report import FEWEST, FEWEST_SHORT, Report
from tests.chaos.servers import Broker, Postgres, RabbitBroker, RedisBroker, Unavailable
from tests.chaos.store import behind, followed, parked_because, states, undone
from tests.chaos.verdict import acknowledged, judge, look

SET_UPS = ("embedded", "redis", "rabbitmq")
PER_SECOND = 15.0
PAUSE_SECONDS, PAUSE_SECONDS_SHORT = 1.0, 0.1  # at most, before each fault of a lane
STALLED_SECONDS = 60.0
SELDOM_SECONDS = 0.2
# The list of changes leaves out its newest minute, and may be asked ten times in another.
HELP_DESK = {"export_lag_seconds": 1, "incremental_per_minute": 100_000}
ROOT = Path(__file__).parents[2]


@dataclass
class Campaign:
    set_up: str
    seed: int
    short: bool
    broken: str = ""
    keep: bool = False

    @property
    def title(self) -> str:
        return Report(self.set_up, self.seed, self.broken).title

    def run(self, interrupted: Event | None = None) -> Report:
        """Raises Unavailable when this machine cannot run the set-up."""
        with ExitStack() as stack:
            place = Path(tempfile.mkdtemp(prefix="connector-chaos-", dir=self._where()))
            stack.callback(self._tidy, place)
            began = time.monotonic()
            sandbox = stack.enter_context(Sandbox())
            sandbox.zendesk.state["settings"].update(HELP_DESK)
            store, database, broker = self._servers(place, stack)
            folder = place / "installation"
            folder.mkdir()
            plan = Plan(place, self.broken)
            more = dict(plan.environment)
            if broker is not None:
                more["CONNECTOR_BROKER"] = broker.url
            roles = "distributed" if broker is not None else "embedded"
            installation = Installation(folder, sandbox, store, roles, more)
            stack.callback(installation.end)
            drawn = random.Random(self.seed)
            stop = interrupted or threading.Event()
            scene = Scene(installation, plan, sandbox, drawn, stop, broker, database)
            installation.start()
            self._say("started", began)
            report = self._fire(scene, place / "acknowledged", stack)
            report.seconds = time.monotonic() - began
            return report

    def _where(self) -> Path | None:
        """SQLite waits for the disk at every commit. A killed process leaves the same file in
        memory that it would leave on a disk: nothing is spared but time."""
        memory = Path("/dev/shm")
        return memory if self.set_up == "embedded" and os.access(memory, os.W_OK) else None

    def _servers(self, place: Path, stack: ExitStack) -> tuple[str, Postgres | None, Broker | None]:
        if self.set_up == "embedded":
            return f"sqlite:///{place / 'connector.db'}", None, None
        if self.set_up not in SET_UPS:
            raise Unavailable(f"there is no such set-up; there are: {', '.join(SET_UPS)}")
        try:
            broker = RedisBroker() if self.set_up == "redis" else RabbitBroker(place / "rabbit")
        except pytest.skip.Exception as why:
            raise Unavailable(str(why)) from None
        stack.callback(broker.end)
        folder = place / "postgres"
        place.chmod(0o755)
        folder.mkdir()
        database = Postgres(folder)
        stack.callback(database.end)
        return database.url, database, broker

    def _fire(self, scene: Scene, record: Path, stack: ExitStack) -> Report:
        report = Report(self.set_up, self.seed, self.broken)
        record.touch()
        fewest = FEWEST_SHORT if self.short else FEWEST
        sender = self._sender(scene.installation.url, record, fewest)
        stack.callback(sender.kill)
        agents = self._agents(scene)
        stack.callback(agents.end)
        agents.start()
        far = far_faults(scene, self.short)
        fired: Counter[str] = Counter()
        drawn = lanes(scene, self.short)
        with ThreadPoolExecutor(len(drawn)) as pool:
            for done in list(pool.map(lambda lane: self._go_along(scene, lane), drawn)):
                fired.update(done)
        fired.update(self._go_along(scene, at_the_end(self.short)))
        began = time.monotonic()
        scene.wait(lambda: all(one.hits for one in far))
        fired.update({one.name: one.hits for one in far})
        self._say("every far side has failed", began)
        began = time.monotonic()
        scene.wait(lambda: len(acknowledged(record)) >= fewest, 120, SELDOM_SECONDS)
        sender.send_signal(signal.SIGTERM)
        if not scene.wait(lambda: sender.poll() is not None, 60):
            report.problems.append("the sender could not get everything acknowledged")
        self._say("enough was acknowledged", began)
        began = time.monotonic()
        left = drain(scene, agents)
        rested_at = datetime.now(UTC)
        agents.end()
        self._say("drained", began)
        report.problems += [f"{left} are still waiting, and nothing moves"] if left else []
        report.problems += agents.troubles + scene.installation.surprises
        answers = acknowledged(record)
        report.acknowledged = len(answers)
        store = scene.installation.store
        there, outbox = look(scene.sandbox.urls), states(store)
        report.tallies = judge(answers, there, outbox)
        report.tallies += FollowUp(there, followed(store), agents, outbox, rested_at).judge(answers)
        report.parked_because = parked_because(store)
        report.may_be_in_doubt = sum(scene.may_be_in_doubt) + sum(one.blind_hits for one in far)
        report.fired = dict(sorted(fired.items()))
        return report

    def _go_along(self, scene: Scene, lane: list[Fault]) -> Counter[str]:
        """How often each fault of the lane has happened."""
        most = PAUSE_SECONDS_SHORT if self.short else PAUSE_SECONDS
        fired: Counter[str] = Counter()
        for number, fault in enumerate(lane):
            scene.pass_time(random.Random(f"{self.seed} {fault.name} {number}").uniform(0, most))
            began = time.monotonic()
            fired[fault.name] += fault.happen(scene)
            self._say(fault.name, began)
        return fired

    def _say(self, what: str, began: float) -> None:
        if self.keep:
            click.echo(f"{self.title}: {what}: {time.monotonic() - began:.1f} s")

    def _sender(self, url: str, record: Path, enough: int) -> subprocess.Popen[bytes]:
        secret = SECRETS["WEBHOOK_SECRET"]
        words = (f"{url}/hooks/app", secret, self.seed, PER_SECOND, enough, record)
        command = [sys.executable, "-m", "tests.chaos.sender", *map(str, words)]
        return subprocess.Popen(command, cwd=ROOT)

    def _agents(self, scene: Scene) -> Agents:
        """Where the list of changes is on trial, no webhook tells what it has lost."""
        moods = ("lost",) if self.broken == "cursor" else MOODS
        return Agents(scene.sandbox, f"{scene.installation.url}/news/desk", self.seed, moods)

    def _tidy(self, place: Path) -> None:
        if self.keep:
            click.echo(f"{self.title}: kept in {place}")
        else:
            shutil.rmtree(place, ignore_errors=True)


def drain(scene: Scene, agents: Agents) -> float:
    """Wait until all is decided, delivered and followed up; returns how much is left where nothing
    moves."""
    store, steps = scene.installation.store, (NOBODY, STILL_OPEN)

    def left() -> float:
        due = datetime.now(UTC) - STILL_OPEN_AFTER
        lagging = behind(store, agents.begun_by, agents.solved_by, steps, due)
        return undone(store) + agents.pending + lagging

    least = left()
    while least:
        if not scene.wait(lambda least=least: left() < least, STALLED_SECONDS, SELDOM_SECONDS):
            break
        least = left()
    return least
