"""How long the server takes for each page with a million answers and a hundred thousand cases."""

from __future__ import annotations

import contextlib
import functools
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from benchmarks import servers
from benchmarks.filling import CASES_EVERY, fill
from benchmarks.installation import World, installation, sink
from benchmarks.report import Figure
from connector.engine.serving import WebServer
from connector.engine.settling import settle
from connector.recounting import recount_all
from connector.reports.explained import explained
from connector.reports.firing import firing
from connector.reports.programme import Asked, grouping_of, programme
from connector.reports.stories import customer_story, response_story, search
from connector.reports.verbatims import Wanted, page
from connector.store import verbatims
from connector.store.tables import cases
from connector.web.app import application

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from benchmarks.scale import Scale
    from connector.workspace import Workspace

REACH_MILLISECONDS = 300.0
_TIMES = 40
_PATHS = (
    "/today",
    "/loop",
    "/loop?weeks=52",
    "/loop?weeks=52&by=owner",
    "/deliveries",
    "/deliveries?state=parked",
    "/programme?last=365d&by=source",
    "/verbatims?words=refund",
    "/customers?q=first7+last77",
    "/rules",
)
Ask = Callable[["Connection"], Any]


def pages(world: World, scale: Scale) -> Iterator[Figure]:
    """The data of each page, from both databases; what is asked for differs from time to time."""
    yaml, action = sink("nothing", world)
    for name, url in (("SQLite", None), ("PostgreSQL", servers.postgresql)):
        with contextlib.ExitStack() as stack:
            store = "" if url is None else stack.enter_context(url())
            where = stack.enter_context(installation(yaml, action, store))
            workspace = where.workspace()
            stack.callback(workspace.store.close)
            now = datetime.now(UTC)
            fill(workspace, now, scale.stored)
            recount_all(workspace.store, now)
            workspace.store.write(functools.partial(_touch, answers=scale.stored))
            yield from measure(name, workspace, now, scale.stored)
            yield from rendered(name, workspace)


def _touch(connection: Connection, answers: int) -> None:
    """A hundred cases of all times have changed since they were counted, a minute ago at most."""
    some = cases.c.action_id % max(answers // 100, 1) == 0
    connection.execute(update(cases).where(some).values(owner=cases.c.owner))


def measure(name: str, workspace: Workspace, now: datetime, answers: int) -> Iterator[Figure]:
    """p95 of each page's questions against `workspace`, filled with so many answers."""
    of_them = answers // CASES_EVERY
    for what, asks in questions(workspace, now, answers).items():
        took = [_time(workspace, asks[place % len(asks)]) for place in range(_TIMES)]
        walls, cpus = (sorted(each) for each in zip(*took, strict=True))
        beside = f"p50 {_at(walls, 0.5):.0f} ms, of the processor p95 {_at(cpus, 0.95):.0f} ms"
        yield Figure(
            f"{what}, p95, {name}",
            _at(walls, 0.95),
            "ms",
            REACH_MILLISECONDS,
            "most",
            beside=f"{beside}; {answers:,} answers, {of_them:,} cases",
        )


def rendered(name: str, workspace: Workspace) -> Iterator[Figure]:
    """The same as whole pages, over HTTP, by somebody whom a proxy has signed in."""
    dashboard = workspace.settings.dashboard.model_copy(
        update={"sign_in": "proxy", "trusted_proxies": (ip_network("127.0.0.0/8"),)}
    )
    workspace.settings = workspace.settings.model_copy(update={"dashboard": dashboard})
    server = WebServer(application(workspace, lambda: None, lambda _: None), "127.0.0.1", 0)
    server.start()
    settle()
    try:
        for path in _PATHS:
            took = sorted(_get(server.url + path) for _ in range(_TIMES))
            beside = f"p50 {_at(took, 0.5):.0f} ms"
            yield Figure(
                f"GET {path}, p95, {name}",
                _at(took, 0.95),
                "ms",
                REACH_MILLISECONDS,
                "most",
                beside,
            )
    finally:
        server.stop()


def _get(url: str) -> float:
    began = time.perf_counter()
    request = urllib.request.Request(url, headers={"X-Forwarded-User": "bench"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        answer.read()
    return (time.perf_counter() - began) * 1000


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[int(len(ordered) * share)]


def _time(workspace: Workspace, ask: Ask) -> tuple[float, float]:
    """Milliseconds that passed, and those in which a processor worked for it, here and in the
    database: on a machine that does much else only these say how much there is to do."""
    with workspace.store.read() as connection:
        server = _server(workspace, connection)
        began, worked, there = time.perf_counter(), time.thread_time(), _worked(server)
        ask(connection)
        passed, here = time.perf_counter() - began, time.thread_time() - worked
        return passed * 1000, (here + _worked(server) - there) * 1000


def _server(workspace: Workspace, connection: Connection) -> Path | None:
    """What Linux tells of the process at the other end; it is asked to work alone."""
    if workspace.store.is_sqlite:
        return None
    connection.exec_driver_sql("SET max_parallel_workers_per_gather = 0")
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    return Path(f"/proc/{pid}/schedstat")


def _worked(server: Path | None) -> float:
    if server is None or not server.exists():
        return 0.0
    return int(server.read_text().split()[0]) / 1e9


def questions(workspace: Workspace, now: datetime, answers: int) -> dict[str, list[Ask]]:
    """What a page asks the store for, in several forms."""
    settings = workspace.settings
    tomorrow = now.date() + timedelta(days=1)
    year = tomorrow - timedelta(days=365)
    attributes = settings.customer_attributes
    with workspace.store.read() as connection:
        ruleset = workspace.ruleset(connection)
        middle = page(connection, Wanted(), limit=1).verbatims[0]
    assert ruleset is not None  # noqa: S101 - it decided
    last = f"r{answers - answers % CASES_EVERY:020}"

    def by(dimension: str) -> Ask:
        grouping, asked = grouping_of(dimension, attributes), Asked(year, tomorrow, dimension)
        return lambda c: programme(c, settings.surveys, grouping, asked)

    def said(**wanted: str) -> Ask:
        return lambda c: page(c, Wanted(**wanted))

    words = ("refund", "the", "lawyer", "order late", "numbers", "nothingofthekind")
    return {
        "Programme, a year": [by("survey")],
        "Programme, a year by something": [
            by(one) for one in ("source", "language", "rule", "topic", "customer.plan", "week")
        ],
        "Verbatims": [said()],
        "Verbatims with words": [said(words=one) for one in words],
        "Verbatims by segment, language, topic, score": [
            said(segment="detractor"),
            said(language="pt", topic="billing"),
            said(score="10", segment="detractor"),
            said(words="refund", survey="partners", topic="price"),
            said(topic="onboarding", score="0", language="ja"),
        ],
        "Verbatims, what can be chosen": [
            lambda c: verbatims.choices(c, tomorrow - timedelta(days=90))
        ],
        "Customers by address or name": [
            lambda c: search(c, "p77@example.com"),
            lambda c: search(c, "first7 last77"),
            lambda c: search(c, "p123 example"),
            lambda c: search(c, "nobody"),
        ],
        "One customer": [lambda c: customer_story(c, middle.customer or "")],
        "One answer": [lambda c: response_story(c, last)],
        "One decision": [lambda c: explained(c, workspace.vocabulary, answers // 2)],
        "Rules, a year": [lambda c: firing(c, ruleset, year, tomorrow)],
    }
