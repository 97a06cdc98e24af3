"""From stored records to decisions and actions, beside the same rows written without a thought."""

from __future__ import annotations

import functools
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import event, insert, select

from benchmarks import servers
from benchmarks.installation import World, installation, sink
from benchmarks.report import Figure
from connector import deciding
from connector.store import arrivals
from connector.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from benchmarks.scale import Scale
    from connector.workspace import Workspace

_TOGETHER = 20  # answers in a commit of the bare writer: what a turn decides
_WARM = 100
_WRITTEN = ("customers", "customer_keys", "responses", "revisions", "decisions", "actions")
_OF_RESPONSE = {
    "responses": "id",
    "revisions": "response_id",
    "decisions": "response_id",
    "actions": "response_id",
}

Rows = dict[str, list[dict[str, Any]]]


class _Decided(NamedTuple):
    per_second: float
    cpu_milliseconds: float
    statements: float


def decide(world: World, scale: Scale) -> Iterator[Figure]:
    """One process, new people, every answer opens a case; then one answer at a time."""
    with servers.postgresql() as server:
        for name, store in (("SQLite", ""), ("PostgreSQL", servers.new_database(server))):
            with installation(*sink("nothing", world), store=store) as where:
                workspace = where.workspace()
                _store(workspace, _WARM)
                while deciding.decide_batch(workspace, _now()).records:
                    pass
                found = _decide(workspace, scale.decisions)
                took = _one_by_one(workspace, scale.reactions)
                bare = _write_bare(workspace)
                workspace.store.close()
            said = f"{found.per_second:,.0f}/s beside {bare:,.0f}/s"
            said += f", {found.cpu_milliseconds:.2f} ms CPU and {found.statements:.1f} statements"
            yield Figure(f"decided per second, {name}", found.per_second / bare, "x", beside=said)
            for share in (0.5, 0.99):
                value = took[min(int(len(took) * share), len(took) - 1)]
                yield Figure(f"one answer decided, {name}, p{share * 100:.0f}", value, "ms")


def _store(workspace: Workspace, count: int) -> None:
    now, run = _now(), time.monotonic_ns()
    bodies = [
        json.dumps(
            {
                "id": f"{run}-{number}",
                "score": number % 11,
                "comment": "It takes too long until somebody answers.",
                "at": now.isoformat(),
                "email": f"person-{run}-{number}@example.com",
                "name": f"Person {number}",
            }
        ).encode()
        for number in range(count)
    ]
    workspace.store.write(lambda c: arrivals.store_records(c, "app", "webhook", bodies, now))


def _decide(workspace: Workspace, count: int) -> _Decided:
    _store(workspace, count)
    statements: list[None] = []
    event.listen(
        workspace.store.engine, "before_cursor_execute", lambda *_: statements.append(None)
    )
    began, used = time.monotonic(), time.process_time()
    while deciding.decide_batch(workspace, _now()).records:
        pass
    used, seconds = time.process_time() - used, time.monotonic() - began
    return _Decided(count / seconds, used / count * 1000, len(statements) / count)


def _one_by_one(workspace: Workspace, count: int) -> list[float]:
    """Milliseconds until each was committed, sorted."""
    took: list[float] = []
    for _ in range(count):
        _store(workspace, 1)
        began = time.monotonic()
        deciding.decide_batch(workspace, _now())
        took.append((time.monotonic() - began) * 1000)
    return sorted(took)


def _write_bare(workspace: Workspace) -> float:
    """Answers per second: what was decided, taken away and written again."""
    store = workspace.store
    with store.read() as connection:
        by_response = _written(connection)
    for table in reversed(_WRITTEN):
        store.write(functools.partial(_empty, table=table))
    began = time.monotonic()
    for first in range(0, len(by_response), _TOGETHER):
        some = by_response[first : first + _TOGETHER]
        store.write(functools.partial(_insert, some=some))
    return len(by_response) / (time.monotonic() - began)


def _empty(connection: Connection, table: str) -> None:
    connection.execute(metadata.tables[table].delete())


def _written(connection: Connection) -> list[Rows]:
    """The rows of each response, in the order of their decisions."""
    found: dict[str, Rows] = {}
    customers: dict[str, Rows] = {}
    everything = {
        name: [dict(row._mapping) for row in connection.execute(select(metadata.tables[name]))]
        for name in _WRITTEN
    }
    for row in everything["customers"]:
        customers[row["id"]] = {"customers": [row], "customer_keys": []}
    for row in everything["customer_keys"]:
        customers[row["customer_id"]]["customer_keys"].append(row)
    for row in everything["responses"]:
        found[row["id"]] = {**customers[row["customer_id"]]}
    for table, column in _OF_RESPONSE.items():
        for row in everything[table]:
            found[row[column]].setdefault(table, []).append(row)
    return sorted(found.values(), key=lambda rows: int(rows["decisions"][0]["number"]))


def _insert(connection: Connection, some: Sequence[Rows]) -> None:
    for table in _WRITTEN:
        rows = [row for rows in some for row in rows.get(table, [])]
        connection.execute(insert(metadata.tables[table]), rows)


def _now() -> datetime:
    return datetime.now(UTC)
