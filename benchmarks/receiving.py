"""Webhook -> durable -> 202, beside the same server that stores nothing."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from statistics import mean
from typing import TYPE_CHECKING

from benchmarks import servers
from benchmarks.installation import Installation, World, installation, sink
from benchmarks.machine import cpu_seconds
from benchmarks.report import Figure
from benchmarks.stocking import stock
from connector import deciding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.scale import Scale

_LANES = 64


def receive(world: World, scale: Scale) -> Iterator[Figure]:
    """Each way in turns, so that a disturbance of the machine meets all of them."""
    yaml, action = sink("nothing", world)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(servers.postgresql())

        def made(store: str = "") -> Installation:
            return stack.enter_context(installation(yaml, action, store))

        lite, lite_busy = made(), made()
        large, large_busy = (made(servers.new_database(server)) for _ in range(2))
        large_busy_broker = stack.enter_context(servers.broker())
        large_busy.environment["CONNECTOR_BROKER"] = large_busy_broker
        ways: dict[str, tuple[Installation, tuple[tuple[str, ...], ...]]] = {
            "nothing stored": (lite, (("receive-bare",),)),
            "SQLite": (lite, (("receive",),)),
            "SQLite, deciding and delivering beside it": (lite_busy, (("run",),)),
            "PostgreSQL": (large, (("receive",),)),
            "PostgreSQL, a worker beside it": (large_busy, (("web",), ("worker",))),
        }
        loads: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for _ in range(scale.repeats):
            for name, (where, processes) in ways.items():
                loads[name].append(_load(world, where, processes, scale.seconds))
    bare = _mean(loads["nothing stored"], "per_second")
    reach = dict(zip(ways, (None, 0.6, 0.3, 0.4, 0.3), strict=True))
    for name, found in loads.items():
        rate = _mean(found, "per_second")
        said = f"{rate:,.0f}/s, p99 {_mean(found, 'p99_milliseconds'):.0f} ms"
        said += f", {_mean(found, 'cpu_microseconds'):.0f} µs CPU each, beside {bare:,.0f}/s"
        if reach[name] is None:
            yield Figure(f"202 per second, {name}", rate, "/s")
        else:
            yield Figure(f"202 per second, {name}", rate / bare, "x", reach[name], beside=said)


def _load(
    world: World, where: Installation, processes: tuple[tuple[str, ...], ...], seconds: float
) -> dict[str, float]:
    for words in processes[1:]:
        where.start(*words)
    receiver = where.receiver(*processes[0])
    warm = world.do("load", port=where.port, lanes=_LANES, seconds=0.5)
    before = cpu_seconds(receiver.pid)
    found: dict[str, float] = world.do(
        "load", port=where.port, lanes=_LANES, seconds=seconds, warm_seconds=0
    )
    used = cpu_seconds(receiver.pid) - before
    where.end_all()
    found["cpu_microseconds"] = used / (found["per_second"] * seconds) * 1e6
    found["refused"] += warm["refused"]
    if found["refused"]:
        raise RuntimeError(f"{found['refused']} webhooks were not answered 202")
    return found


def _mean(loads: list[dict[str, float]], what: str) -> float:
    return mean(load[what] for load in loads)


def growth(world: World, scale: Scale) -> Iterator[Figure]:
    """Does intake, or deciding, become slower when the store is full?"""
    yaml, action = sink("nothing", world)
    rates: dict[str, list[float]] = {"empty": [], "full": []}
    with installation(yaml, action) as empty, installation(yaml, action) as full:
        workspace = full.workspace()
        stock(workspace, scale.stored, actions=False)
        workspace.store.close()
        for _ in range(scale.repeats):
            for name, where in (("empty", empty), ("full", full)):
                found = _load(world, where, (("receive",),), scale.seconds)
                rates[name].append(found["per_second"])
        decided = {name: _decide(where) for name, where in (("empty", empty), ("full", full))}
    received = {name: mean(found) for name, found in rates.items()}
    for what, both in (("202 per second", received), ("decided per second", decided)):
        said = f"{both['full']:,.0f}/s beside {both['empty']:,.0f}/s"
        words = f"{what}, {scale.stored:,} answers stored"
        reach = 0.8 if what.startswith("202") else None
        yield Figure(words, both["full"] / both["empty"], "x", reach, beside=said)


def _decide(where: Installation, records: int = 1_000) -> float:
    """What the webhooks above left undecided, in this process."""
    workspace = where.workspace()
    decided, began = 0, time.monotonic()
    while decided < records:
        found = deciding.decide_batch(workspace, datetime.now(UTC)).records
        if not found:
            break
        decided += found
    seconds = time.monotonic() - began
    workspace.store.close()
    return decided / seconds
