"""Points at which the chaos suite ends or stops this process, and guards that it switches off.

CONNECTOR_FAULTPOINTS names its plan, a JSON file that is read anew at every point. Without the
variable every function here returns at once and changes nothing.

    {"points": [{"id": "p1", "at": "sent", "of": "desk", "do": "kill", "skip": 2}],
     "broken": ["key"], "seconds": {"lease": 3}}

Points of an answer: intake.stored, decided, claimed, prepared, sending, sent, recorded. Points of
following up: hinted (the hint of a webhook is stored, nobody rang), looked and followed (news that
somebody has worked on a case were read, after a hint or from the list of changes, and are not
recorded), judged (a step of an escalation is decided, not committed), escalated (it is committed,
nobody rang). `of` is a sink, or empty for any. `do` is kill or stop. `skip` visits of each process
pass first. Each point fires once in all processes together; who fires it leaves its process id in
the file `<plan>.<id>`.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

VARIABLE = "CONNECTOR_FAULTPOINTS"
_LATER_SECONDS = 0.5
_plan: Path | None = Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None
_visits: dict[str, int] = {}
_lock = threading.Lock()
_firing = threading.Lock()
_TAKES_EFFECT_SECONDS = 0.05  # a signal to the own process may come after the call has returned


def reach(at: str, of: str = "") -> None:
    """This process is at that point; perhaps it ends here."""
    if _plan is None:
        return
    for point in _read().get("points", []):
        if point["at"] == at and point["of"] in ("", of) and _is_turn(point) and _claim(point):
            _fire(signal.SIGKILL if point["do"] == "kill" else signal.SIGSTOP)
            return  # one at a time: who was stopped here is not killed here as well


def _fire(what: signal.Signals) -> None:
    with _firing:
        os.kill(os.getpid(), what)
        time.sleep(_TAKES_EFFECT_SECONDS)


def broken(guard: str) -> bool:
    """Is this guard off (a name out of docs/chaos.md), to prove that it is needed?"""
    return _plan is not None and guard in _read().get("broken", [])


def only_in_memory(guard: str, work: Callable[[], object]) -> bool:
    """Where this guard is off: True, and the work is done a while later, outside of everything."""
    if not broken(guard):
        return False
    threading.Timer(_LATER_SECONDS, work).start()
    return True


def seconds(name: str, usual: float) -> float:
    """The usual figure, or the plan's shorter one."""
    return usual if _plan is None else float(_read().get("seconds", {}).get(name, usual))


def hurried(value: T) -> T:
    """The same with the plan's durations where they are not zero."""
    if _plan is None:
        return value
    lengths = _read().get("seconds", {})
    changed = {
        field.name: timedelta(seconds=lengths[field.name])
        for field in fields(value)
        if field.name in lengths and getattr(value, field.name)
    }
    return replace(value, **changed)


def _read() -> dict[str, Any]:
    assert _plan is not None  # noqa: S101 - the callers have asked
    found: dict[str, Any] = json.loads(_plan.read_text())
    return found


def _is_turn(point: dict[str, Any]) -> bool:
    with _lock:
        _visits[point["id"]] = _visits.get(point["id"], 0) + 1
        return _visits[point["id"]] > int(point.get("skip", 0))


def _claim(point: dict[str, Any]) -> bool:
    """True for the first who comes, in whichever process."""
    try:
        mark = os.open(f"{_plan}.{point['id']}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    os.write(mark, str(os.getpid()).encode())
    os.close(mark)
    return True
