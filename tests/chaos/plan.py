"""The plan file of a run: which points fire, which guards are off, how much faster time runs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from connector.faultpoints import VARIABLE

GUARDS = ("key", "lookup", "fence", "sending", "commit", "quiet", "cursor", "ledger")
# The connector trusts a vendor's key for so long; the stand-in keeps it until its clock jumps.
KEY_TRUSTED_SECONDS = 4.5
LEASE_SECONDS = 3.0
# How long a vendor may be silent. A busy machine must not look like a vendor that hangs.
SILENCE_SECONDS = 4.0
SECONDS = {
    "lease": LEASE_SECONDS,
    "key_lifetime": KEY_TRUSTED_SECONDS,
    "look_again_after": 1.0,
    "late": 2.0,
    "silence": SILENCE_SECONDS,
    "first_wait": 1.0,
    "sweep": 1.0,
    "patrol": 1.0,
    "patience": 2.0,
    "chores": 1.0,
    "follow_lease": LEASE_SECONDS,
}


class Plan:
    """Written by the runner, read by every process at every point."""

    def __init__(self, place: Path, broken: str = "") -> None:
        self.path = place / "plan.json"
        self._points: list[dict[str, Any]] = []
        self.broken = broken
        self._lock = threading.Lock()
        self._write()

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: str(self.path)}

    def arm(self, at: str, of: str = "", do: str = "kill", skip: int = 0) -> str:
        """The id of a point that will fire once, in whichever process comes first."""
        with self._lock:
            id = f"p{len(self._points)}"
            self._points.append({"id": id, "at": at, "of": of, "do": do, "skip": skip})
            self._write()
        return id

    def fired(self, id: str) -> int | None:
        """The process that fired it; None before that."""
        mark = Path(f"{self.path}.{id}")
        said = mark.read_text() if mark.exists() else ""
        return int(said) if said else None

    def _write(self) -> None:
        draft = self.path.with_suffix(".draft")
        seconds = SECONDS | ({"key_lifetime": 60.0} if self.broken == "key" else {})
        broken = [self.broken] if self.broken else []
        content = {"points": self._points, "broken": broken, "seconds": seconds}
        draft.write_text(json.dumps(content))
        draft.replace(self.path)
