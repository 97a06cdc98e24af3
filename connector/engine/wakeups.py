"""The wake-ups that processes send each other: "there is work for this stage", never the work.

A wake-up may be lost, repeated or late without harm: whoever hears it asks the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector import catalog, faultpoints
from connector.ports import Following, Pollable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connector.config import Settings

# A lost wake-up costs at most this; so does a retry whose time has come.
SWEEP_SECONDS = faultpoints.seconds("sweep", 5.0)
CHORES_SECONDS = faultpoints.seconds("chores", 60.0)
_LOOK_AT_HINTS_SECONDS = 30.0  # where the bell of a webhook was lost


class Wakeup(NamedTuple):
    """`task` is decide, deliver, poll, follow, project or chores; `of` is the sink or source."""

    task: str
    of: str = ""

    @property
    def queue(self) -> str:
        """One for each sink, so that a slow one never delays another."""
        return f"deliver.{self.of}" if self.task == "deliver" else self.task


DECIDE = Wakeup("decide")
PROJECT = Wakeup("project")
CHORES = Wakeup("chores")


def deliver(sink: str) -> Wakeup:
    return Wakeup("deliver", sink)


def poll(source: str) -> Wakeup:
    return Wakeup("poll", source)


def follow(sink: str) -> Wakeup:
    return Wakeup("follow", sink)


def schedule(settings: Settings) -> Mapping[Wakeup, float]:
    """Everything that has to be looked at now and then -> every how many seconds."""
    every = {DECIDE: SWEEP_SECONDS, PROJECT: SWEEP_SECONDS, CHORES: CHORES_SECONDS}
    every |= {deliver(sink): SWEEP_SECONDS for sink in settings.sinks}
    for id, sink in settings.sinks.items():
        if issubclass(catalog.sink_type(sink.type), Following):
            every[follow(id)] = min(sink.follow_every.total_seconds(), _LOOK_AT_HINTS_SECONDS)
    for id, source in settings.sources.items():
        if issubclass(catalog.source_type(source.type), Pollable):
            every[poll(id)] = source.poll_every.total_seconds()
    return every


def only_for(sinks: Iterable[str], every: Mapping[Wakeup, float]) -> Mapping[Wakeup, float]:
    """The part of a schedule that concerns these sinks."""
    mine = {deliver(sink) for sink in sinks}
    return {wakeup: seconds for wakeup, seconds in every.items() if wakeup in mine}
