"""After a restored backup: what is known of the lost time, and how nothing of it is made twice.

The far sides have kept what was done since the backup; the restored database does not know of it.
So nothing of that time is sent unlooked for: where a sink can be asked, each action is looked for
before its first send; mail and chat are held until a person lets them go.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from connector import catalog
from connector.ports import Pollable
from connector.store import alarms, recovering
from connector.store.recovering import Recovery

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.workspace import Workspace

ALARM: alarms.AlarmKind = "recovering"
_SUBJECT = "store"


@dataclass
class Prospect:
    """What a recovery since that time means. Counts are actions by sink."""

    recovery: Recovery
    newest_entry: datetime | None  # how far the copy reaches
    begun: bool = False  # a recovery of this restore is under way already
    look: dict[str, int] = field(default_factory=dict)
    hold: dict[str, int] = field(default_factory=dict)
    doubtful: dict[str, int] = field(default_factory=dict)  # being sent, and nobody can look
    parked: dict[str, int] = field(default_factory=dict)
    read_again: list[str] = field(default_factory=list)  # sources with an API
    not_given_again: list[str] = field(default_factory=list)
    unknown_sources: list[str] = field(default_factory=list)  # added after the backup


def foresee(workspace: Workspace, since: datetime, now: datetime) -> Prospect:
    """What `recover` would do; changes nothing."""
    with workspace.store.read() as connection:
        return _foresee(connection, workspace, since, now)


def _foresee(
    connection: Connection, workspace: Workspace, since: datetime, now: datetime
) -> Prospect:
    known = recovering.current(connection)
    again = known is not None and since <= known.until
    found = Prospect(
        recovery=known if known is not None and again else Recovery(since, now),
        newest_entry=recovering.newest_entry(connection),
        begun=again,
    )
    for row in recovering.open_actions(connection):
        blind = row.sink in workspace.blind or row.sink not in workspace.settings.sinks
        if row.state == "parked":
            counts = found.parked
        elif not blind:
            counts = found.look
        else:
            counts = found.doubtful if row.state == "sending" else found.hold
        counts[row.sink] = counts.get(row.sink, 0) + row.actions
    sources = recovering.known_sources(connection)
    for id, chosen in workspace.settings.sources.items():
        has_api = issubclass(catalog.source_type(chosen.type), Pollable)
        (found.read_again if has_api else found.not_given_again).append(id)
        if id not in sources and chosen.act_since is None:
            found.unknown_sources.append(id)
    return found


def begin(workspace: Workspace, since: datetime, now: datetime) -> Prospect:
    """From now on nothing of the lost time is sent unlooked for. May be said again."""

    def work(connection: Connection) -> Prospect:
        found = _foresee(connection, workspace, since, now)
        found.recovery, anew = recovering.begin(connection, since, now)
        if anew:
            looking = set(workspace.settings.sinks) - workspace.blind
            recovering.hold(connection, looking)
            recovering.free_sources(connection)
        message = (
            f"a backup was restored; from {found.recovery.since:%Y-%m-%d %H:%M} to "
            f"{found.recovery.until:%Y-%m-%d %H:%M} UTC it knows nothing: cases are looked for "
            "before they are made, mail and chat are held"
        )
        alarms.raise_alarm(connection, ALARM, _SUBJECT, message, now)
        return found

    return workspace.store.write(work)


def finish(
    workspace: Workspace, now: datetime, agreed: Callable[[int], bool]
) -> tuple[Recovery | None, int]:
    """End it, when nothing leans on it any more or `agreed` (asked with how many still do, and
    again where they become more meanwhile) says so. Returns the recovery, None where there was
    none, and how many actions still lean on it."""
    store = workspace.store
    while True:
        with store.read() as connection:
            known = recovering.current(connection)
            left = recovering.unsettled(connection, known) if known else 0
        if known is None or (left and not agreed(left)):
            return known, left
        end = functools.partial(_end, known=known, left=left, now=now)
        if store.write(end):
            return known, 0


def _end(connection: Connection, known: Recovery, left: int, now: datetime) -> bool:
    """False, and nothing is ended, where more leans on it meanwhile than was agreed to."""
    if recovering.unsettled(connection, known) > left:
        return False
    recovering.end(connection)
    alarms.clear_alarm(connection, ALARM, _SUBJECT, now)
    return True
