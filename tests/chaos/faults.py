"""Everything that goes wrong. A fault says whether it has really happened."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from connector.sandbox.core import Fault as VendorFault
from connector.sandbox.server import Sandbox
from tests.chaos.installation import CALLS_AT_ONCE, Installation, is_stopped
from tests.chaos.plan import KEY_TRUSTED_SECONDS, LEASE_SECONDS, SILENCE_SECONDS, Plan
from tests.chaos.servers import Broker, Postgres
from tests.chaos.store import is_worked_off

PATIENCE_SECONDS = 180.0
TAKEN_OVER_SECONDS = 20.0  # after the end of a lease, at most, until others have done the work
VENDOR_FORGETS_SECONDS = 7200.0  # what the stand-in of Zendesk keeps a key for, by its own clock
_LOSE = {"fault": "lose_reply"}
_HANG = {"fault": "hang", "seconds": SILENCE_SECONDS + 1}
_FAIL = {"fault": "status", "status": 500}
_SLOW_DOWN = {"fault": "status", "status": 429, "headers": {"Retry-After": "1"}}
_LATER = {"fault": "status", "status": 451}  # how a mail server says both of the above
FAR = {"reply lost": _LOSE, "hangs": _HANG, "500": _FAIL, "429": _SLOW_DOWN}
# What a sink calls to make something.
CALLS = {
    "desk": ("zendesk", "POST", "/api/v2/tickets"),
    "hub": ("hubspot", "POST", "/crm/v3/objects/tasks/batch/create"),
    "crm": ("salesforce", "PATCH", "/services/data"),
    "chat": ("slack", "POST", "/api/chat.postMessage"),
    "mail": ("mail", "DATA", "*"),
}
BESIDES = {
    "desk note": ("zendesk", "PUT", "/api/v2/tickets"),  # newer words for a ticket, an escalation
    "desk news": ("zendesk", "GET", "/api/v2/incremental"),  # what became of tickets
}
RECEIVING = ("intake.stored", "hinted")  # points of the receiver


class Event(Protocol):
    def is_set(self) -> bool: ...


@dataclass
class Scene:
    """What faults act upon. `interrupted`: whoever runs the suite wants to stop."""

    installation: Installation
    plan: Plan
    sandbox: Sandbox
    random: random.Random
    interrupted: Event = field(default_factory=threading.Event)
    broker: Broker | None = None
    database: Postgres | None = None
    may_be_in_doubt: list[int] = field(default_factory=list)  # messages and mails, by each fault

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
            if self.interrupted.is_set():
                raise KeyboardInterrupt
            time.sleep(every_seconds)
        return False

    def pass_time(self, seconds: float) -> None:
        self.wait(lambda: False, seconds)

    def process_hit(self, role: str = "") -> None:
        """A process was ended or stopped: a message and a mail for each of its threads that were in
        flight may stay in doubt. Without a role it can have been any."""
        if role in ("", *self.installation.workers):
            embedded = self.installation.receiver in self.installation.workers
            self.may_be_in_doubt.append(2 * (1 if embedded else CALLS_AT_ONCE))


@dataclass(frozen=True)
class Fault:
    """`happen` returns whether it did."""

    name: str
    happen: Callable[[Scene], bool]


def killed_at(at: str, of: str = "", skip: int = 0) -> Fault:
    """The first to come there dies, once it has passed `skip` times."""

    def happen(scene: Scene) -> bool:
        id = scene.plan.arm(at, of, skip=skip)
        fired = scene.wait(lambda: scene.plan.fired(id))
        scene.process_hit(scene.installation.receiver if at in RECEIVING else "")
        return fired

    return Fault(f"kill -9 at {at} ({of})" if of else f"kill -9 at {at}", happen)


def killed(role: str) -> Fault:
    def happen(scene: Scene) -> bool:
        hit = scene.wait(lambda: scene.installation.kill(role))
        scene.process_hit(role)
        return hit

    return Fault(f"kill -9 of {role}", happen)


def stopped_at(at: str, of: str) -> Fault:
    """Asleep past its lease; whoever else there is takes its work over; then it goes on."""

    def happen(scene: Scene) -> bool:
        id = scene.plan.arm(at, of, do="stop")
        if not scene.wait(lambda: scene.plan.fired(id)):
            return False
        scene.process_hit()
        return _sleep_past_lease(scene, scene.plan.fired(id) or 0, of)

    return Fault(f"stopped past its lease at {at} ({of})", happen)


def stopped(role: str) -> Fault:
    def happen(scene: Scene) -> bool:
        asleep = 0

        def stop() -> bool:
            nonlocal asleep
            asleep = scene.installation.pause(role)
            return bool(asleep)

        hit = scene.wait(stop)
        scene.process_hit(role)
        return hit and _sleep_past_lease(scene, asleep)

    return Fault(f"{role} stopped past its lease", happen)


def _sleep_past_lease(scene: Scene, process: int, sink: str = "") -> bool:
    if not scene.wait(lambda: is_stopped(process)):  # who has said so may not have come to it
        return False
    began, store = datetime.now(UTC), scene.installation.store
    scene.pass_time(LEASE_SECONDS + 0.5)
    if len(scene.installation.workers) > 1:
        scene.wait(lambda: is_worked_off(store, began, sink), TAKEN_OVER_SECONDS)
    if not scene.installation.lives(process):
        return False  # killed in its sleep: nobody has woken up
    os.kill(process, signal.SIGCONT)
    return True


def keys_rolled() -> Fault:
    """A ticket is made, nobody hears of it, and when somebody asks its key is forgotten.

    Zendesk's clock jumps once the connector trusts none of the keys any more. No request is in
    flight then: a process that holds one across the jump is the hole that no client can close.
    """

    def happen(scene: Scene) -> bool:
        id = scene.plan.arm("sent", "desk")
        scene.process_hit()
        if not scene.wait(lambda: scene.plan.fired(id)):
            return False
        scene.installation.hold_down(scene.installation.workers)
        for role in scene.installation.workers:
            scene.process_hit(role)
        scene.pass_time(KEY_TRUSTED_SECONDS + 0.5)
        scene.sandbox.clock.advance(VENDOR_FORGETS_SECONDS)
        scene.installation.release()
        return True

    return Fault("all workers down until Zendesk has forgotten the keys", happen)


def flushed() -> Fault:
    def happen(scene: Scene) -> bool:
        assert scene.broker is not None
        if not scene.wait(scene.broker.answers):  # it may be on its way back
            return False
        scene.broker.flush()
        return True

    return Fault("broker flushed", happen)


def broker_gone() -> Fault:
    def happen(scene: Scene) -> bool:
        assert scene.broker is not None
        scene.broker.crash()
        scene.pass_time(1.0)
        scene.broker.start()
        return scene.wait(scene.broker.answers)

    return Fault("broker killed and started again", happen)


def database_gone() -> Fault:
    def happen(scene: Scene) -> bool:
        assert scene.database is not None
        for role in scene.installation.workers:
            scene.process_hit(role)
        scene.database.restart()
        return True

    return Fault("database crashed and started again", happen)


class FarFault:
    """Armed at a stand-in; it has happened when a call was hit."""

    def __init__(self, of: str, what: str, scene: Scene, skip: int = 0) -> None:
        vendor, method, path = (CALLS | BESIDES)[of]
        settings = _LATER if vendor == "mail" and what in ("429", "500") else FAR[what]
        self.name = f"{of}: {what}"
        armed: dict[str, Any] = {**settings, "method": method, "path": path, "skip": skip}
        self._armed: VendorFault = scene.sandbox.vendors[vendor].fault(**armed)
        unheard = settings in (_LOSE, _HANG, _FAIL)
        self._blind = of in ("chat", "mail") and unheard

    @property
    def hits(self) -> int:
        return sum(self._armed.seen.values())

    @property
    def blind_hits(self) -> int:
        """Messages and mails of which nobody can know whether they were sent."""
        return self.hits if self._blind else 0
