"""How long and how large: enough to see a ratio by default, more with --full, less with --quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """`seconds` of load per measurement, each taken `repeats` times in turns."""

    seconds: float = 5.0
    repeats: int = 2
    backlog: int = 10_000  # actions without a call
    calls: int = 5_000  # actions with a call of 50 ms
    vendor_actions: int = 1_000
    reactions: int = 200
    stored: int = 1_000_000
    decisions: int = 5_000
    past: int = 100_000  # stored answers that are replayed


DEFAULT = Scale()
QUICK = Scale(1.5, 1, 2_000, 600, 1_000, 40, 100_000, 1_000, 20_000)
FULL = Scale(30.0, 2, 10_000, 5_000, 1_000, 1_000, 1_000_000, 20_000, 1_000_000)
