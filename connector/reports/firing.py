"""How often each rule matched in a time, and which never did; shadows beside live rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from connector.reports.dimensions import SHADOW
from connector.rules.model import DEFAULT_ID
from connector.store import readings, tallies
from connector.store.readings import Behind

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from connector.rules.model import Ruleset


class Fired(NamedTuple):
    """One rule: answers that it matched while it was live (or held out), and as a shadow. `place`
    is its number in the file; None for one that is not in today's rules."""

    place: int | None
    id: str
    name: str
    status: str
    live: int
    shadow: int

    @property
    def never(self) -> bool:
        return not (self.live or self.shadow)


class Firing(NamedTuple):
    rules: list[Fired]
    answers: int
    behind: Behind


def firing(
    connection: Connection, ruleset: Ruleset, since: date, until: date, survey: str | None = None
) -> Firing:
    """By the day on which answers were given; each as it was last decided."""
    days = (since, until)
    live, shadow = (_counts(connection, days, dimension, survey) for dimension in ("rule", SHADOW))
    rows = tallies.scores(connection, *days, survey=survey)
    known = {rule.id: (n, rule.name, rule.status) for n, rule in enumerate(ruleset.rules, 1)}
    found = [
        Fired(place, id, name if name != id else "", status, live[id], shadow[id])
        for id, (place, name, status) in known.items()
    ]
    gone = sorted({*live, *shadow} - known.keys() - {DEFAULT_ID})
    found.append(Fired(None, DEFAULT_ID, "no live rule matched", "live", live[DEFAULT_ID], 0))
    found += [Fired(None, id, "not in today's rules", "gone", live[id], shadow[id]) for id in gone]
    return Firing(found, sum(row.answers for row in rows), readings.behind(connection))


def _counts(
    connection: Connection, days: tuple[date, date], dimension: str, survey: str | None
) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in tallies.scores(connection, *days, dimension=dimension, survey=survey):
        if row.group is not None:
            found[row.group] += row.answers
    return found
