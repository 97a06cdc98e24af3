"""Emptying the outbox: our own work alone, with calls that take time, and with more processes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks import servers
from benchmarks.installation import ROOT, Installation, World, installation, sink
from benchmarks.report import Figure
from benchmarks.stocking import stock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.scale import Scale
    from connector.workspace import Workspace

_DELAY_SECONDS = 0.05
_IN_FLIGHT = 32
_CALLS = 4  # in flight for each worker process
_DRAIN_SECONDS = 300.0


def drain(world: World, scale: Scale) -> Iterator[Figure]:
    """One process with four threads on each database, as a worker has them, beside one Celery
    task for each action on four threads."""
    with servers.postgresql() as server:
        with servers.broker() as broker:
            tasks = _baseline("celery", broker, scale.backlog)
        with servers.broker() as broker:
            database = servers.new_database(server).replace("+psycopg", "")
            recorded = _baseline("celery", broker, scale.backlog, database)
        yield Figure("drained per second, one Celery task each", tasks, "/s")
        yield Figure("drained per second, one Celery task each that records itself", recorded, "/s")
        for name, store in (("SQLite", ""), ("PostgreSQL", servers.new_database(server))):
            with installation(*sink("nothing", world), store=store) as where:
                workspace = where.workspace()
                stock(workspace, scale.backlog)
                rate = _empty(workspace)
                workspace.store.close()
            said = (
                f"{rate:,.0f}/s beside {tasks:,.0f}/s; {rate / recorded:.1f} x what records itself"
            )
            yield Figure(f"drained per second, {name}", rate / tasks, "x", 10.0, beside=said)


def _empty(workspace: Workspace) -> float:
    from connector.delivery import Courier
    from connector.engine.settling import settle

    def empty(courier: Courier) -> int:
        done = 0
        while found := courier.round().actions:
            done += found
        return done

    couriers = [
        Courier(workspace.store, "far", workspace.new_sink("far"), _now) for _ in range(_CALLS)
    ]
    settle()
    with ThreadPoolExecutor(_CALLS) as pool:
        began = time.monotonic()
        done = sum(pool.map(empty, couriers))
        return done / (time.monotonic() - began)


def slow_calls(world: World, scale: Scale) -> Iterator[Figure]:
    """`connector worker --concurrency 32` beside a pool of 32 threads that remembers nothing."""
    world.do("behave", delay_seconds=_DELAY_SECONDS)
    pool = _baseline("threads", f"{world.url}/effects", scale.calls, _IN_FLIGHT)
    rate = _workers(world, 1, _IN_FLIGHT, scale.calls)
    said = f"{rate:,.0f}/s beside {pool:,.0f}/s (at best {_IN_FLIGHT / _DELAY_SECONDS:,.0f}/s)"
    yield Figure(
        "drained per second, 50 ms a call, 32 in flight", rate / pool, "x", 0.85, beside=said
    )


def workers(world: World, scale: Scale) -> Iterator[Figure]:
    """`connector worker --concurrency 4`, one, two and four processes."""
    alone = 0.0
    for processes, reach in ((1, None), (2, 1.7), (4, 3.0)):
        rate = _workers(world, processes, _CALLS, scale.calls * processes // 8)
        alone = alone or rate
        best = processes * _CALLS / _DELAY_SECONDS
        said = f"{rate:,.0f}/s (at best {best:,.0f}/s)"
        yield Figure(f"{processes} worker processes", rate / alone, "x", reach, beside=said)


def _workers(world: World, processes: int, calls: int, actions: int) -> float:
    """Effects per second between the first call and the last; PostgreSQL, Valkey, 50 ms a call."""
    yaml, action = sink("single", world)
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(servers.broker())
        store = servers.new_database(stack.enter_context(servers.postgresql()))
        where = stack.enter_context(installation(yaml, action, store))
        where.environment["CONNECTOR_BROKER"] = broker
        workspace = where.workspace()
        for _ in range(processes):
            where.start("worker", "--concurrency", str(calls))
        servers.wait_for(lambda: where.says("working:") == processes, "the workers", 60)
        stock(workspace, actions)
        workspace.store.close()
        world.do("behave", delay_seconds=_DELAY_SECONDS)
        where.start("beat")
        _wait_for_effects(world, where, actions)
    found = world.do("count")
    rate: float = (found["calls"] - 1) / found["seconds"]
    return rate


def _wait_for_effects(world: World, where: Installation, actions: int) -> None:
    try:
        servers.wait_for(
            lambda: world.do("count")["effects"] >= actions, "the last effect", _DRAIN_SECONDS
        )
    except TimeoutError as error:
        raise RuntimeError(f"{error}:\n{(where.place / 'log').read_text()[-2000:]}") from error


def _baseline(*words: object) -> float:
    command = [sys.executable, "-m", "benchmarks.baselines", *(str(word) for word in words)]
    found = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own program
    rate: float = json.loads(found.stdout)["per_second"]
    return rate


def _now() -> datetime:
    return datetime.now(UTC)
