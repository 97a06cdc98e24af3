"""The work that cases are: how many come to each team on a day, what to expect, what is open."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.numbers.forecast import LOOKS_BACK, backtest, usual
from connector.numbers.shares import Share
from connector.reports.loop_telling import share
from connector.store import arriving
from connector.store.counting import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy import Connection

ALL = ""
NOBODY = "(nobody named)"
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
AHEAD = 7  # days that are foretold
_DAY = timedelta(days=1)


class Question(NamedTuple):
    """`weeks` whole weeks before today, days in `zone`; `capacities`: cases a day by team, and of
    all under `ALL`."""

    zone: ZoneInfo
    capacities: Mapping[str, int]
    weeks: int = LOOKS_BACK


def report(connection: Connection, question: Question, now: datetime) -> dict[str, Any]:
    """All teams together first, then each, the one with most first."""
    today = now.astimezone(question.zone).date()
    first = today - timedelta(weeks=question.weeks)
    days = [first + number * _DAY for number in range((today - first).days)]
    period = Period(_midnight(first, question), _midnight(today, question))
    came: dict[str, Counter[date]] = {ALL: Counter()}
    with closing(arriving.opened(connection, period)) as rows:
        for team, at in rows:
            day = at.astimezone(question.zone).date()
            came[ALL][day] += 1
            came.setdefault(team or NOBODY, Counter())[day] += 1
    has = {one.team or NOBODY: one for one in arriving.open_now(connection)}
    begins = min(came[ALL], default=today)  # before the first case nothing could come
    teams = {team for team in (*came, *has, *question.capacities) if team != ALL}
    order = sorted(teams, key=lambda team: (-sum(came.get(team, {}).values()), team))
    known = [day for day in days if day >= begins]
    return {
        "since": period.since,
        "until": period.until,
        "as_of": now,
        "zone": str(question.zone),
        "weeks": question.weeks,
        "teams": [
            _team(team, came.get(team, Counter()), known, _waiting(team, has), question, today)
            for team in (ALL, *order)
        ],
    }


def _midnight(day: date, question: Question) -> datetime:
    return datetime.combine(day, time(), question.zone).astimezone(UTC)


def _waiting(team: str, has: Mapping[str, arriving.Open]) -> Sequence[arriving.Open]:
    return list(has.values()) if team == ALL else [has[team]] if team in has else []


def _team(
    team: str,
    came: Mapping[date, int],
    days: Sequence[date],
    waiting: Sequence[arriving.Open],
    question: Question,
    today: date,
) -> dict[str, Any]:
    by_weekday = [[came[day] for day in days if day.weekday() == n] for n in range(len(WEEKDAYS))]
    usuals = [usual(counts) for counts in by_weekday]
    checks = [backtest(counts) for counts in by_weekday]
    checked = Share(sum(one.kept for one in checks), sum(one.days for one in checks))
    capacity = question.capacities.get(team)
    return {
        "team": team,
        "cases": sum(came.values()),
        "days": len(days),
        "most": max(came.values(), default=0),
        "weekdays": [
            {"weekday": name, **one._asdict()} for name, one in zip(WEEKDAYS, usuals, strict=True)
        ],
        "capacity": capacity,
        "days_over": None if capacity is None else sum(came[day] > capacity for day in days),
        "expected": [
            _expected(day, usuals[day.weekday()].p50, usuals[day.weekday()].p90, capacity)
            for day in (today + number * _DAY for number in range(AHEAD))
        ],
        "kept_to_p90": share(checked, 1),
        "open": sum(one.cases for one in waiting),
        "untouched": sum(one.untouched for one in waiting),
        "oldest": min((one.oldest for one in waiting), default=None),
    }


def _expected(day: date, p50: int | None, p90: int | None, capacity: int | None) -> dict[str, Any]:
    over = capacity is not None and p90 is not None and p90 > capacity
    return {"day": day, "weekday": WEEKDAYS[day.weekday()], "p50": p50, "p90": p90, "over": over}
