"""With the real adapters and the stand-ins of the vendors: calls that are spent, memory."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import servers
from benchmarks.installation import Installation, World, installation
from benchmarks.machine import megabytes
from benchmarks.report import Figure
from benchmarks.stocking import SAMPLE, address, stock
from connector import delivery
from connector.sandbox.credentials import SECRETS
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.scale import Scale
    from connector.workspace import Workspace

_IDLE_SECONDS = 3.0
_DRAIN_SECONDS = 300.0


class _Vendor(NamedTuple):
    action: str
    settings: str
    most_calls: float  # for 1,000 actions


_VENDORS = {
    "salesforce": _Vendor(
        "salesforce.task: {next_step: Call.}",
        "domain: acme.my, consumer_key: '${SALESFORCE_CONSUMER_KEY}', "
        "consumer_secret: '${SALESFORCE_CONSUMER_SECRET}'",
        10.0,
    ),
    "hubspot": _Vendor("hubspot.task: {next_step: Call.}", "token: '${HUBSPOT_TOKEN}'", 30.0),
    "zendesk": _Vendor(
        "zendesk.ticket: {next_step: Call., respond_within: 4h}",
        "subdomain: acme, email: '${ZENDESK_EMAIL}', api_token: '${ZENDESK_API_TOKEN}'",
        1000.0,
    ),
}


@contextlib.contextmanager
def _opened(name: str) -> Iterator[tuple[Sandbox, Installation]]:
    """An installation whose only sink is this vendor's stand-in."""
    with Sandbox() as sandbox:
        vendor = _VENDORS[name]
        yaml = f"  far: {{type: {name}, base_url: {sandbox.urls[name]}, {vendor.settings}}}"
        with installation(yaml, vendor.action) as where:
            where.environment = {**SECRETS, **where.environment}
            yield sandbox, where


def calls(_world: World, scale: Scale) -> Iterator[Figure]:
    """Every request but the log-in, which no vendor counts; everybody is a known contact."""
    for name, vendor in _VENDORS.items():
        with _opened(name) as (sandbox, where):
            for person in (SAMPLE, *map(address, range(1, scale.vendor_actions))):
                sandbox.salesforce.add_contact(person)
                sandbox.hubspot.add_contact(person)
            workspace = where.workspace()
            stock(workspace, scale.vendor_actions)
            rate, outcomes = _drain(workspace)
            workspace.store.close()
            asked = [call.path for call in sandbox.vendors[name].calls()]
        spent = sum(not path.endswith("/token") for path in asked) * 1000 / scale.vendor_actions
        said = f"{rate:,.0f} actions/s against the stand-in; {outcomes}"
        words = f"calls for 1,000 actions, {name}"
        yield Figure(words, spent, "calls", vendor.most_calls, "most", said)


def _drain(workspace: Workspace) -> tuple[float, str]:
    """(actions per second, what became of them)."""
    sink = workspace.new_sink("far")
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    while (found := delivery.Courier(workspace.store, "far", sink, _now).round()).actions:
        outcomes.update(found.outcomes)
    rate = outcomes.total() / (time.monotonic() - began)
    return rate, ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())


def memory(_world: World, scale: Scale) -> Iterator[Figure]:
    """`connector run` with one vendor: when nothing happens, and at most while it drains."""
    for name in _VENDORS:
        with _opened(name) as (sandbox, where):
            process = where.receiver("run")
            time.sleep(_IDLE_SECONDS)
            idle = megabytes(process.pid, "VmRSS")
            where.end(process)
            workspace = where.workspace()
            stock(workspace, scale.vendor_actions)
            workspace.store.close()
            process = where.receiver("run")
            servers.wait_for(
                functools.partial(_has_made, sandbox, scale.vendor_actions),
                "the last effect",
                _DRAIN_SECONDS,
            )
            most = megabytes(process.pid, "VmHWM")
        yield Figure(f"idle, {name}", idle, "MB", 150.0, "most")
        yield Figure(f"draining, {name}", most, "MB", 300.0, "most")


def _has_made(sandbox: Sandbox, effects: int) -> bool:
    return sum(sandbox.counts().values()) >= effects


def _now() -> datetime:
    return datetime.now(UTC)
