"""One run: an installation under fire from start to verdict."""

from __future__ import annotations

import math
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from sqlalchemy import func, select

from connector.sandbox.credentials import SECRETS
from connector.sandbox.server import Sandbox
from connector.store import Store
from connector.store.database import StoreDown
from connector.store.tables import actions, inbox
from tests.chaos.faults import Fault, Scene, draw, far_faults
from tests.chaos.installation import Installation
from tests.chaos.plan import Plan
from tests.chaos.servers import Broker, Postgres, RabbitBroker, RedisBroker, Unavailable
from tests.chaos.verdict import MOST_PARKED, Tally, acknowledged, judge, look, states

SET_UPS = ("embedded", "redis", "rabbitmq")
FEWEST, FEWEST_SHORT = 500, 150
PER_SECOND, PER_SECOND_SHORT = 12.0, 7.0
STALLED_SECONDS = 60.0
SELDOM_SECONDS = 0.3
ROOT = Path(__file__).parents[2]


@dataclass
class Report:
    title: str
    acknowledged: int
    tallies: list[Tally]
    blind_hits: int
    faults: list[str]
    far: dict[str, int]
    seconds: float
    problems: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return sum(len(tally.lost) for tally in self.tallies)

    @property
    def doubled(self) -> int:
        return sum(len(tally.doubled) for tally in self.tallies)

    @property
    def parked(self) -> int:
        return sum(tally.parked for tally in self.tallies)

    @property
    def in_doubt(self) -> int:
        return sum(tally.in_doubt for tally in self.tallies)

    def table(self) -> str:
        head = f"{'':<16}{'actions':>8}{'effects':>8}{'parked':>8}{'in doubt':>9}"
        head += f"{'lost':>6}{'doubled':>9}"
        rows = [
            f"{t.name:<16}{t.actions:>8}{t.effects:>8}{t.parked:>8}{t.in_doubt:>9}"
            f"{len(t.lost):>6}{len(t.doubled):>9}"
            for t in self.tallies
        ]
        told = [f"  {said}" for t in self.tallies for said in (t.lost + t.doubled)[:5]]
        far = f"far sides: {', '.join(f'{name} x{hits}' for name, hits in self.far.items())}"
        lines = [f"== {self.title}: {self.acknowledged} answers in {self.seconds:.0f} s"]
        lines += [f"faults: {'; '.join(self.faults)}", far, head, *rows, *told]
        return "\n".join(lines)


@dataclass
class Campaign:
    set_up: str
    seed: int
    short: bool
    broken: str = ""
    keep: bool = False

    @property
    def title(self) -> str:
        guard = f" without its {self.broken} guard" if self.broken else ""
        return f"{self.set_up}, seed {self.seed}{guard}"

    def run(self) -> Report:
        """Raises Unavailable when this machine cannot run the set-up."""
        with ExitStack() as stack:
            place = Path(tempfile.mkdtemp(prefix="connector-chaos-"))
            stack.callback(self._tidy, place)
            sandbox = stack.enter_context(Sandbox())
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
            scene = Scene(installation, plan, sandbox, drawn, broker, database)
            installation.start()
            return self._fire(scene, place / "acknowledged", stack)

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
        began = time.monotonic()
        record.touch()
        fewest = FEWEST_SHORT if self.short else FEWEST
        sender = self._sender(scene.installation.url, record)
        stack.callback(sender.kill)
        far = far_faults(scene, 1)
        faults = draw(scene, self.short)
        for fault in faults:
            self._happen(scene, fault)
        scene.wait(lambda: all(one.hits for one in far))
        scene.wait(lambda: len(acknowledged(record)) >= fewest, 120, SELDOM_SECONDS)
        sender.send_signal(signal.SIGTERM)
        if not scene.wait(lambda: sender.poll() is not None, 60):
            scene.failed.append("the sender could not get everything acknowledged")
        left = drain(scene)
        answers = acknowledged(record)
        there = look(scene.sandbox.urls)
        tallies = judge(answers, there, states(scene.installation.store))
        hits = scene.blind_hits + sum(one.blind_hits for one in far)
        names = [fault.name for fault in faults]
        report = Report(
            self.title,
            len(answers),
            tallies,
            hits,
            names,
            {one.name: one.hits for one in far},
            time.monotonic() - began,
            scene.failed + scene.installation.surprises,
        )
        report.problems += [f"never happened: {one.name}" for one in far if not one.hits]
        report.problems += [f"{left} are still waiting, and nothing moves"] if left else []
        report.problems += _shortcomings(report, fewest)
        return report

    def _happen(self, scene: Scene, fault: Fault) -> None:
        scene.pass_time(scene.random.uniform(0, 0.3 if self.short else 1.0))
        began = time.monotonic()
        if not fault.happen(scene):
            scene.failed.append(f"never happened: {fault.name}")
        if self.keep:
            click.echo(f"{self.title}: {fault.name}: {time.monotonic() - began:.1f} s")

    def _sender(self, url: str, record: Path) -> subprocess.Popen[bytes]:
        pace = PER_SECOND_SHORT if self.short else PER_SECOND
        secret, enough = SECRETS["WEBHOOK_SECRET"], FEWEST_SHORT if self.short else FEWEST
        words = (f"{url}/hooks/app", secret, self.seed, pace, enough, record)
        command = [sys.executable, "-m", "tests.chaos.sender", *map(str, words)]
        return subprocess.Popen(command, cwd=ROOT)

    def _tidy(self, place: Path) -> None:
        if self.keep:
            click.echo(f"{self.title}: kept in {place}")
        else:
            shutil.rmtree(place, ignore_errors=True)


def drain(scene: Scene) -> float:
    """Wait until all is decided and delivered; returns how much is left where nothing moves."""
    least = undone(scene.installation.store)
    while least:
        if not scene.wait(
            lambda least=least: undone(scene.installation.store) < least,
            STALLED_SECONDS,
            SELDOM_SECONDS,
        ):
            break
        least = undone(scene.installation.store)
    return least


def undone(store_url: str) -> float:
    """Records to be decided, and actions to be delivered; infinite while nobody can say."""
    store = Store(store_url)
    try:
        with store.read() as connection:
            undecided = select(func.count()).where(inbox.c.state == "new")
            unsent = select(func.count()).where(actions.c.state.in_(("waiting", "sending")))
            return (connection.scalar(undecided) or 0) + (connection.scalar(unsent) or 0)
    except StoreDown:
        return math.inf
    finally:
        store.close()


def _shortcomings(report: Report, fewest: int) -> list[str]:
    found = []
    if report.acknowledged < fewest:
        found.append(f"only {report.acknowledged} answers were acknowledged, not {fewest}")
    wanted = sum(tally.actions for tally in report.tallies)
    if report.parked > MOST_PARKED * wanted:
        found.append(f"{report.parked} of {wanted} actions were parked")
    if report.in_doubt > report.blind_hits:
        found.append(f"{report.in_doubt} in doubt, but faults hit only {report.blind_hits}")
    return found
