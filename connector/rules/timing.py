"""When what rules ask for is due, and when it goes out: working time, quiet hours, digests. Pure:
the moment comes in as an argument."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Annotated, cast
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from connector.rules.calendars import Calendar, Interval, WorkingTime
from connector.text import parse_duration

ALWAYS = "always"  # instead of a calendar: around the clock
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DAY = timedelta(days=1)
_WINDOWS = 14  # that a message remembers: a week or two of trouble
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_ALLOWED = 'write how long to gather, such as 15m, 1h or 4h, or a time of day such as "09:00"'


def parse_digest(value: object) -> str:
    """`1h`, or a time of day such as `09:00`; in one spelling.

    Raises:
        ValueError: it is neither, or a time that does not fit into a day without a rest.
    """
    text = value.strip() if isinstance(value, str) else ""
    if found := _TIME.fullmatch(text):
        return f"{int(found[1]):02}:{found[2]}"
    try:
        every = parse_duration(text)
    except ValueError:
        every = None
    if not isinstance(every, timedelta) or not timedelta(minutes=1) <= every <= _DAY:
        raise ValueError(_ALLOWED)
    if _DAY % every or every % timedelta(minutes=1):
        raise ValueError("a day must be a multiple of it: 5m, 10m, 15m, 30m, 1h, 2h, 4h, 8h, 24h")
    minutes = every // timedelta(minutes=1)
    return f"{minutes}m" if minutes % 60 else f"{minutes // 60}h"


Digest = Annotated[str, BeforeValidator(parse_digest)]


def slot_end(digest: str, zone: ZoneInfo, at: datetime) -> datetime:
    """When the digest goes out for which something is gathered at `at`; later than `at`."""
    found = _TIME.fullmatch(digest)
    if not found:
        every = _every(digest)
        return _EPOCH + ((at - _EPOCH) // every + 1) * every
    clock = time(int(found[1]), int(found[2]))
    today = at.astimezone(zone).date()
    while True:
        there = datetime.combine(today, clock, zone).astimezone(UTC)
        if there > at:
            return there
        today += _DAY


@cache
def _every(digest: str) -> timedelta:
    return cast("timedelta", parse_duration(digest))


class Timetable:
    """The calendars of a ruleset, and the zones in which surveys are at home."""

    def __init__(
        self,
        calendars: Mapping[str, Calendar] | None = None,
        zones: Mapping[str, str] | None = None,
    ) -> None:
        self.calendars = calendars or {}
        self._zones = zones or {}
        self._working: dict[tuple[str, str], WorkingTime] = {}

    def due_at(self, hours: str, survey: str, start: datetime, within: timedelta) -> datetime:
        """When a promise of `within` that is given at `start` has to be kept."""
        working = self.working(hours, survey)
        return working.add(start, within) if working else start + within

    def sends_at(self, send_hours: str, digest: str, survey: str, ready: datetime) -> datetime:
        """When something goes out that could go at `ready`."""
        if digest:
            ready = slot_end(digest, self.zone(send_hours, survey), ready)
        working = self.working(send_hours, survey)
        return working.next_open(ready) if working else ready

    def windows(self, send_hours: str, survey: str, at: datetime) -> tuple[Interval, ...]:
        """The next times in which it may go out; none where it always may."""
        working = self.working(send_hours, survey)
        return working.windows(at, _WINDOWS) if working else ()

    def working(self, name: str, survey: str) -> WorkingTime | None:
        """The calendar in its zone, else in the survey's; None for no calendar."""
        if not name:
            return None
        found = self._working.get((name, survey))
        if found is None:
            calendar, zone = self.calendars[name], self.zone(name, survey)
            same = (each for each in self._working.values() if each.calendar is calendar)
            found = next((each for each in same if each.zone is zone), WorkingTime(calendar, zone))
            self._working = self._working | {(name, survey): found}
        return found

    def zone(self, name: str, survey: str) -> ZoneInfo:
        own = self.calendars[name].zone if name else None
        return ZoneInfo(own or self._zones.get(survey, "UTC"))


def said(at: datetime, zone: ZoneInfo, name: str) -> str:
    """`Mon 30 Nov 09:30 (office-madrid)`; without a calendar the time in UTC."""
    if not name:
        return f"{at.astimezone(UTC):%a %d %b %H:%M} UTC"
    return f"{at.astimezone(zone):%a %d %b %H:%M} ({name})"
