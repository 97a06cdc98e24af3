"""What stands in the address of a page, read forgivingly: what makes no sense is left out, and the
page says what it shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 200
_PERIODS = {"30d": 30, "90d": 90, "180d": 180, "365d": 365}
USUAL = "90d"


class Days(NamedTuple):
    """From `since` on, before `until`; `last` is the name of a usual time, else empty."""

    since: date
    until: date
    last: str = ""

    @property
    def through(self) -> date:
        """The last day that is shown."""
        return self.until - timedelta(days=1)


def text(query: Mapping[str, str], name: str) -> str:
    return query.get(name, "").strip()[:LONGEST]


def number(query: Mapping[str, str], name: str) -> int | None:
    """A whole number that a database takes."""
    told = text(query, name)
    fits = told.isascii() and told.isdecimal() and len(told) <= 19
    return int(told) if fits and int(told) < 2**63 else None


def days(query: Mapping[str, str], now: datetime, usual: str = USUAL) -> Days:
    """`last=90d`, which goes first, or `since` and `until` (both days are shown); today is in
    it."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    since, until = _day(query, "since"), _day(query, "until")
    last = text(query, "last")
    if last not in _PERIODS and (since is not None or until is not None):
        end = min(until + timedelta(days=1), tomorrow) if until is not None else tomorrow
        begin = since or end - timedelta(days=_PERIODS[usual])
        if begin < end:
            return Days(begin, end)
    last = last if last in _PERIODS else usual
    return Days(tomorrow - timedelta(days=_PERIODS[last]), tomorrow, last)


def periods() -> tuple[str, ...]:
    return tuple(_PERIODS)


def address(path: str, **values: object) -> str:
    """The path with these in its query; empty ones are left out."""
    told = {name: str(value) for name, value in values.items() if value not in ("", None)}
    return f"{path}?{urlencode(told)}" if told else path


def _day(query: Mapping[str, str], name: str) -> date | None:
    try:
        found = date.fromisoformat(text(query, name))
    except ValueError:
        return None
    return found if 1970 <= found.year <= 9998 else None
