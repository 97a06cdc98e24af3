"""Did everything that was received lead to what it had to? Sums that must add up, per source and
day, and every gap with the command that shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.reports.grouping import matched
from connector.store import coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from connector.store.counting import Period

LATE = timedelta(minutes=15)  # what has not moved on for so long is a gap

# What a record can turn out to be; the sum is `received`. `waiting` records are undecided.
RECORDS = (
    *("decided", "duplicate", "stale", "ignored", "erased"),
    *("waiting", "held", "quarantined"),
)
# What was decided; the sum is `decided`.
DECISIONS = ("by_rule", "by_default", "history", "undecided")
# What an action can be; the sum is `actions`.
ACTIONS = (
    *("delivered", "superseded", "withheld", "unsent"),
    *("actions_held", "parked", "in_doubt"),
)
# How it is known that something was delivered; the sum is `delivered`.
RECEIPTS = ("confirmed", "by_hand")
_ACTION_STATES = {
    "done": "delivered",
    "waiting": "unsent",
    "sending": "unsent",
    "held": "actions_held",
}


class Gap(NamedTuple):
    """So many need a look; `command` shows which."""

    what: str
    number: int
    command: str


@dataclass
class Coverage:
    """`days`: (source, day) -> what was counted, by the names above, `received`, `actions`,
    `repeats`, `late_records` and `late_actions`."""

    days: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    @property
    def total(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for counts in self.days.values():
            total.update(counts)
        return total

    def of(self, source: str, day: str) -> Counter[str]:
        return self.days.setdefault((source, day), Counter())

    def gaps(self) -> list[Gap]:
        total = self.total
        every = (
            Gap("records could not be read", total["quarantined"], "connector responses unread"),
            Gap("records are held: their survey or source is unknown", total["held"], _UNREAD),
            Gap("records wait to be decided for too long", total["late_records"], _STATUS),
            Gap("records were decided without a decision", total["undecided"], _DOCTOR),
            Gap("actions are parked", total["parked"], _listed("parked")),
            Gap("actions are in doubt", total["in_doubt"], _listed("in_doubt")),
            Gap("actions are held", total["actions_held"], _listed("held")),
            Gap("actions are overdue", total["late_actions"], _STATUS),
        )
        return [gap for gap in every if gap.number]


# Those that raise no alarm of their own where they arise.
UNTOLD = frozenset(
    {
        "records could not be read",
        "records wait to be decided for too long",
        "records were decided without a decision",
        "actions are overdue",
    }
)
_UNREAD = "connector responses unread"
_STATUS = "connector status"
_DOCTOR = "connector doctor"


def _listed(state: str) -> str:
    return f"connector actions list --state {state}"


def cover(connection: Connection, period: Period, now: datetime) -> Coverage:
    """Records by the day on which they were received, actions by the day on which they were made;
    both in UTC."""
    found, late = Coverage(), now - LATE
    for records in coverage.records(connection, period, late):
        counts = found.of(records.source, records.day)
        counts["received"] += records.records
        counts["repeats"] += records.repeats
        counts["waiting" if records.state == "new" else records.state] += records.records
        counts["late_records"] += records.records if records.late else 0
    for decided in coverage.decided(connection, period):
        found.of(decided.source, decided.day)[_fate(decided)] += decided.records
    for made in coverage.made(connection, period, late):
        counts = found.of(made.source, made.day)
        counts["actions"] += made.actions
        counts[_ACTION_STATES.get(made.state, made.state)] += made.actions
        if made.state == "done":
            counts["confirmed" if made.receipt else "by_hand"] += made.actions
        counts["late_actions"] += made.actions if made.late else 0
    found.days = dict(sorted(found.days.items()))
    return found


def _fate(decided: coverage.Decided) -> str:
    if decided.history is None:
        return "undecided"
    if decided.history:
        return "history"
    return "by_rule" if matched(decided.matches or "[]") else "by_default"


def plain(found: Coverage, period: Period) -> dict[str, Any]:
    """What `--json` prints. Every sum is checked: `adds_up` says whether all of them hold."""
    gaps = found.gaps()
    return {
        "since": period.since,
        "until": period.until,
        "complete": not gaps,
        "adds_up": all(map(adds_up, found.days.values())),
        "total": _told(found.total),
        "gaps": [gap._asdict() for gap in gaps],
        "days": [
            {"source": source, "day": day, **_told(counts)}
            for (source, day), counts in found.days.items()
        ],
    }


def adds_up(counts: Mapping[str, int]) -> bool:
    """received = decided + all else; decided = its fates; actions = their states; delivered =
    confirmed + by hand."""
    sums = (
        ("received", RECORDS),
        ("decided", DECISIONS),
        ("actions", ACTIONS),
        ("delivered", RECEIPTS),
    )
    return all(counts[whole] == _sum(counts, parts) for whole, parts in sums)


def _sum(counts: Mapping[str, int], parts: Iterable[str]) -> int:
    return sum(counts[part] for part in parts)


def _told(counts: Mapping[str, int]) -> dict[str, int]:
    names = ("received", *RECORDS, *DECISIONS, "actions", *ACTIONS, *RECEIPTS, "repeats")
    return {name: counts[name] for name in names}
