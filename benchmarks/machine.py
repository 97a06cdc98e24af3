"""On what it was measured; without it no absolute number means anything."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import tempfile
import time
from pathlib import Path

_SYNCS = 200


def describe() -> dict[str, str]:
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "disk": f"one write made durable in {_sync_microseconds():.0f} µs (median of {_SYNCS})",
        "load": f"{os.getloadavg()[0]:.1f} before the first benchmark",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": ", ".join(
            f"{name} {importlib.metadata.version(name)}"
            for name in ("sqlalchemy", "psycopg", "starlette", "uvicorn", "celery")
        ),
    }


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    if about.exists():
        for line in about.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _sync_microseconds() -> float:
    """Where the benchmarks put their databases."""
    took = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(_SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return sorted(took)[_SYNCS // 2] * 1e6


def cpu_seconds(process: int) -> float:
    """What a process has used so far; not a number where the system has no /proc."""
    about = Path(f"/proc/{process}/stat")
    if not about.exists():
        return float("nan")
    fields = about.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(process: int, field: str) -> float:
    """`VmRSS` (now) or `VmHWM` (at most) of a process; not a number without /proc."""
    about = Path(f"/proc/{process}/status")
    lines = about.read_text().splitlines() if about.exists() else []
    sizes = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(sizes[0]) / 1024 if sizes else float("nan")
