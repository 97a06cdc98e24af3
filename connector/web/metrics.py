"""What Prometheus sees: the database's own numbers, whichever process did the work.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from connector import __version__
from connector.store import health
from connector.store.database import StoreDown
from connector.web.lately import Lately

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from connector.store.limits import Standing
    from connector.workspace import Workspace

CONTENT_TYPE = CONTENT_TYPE_LATEST

_WAIT_SECONDS = 2.0  # a scrape waits so long for new totals, and then tells those of the last time
_WAITING = ("waiting", "gathering", "sending", "held")
_STATES = (*_WAITING, "parked", "in_doubt", "superseded", "withheld")


class _StoreCollector(Collector):
    def __init__(self, workspace: Workspace, clock: Callable[[], datetime]) -> None:
        self._workspace = workspace
        self._clock = clock
        self._totals = Lately("metrics", self._count, _WAIT_SECONDS)

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("connector_info", "Its version.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        up = GaugeMetricFamily("connector_database_up", "Whether the database can be read.")
        now = self._clock()
        try:
            with self._workspace.store.read() as connection:
                moment = health.moment(connection, self._workspace.settings.sinks, now)
            totals = self._totals.value()
        except StoreDown:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        if totals is not None:  # zero would look like a restart of everything
            yield from self._of_totals(totals)
        yield from self._of_moment(moment, now)

    def _count(self) -> health.Totals:
        with self._workspace.store.read() as connection:
            return health.totals(connection)

    def _of_totals(self, totals: health.Totals) -> Iterator[Metric]:
        settings = self._workspace.settings
        received = dict.fromkeys(settings.sources, 0) | totals.received
        yield _counter("connector_received", "Records taken in.", "source", received)
        yield _gauge(
            "connector_records", "Records by what they turned out to be.", "state", totals.records
        )
        yield _counter("connector_decided", "Decisions made.", "", {"": totals.decided})
        sinks = dict.fromkeys([*settings.sinks, *(sink for sink, _ in totals.actions)])
        done = {sink: totals.actions.get((sink, "done"), 0) for sink in sinks}
        yield _counter(
            "connector_delivered", "Actions that were made at the far side.", "sink", done
        )
        text = "Actions that are not made: on their way, waiting for a person, or not wanted."
        family = GaugeMetricFamily("connector_actions", text, labels=["sink", "state"])
        for sink in sinks:
            for state in _STATES:
                family.add_metric([sink, state], totals.actions.get((sink, state), 0))
        yield family

    def _of_moment(self, moment: health.Moment, now: datetime) -> Iterator[Metric]:
        since = moment.undecided_since
        waited = 0.0 if since is None else (now - since).total_seconds()
        text = "How long the oldest undecided record has waited."
        yield _gauge("connector_undecided_oldest_seconds", text, "", {"": waited})
        late = dict.fromkeys(self._workspace.settings.sinks, 0.0)
        late |= {sink: (now - due).total_seconds() for sink, due in moment.due_since.items()}
        text = "How long ago the oldest unsent action was due; a paused account's count too."
        yield _gauge("connector_due_oldest_seconds", text, "sink", late)
        text = "When an answer of this source was last decided."
        answers = {source: at.timestamp() for source, at in moment.answers.items()}
        yield _gauge("connector_last_answer_timestamp_seconds", text, "source", answers)
        text = "Sources that cannot be read, and when they are tried again."
        paused = {source: at.timestamp() for source, at in moment.paused_sources.items()}
        yield _gauge("connector_source_paused_until_timestamp_seconds", text, "source", paused)
        text = "Vendor accounts that may not be used, and when they are tried again."
        paused = {account: at.timestamp() for account, at in moment.paused_accounts.items()}
        yield _gauge("connector_account_paused_until_timestamp_seconds", text, "account", paused)
        yield from _of_accounts(moment.accounts, now)
        yield _gauge(
            "connector_alarms_open", "Alarms that nothing has cleared.", "kind", moment.alarms
        )


def _of_accounts(accounts: list[Standing], now: datetime) -> Iterator[Metric]:
    limited = [one for one in accounts if one.limit is not None]
    text = "Calls that a vendor's account allows in its window, by everybody who uses it."
    allowed = {one.account: one.limit.calls for one in limited if one.limit}
    yield _gauge("connector_account_limit_calls", text, "account", allowed)
    text = "The length of that window."
    windows = {one.account: one.limit.seconds for one in limited if one.limit}
    yield _gauge("connector_account_limit_window_seconds", text, "account", windows)
    text = "Calls that we may make at once; 0 while it is paused or it is not our turn."
    left = {one.account: one.left for one in limited}
    yield _gauge("connector_account_calls_left", text, "account", left)
    text = "How long until we may call again: a pause, or our turn."
    waits = {
        one.account: 0.0 if one.wait_until is None else (one.wait_until - now).total_seconds()
        for one in accounts
    }
    yield _gauge("connector_account_wait_seconds", text, "account", waits)
    text = "The part of the day's calls that is used, by everybody; as last told by the vendor."
    used = {one.account: one.quota.used / one.quota.calls for one in accounts if one.quota}
    yield _gauge("connector_account_quota_used_ratio", text, "account", used)


def _gauge(name: str, text: str, label: str, values: dict[str, float] | dict[str, int]) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=[label] if label else []), label, values)


def _counter(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=[label] if label else []), label, values)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily,
    label: str,
    values: dict[str, float] | dict[str, int],
) -> Metric:
    for name, value in values.items():
        family.add_metric([name] if label else [], value)
    return family


def renderer(workspace: Workspace, clock: Callable[[], datetime]) -> Callable[[], bytes]:
    """A function that returns the text that Prometheus reads, as of now."""
    registry = CollectorRegistry()
    registry.register(_StoreCollector(workspace, clock))
    return lambda: generate_latest(registry)
