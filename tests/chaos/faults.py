"""Everything that goes wrong, drawn from a seed. A fault says whether it has really happened."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from connector.sandbox.core import Fault as VendorFault
from connector.sandbox.server import Sandbox
from tests.chaos.installation import CALLS_AT_ONCE, Installation
from tests.chaos.plan import KEY_KEPT_SECONDS, LEASE_SECONDS, Plan
from tests.chaos.servers import SINKS, Broker, Postgres

PATIENCE_SECONDS = 60.0
INTERRUPTED = threading.Event()  # whoever runs the suite wants to stop
VENDOR_FORGETS_SECONDS = 7200.0  # what the stand-in of Zendesk keeps a key for, by its own clock
UNDELIVERED = ("intake.stored", "decided")
DELIVERING = ("claimed", "prepared", "sending", "sent", "recorded")
# Where it hurts most: a short run has one place for each point, and these are always among them.
WORST = (("sent", "desk"), ("sent", "chat"), ("sending", "mail"))
_RESET, _SILENT, _FAILED = (
    {"fault": "lose_reply"},
    {"fault": "hang", "seconds": 3.0},
    {"fault": "status", "status": 500},
)
_SLOW_DOWN = {"fault": "status", "status": 429, "headers": {"Retry-After": "1"}}
_WRITES = {
    "desk": ("zendesk", "POST", "/api/v2/tickets"),
    "hub": ("hubspot", "POST", "/crm/v3/objects/tasks/batch/create"),
    "crm": ("salesforce", "PATCH", "/services/data"),
    "chat": ("slack", "POST", "/api/chat.postMessage"),
    "mail": ("mail", "DATA", "*"),
}
_FAR = {"reply lost": _RESET, "hangs": _SILENT, "500": _FAILED, "429": _SLOW_DOWN}


@dataclass
class Scene:
    """What faults act upon."""

    installation: Installation
    plan: Plan
    sandbox: Sandbox
    random: random.Random
    broker: Broker | None = None
    database: Postgres | None = None
    blind_hits: int = 0  # how many messages and mails a fault can have left in doubt
    failed: list[str] = field(default_factory=list)

    def wait(
        self,
        until: Callable[[], object],
        seconds: float = PATIENCE_SECONDS,
        every_seconds: float = 0.05,
    ) -> bool:
        """True once it holds; what has died is restarted meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.installation.tend()
            if until():
                return True
            if INTERRUPTED.is_set():
                raise KeyboardInterrupt
            time.sleep(every_seconds)
        return False

    def pass_time(self, seconds: float) -> None:
        self.wait(lambda: False, seconds)

    def process_hit(self) -> None:
        """A process was ended or stopped: what it had in flight may stay in doubt."""
        calls = 1 if self.installation.roles == ("run",) else CALLS_AT_ONCE
        self.blind_hits += calls * 2


@dataclass(frozen=True)
class Fault:
    """`happen` returns whether it did."""

    name: str
    happen: Callable[[Scene], bool]


def killed_at(*places: tuple[str, str], skip: int = 0) -> Fault:
    """All armed at once. The first to come there dies, once it has passed up to `skip` times."""

    def happen(scene: Scene) -> bool:
        armed = [scene.plan.arm(at, of, skip=scene.random.randint(0, skip)) for at, of in places]
        for _ in armed:
            scene.process_hit()
        return scene.wait(lambda: all(scene.plan.fired(id) for id in armed))

    told = ", ".join(f"{at} ({of})" if of else at for at, of in places)
    return Fault(f"kill -9 at {told}", happen)


def killed(role: str) -> Fault:
    def happen(scene: Scene) -> bool:
        scene.pass_time(scene.random.uniform(0, 1))
        if not scene.wait(lambda: scene.installation.is_running(role)):
            return False
        before = scene.installation.deaths
        scene.installation.kill(role)
        scene.process_hit()
        return scene.wait(lambda: scene.installation.deaths > before)

    return Fault(f"kill -9 of {role}", happen)


def stopped_at(at: str, of: str) -> Fault:
    """Asleep past its lease; whoever else there is takes its work over; then it goes on."""

    def happen(scene: Scene) -> bool:
        id = scene.plan.arm(at, of, do="stop")
        scene.process_hit()
        if not scene.wait(lambda: scene.plan.fired(id)):
            return False
        scene.pass_time(LEASE_SECONDS + 2.0)
        os.kill(scene.plan.fired(id) or 0, signal.SIGCONT)
        return True

    return Fault(f"stopped past its lease at {at} ({of})", happen)


def stopped(role: str) -> Fault:
    def happen(scene: Scene) -> bool:
        if not scene.wait(lambda: scene.installation.is_running(role)):
            return False
        asleep = scene.installation.pause(role)
        scene.process_hit()
        scene.pass_time(LEASE_SECONDS + 1.0)
        os.kill(asleep, signal.SIGCONT)
        return True

    return Fault(f"{role} stopped past its lease", happen)


def keys_rolled() -> Fault:
    """A ticket is made, nobody hears of it, and when somebody asks its key is forgotten.

    Zendesk's clock jumps so that it forgets what is older than KEY_KEPT_SECONDS.
    """

    def happen(scene: Scene) -> bool:
        id = scene.plan.arm("sent", "desk")
        scene.process_hit()
        if not scene.wait(lambda: scene.plan.fired(id)):
            return False
        scene.installation.hold_down(scene.installation.workers)
        for _ in scene.installation.workers:
            scene.process_hit()
        scene.pass_time(KEY_KEPT_SECONDS + 0.5)
        scene.sandbox.clock.advance(VENDOR_FORGETS_SECONDS - KEY_KEPT_SECONDS)
        scene.installation.release()
        return True

    return Fault("all workers down until Zendesk has forgotten the keys", happen)


def flushed() -> Fault:
    def happen(scene: Scene) -> bool:
        assert scene.broker is not None
        scene.broker.flush()
        return True

    return Fault("broker flushed", happen)


def broker_gone() -> Fault:
    def happen(scene: Scene) -> bool:
        assert scene.broker is not None
        restart: Callable[[], None] | None = getattr(scene.broker, "restart", None)
        if restart is not None:
            restart()
        return restart is not None

    return Fault("broker ended and started empty", happen)


def database_gone() -> Fault:
    def happen(scene: Scene) -> bool:
        assert scene.database is not None
        for _ in scene.installation.workers:
            scene.process_hit()
        scene.database.restart()
        return True

    return Fault("database crashed and started again", happen)


class FarFault:
    """Armed at a stand-in; it has happened when a call was hit."""

    def __init__(self, sink: str, what: str, scene: Scene) -> None:
        vendor, method, path = _WRITES[sink]
        settings: dict[str, Any] = dict(_FAR[what])
        if sink == "mail" and what in ("429", "500"):
            settings = {"fault": "status", "status": 451}
        self.name = f"{sink}: {what}"
        settings |= {"method": method, "path": path, "skip": scene.random.randrange(4)}
        self._armed: VendorFault = scene.sandbox.vendors[vendor].fault(**settings)
        self._blind = sink in ("chat", "mail")

    @property
    def hits(self) -> int:
        return sum(self._armed.seen.values())

    @property
    def blind_hits(self) -> int:
        return self.hits if self._blind else 0


def far_faults(scene: Scene, rounds: int) -> list[FarFault]:
    return [FarFault(s, w, scene) for _ in range(rounds) for s in SINKS for w in _FAR]


def draw(scene: Scene, short: bool) -> list[Fault]:
    """In a drawn order; keys are rolled last, so that no stopped process still holds a request."""
    chosen = _kills_in_short(scene) if short else _kills(scene)
    chosen.append(stopped_at("prepared", "chat"))
    if not short:
        chosen += [stopped_at("sending", "desk"), stopped_at("prepared", "mail")]
        chosen.append(stopped(scene.random.choice(scene.installation.workers)))
    if scene.broker is not None:
        chosen.append(flushed())
        if hasattr(scene.broker, "restart"):
            chosen.append(broker_gone())
    if scene.database is not None:
        chosen.append(database_gone())
    scene.random.shuffle(chosen)
    return [*chosen, *(keys_rolled() for _ in range(1 if short else 2))]


def _kills(scene: Scene) -> list[Fault]:
    """At every point of every sink, and every process twice at any time."""
    chosen = [killed_at((at, ""), skip=3) for at in UNDELIVERED]
    chosen += [killed_at((at, of), skip=3) for at in DELIVERING for of in SINKS]
    return chosen + [killed(role) for role in scene.installation.roles for _ in range(2)]


def _kills_in_short(scene: Scene) -> list[Fault]:
    """At every point, several at once; receiver and beat at any time."""
    worst = iter(WORST)
    somewhere = [(at, scene.random.choice(SINKS)) for at in ("claimed", "prepared", "recorded")]
    earlier = [(at, "") for at in UNDELIVERED]
    chosen = [killed_at(next(worst), *earlier), killed_at(next(worst), somewhere[0])]
    chosen.append(killed_at(next(worst), *somewhere[1:]))
    roles = [scene.installation.receiver, *({"beat"} & set(scene.installation.roles))]
    return chosen + [killed(role) for role in roles]
