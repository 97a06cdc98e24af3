"""`connector rules try` as people call it: from the database to the summary."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Figure
from benchmarks.rules import past

if TYPE_CHECKING:
    from benchmarks.installation import World
    from benchmarks.scale import Scale

_MOST_SECONDS_PER_MILLION, _MOST_MEGABYTES = 20.0, 500.0
_LOOK_SECONDS = 0.1


def replay(_world: World, scale: Scale) -> Iterator[Figure]:
    """Seconds and memory of all its processes for stored answers and two times 100 rules."""
    with tempfile.TemporaryDirectory() as folder:
        config = past.installation(Path(folder), scale.past)
        seconds, megabytes, told = _measured(config)
    what = f"{told:,} stored answers, {past.RULES} rules beside {past.RULES + 1}"
    per_million = seconds / told * 1_000_000
    beside = f"{seconds:.1f} s"
    yield Figure(
        f"{what}, a million", per_million, "s", _MOST_SECONDS_PER_MILLION, "most", beside=beside
    )
    yield Figure(f"{what}, all processes", megabytes, "MB", _MOST_MEGABYTES, "most")


def _measured(config: Path) -> tuple[float, float, int]:
    command = [sys.executable, "-m", "connector", "--config", str(config), "rules", "try", "--json"]
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=out)  # noqa: S603 - our own command
        most = 0.0
        while process.poll() is None:
            most = max(most, sum(_proportional(each) for each in _family(process.pid)))
            time.sleep(_LOOK_SECONDS)
        seconds = time.monotonic() - began
        if process.returncode:
            raise RuntimeError(f"connector rules try ended with {process.returncode}")
        out.seek(0)
        return seconds, most or float("nan"), json.load(out)["answers"]


def _family(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text("ascii")
    except OSError:
        return [process]
    return [process, *map(int, text.split())]


def _proportional(process: int) -> float:
    """Megabytes, with what is shared divided by those who share it."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:  # it has just ended, or this system has no /proc
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
