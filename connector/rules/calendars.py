"""Working time: when a calendar is open, and how long something takes in it. Pure; UTC inside.

Open is what the clock on the wall of the calendar's zone says: an hour that a change of the clocks
skips is no working time, one that it repeats is so twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice
from zoneinfo import ZoneInfo

from connector.rules import public_holidays

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_FURTHEST_DAYS = 366 * 20  # a search ends there; every week has opening hours
_MOST_DAYS = 5_000  # whose hours are remembered

Spans = tuple[tuple[int, int], ...]  # minutes after midnight: from, to (at most 24 * 60)
Interval = tuple[datetime, datetime]  # UTC


@dataclass(frozen=True)
class Calendar:
    """What `calendars:` says under one name. `week`: Monday first. `opened` wins over everything,
    then `closed`, then holidays. `zone` is None where it is that of the survey."""

    name: str
    week: tuple[Spans, ...]
    zone: str | None = None
    country: str = ""
    region: str | None = None
    closed: frozenset[date] = frozenset()
    opened: Mapping[date, Spans] = field(default_factory=dict)

    def spans(self, day: date) -> Spans:
        """The hours of a day, in order."""
        if day in self.opened:
            return self.opened[day]
        if day in self.closed or not self.week[day.weekday()] or self.holiday(day):
            return ()
        return self.week[day.weekday()]

    def holiday(self, day: date) -> str:
        """What is celebrated there on that day; empty on others."""
        if not self.country:
            return ""
        return public_holidays.of_year(self.country, self.region, day.year).get(day, "")

    def __str__(self) -> str:
        """`office: mon-thu 09:00-14:00 + 15:30-18:30, fri 09:00-15:00; Europe/Madrid`."""
        hours: list[str] = []
        for spans, days in groupby(enumerate(self.week), key=lambda one: one[1]):
            first, *more = (WEEKDAYS[number] for number, _ in days)
            last = f"-{more[-1]}" if more else ""
            if spans:
                hours.append(f"{first}{last} {' + '.join(map(_said, spans))}")
        where = f"{self.country} {self.region or ''}".strip()
        parts = [self.zone or "in the survey's zone", f"holidays of {where}" if where else ""]
        return "; ".join(filter(None, (f"{self.name}: {', '.join(hours)}", *parts)))

    def usual_year(self) -> timedelta:
        """The working time of 52 weeks without holidays."""
        minutes = sum(end - begin for spans in self.week for begin, end in spans)
        return timedelta(minutes=minutes * 52)


def _said(span: tuple[int, int]) -> str:
    return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in span)


class WorkingTime:
    """A calendar in its zone. Safe to share between threads. All times are aware, results in UTC.

    Hours are half-open: at the minute when it closes it is closed, and what is then due was due in
    time.
    """

    def __init__(self, calendar: Calendar, zone: ZoneInfo) -> None:
        self.calendar, self.zone = calendar, zone
        self._days: dict[date, tuple[Interval, ...]] = {}

    def is_open(self, at: datetime) -> bool:
        return next(self._from(at))[0] <= at

    def next_open(self, at: datetime) -> datetime:
        """`at` where it is open, else the next opening."""
        return max(next(self._from(at))[0], at.astimezone(UTC))

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """The first moment by which `duration` of working time has passed since `start`; outside
        the hours counting begins at the next opening. Nothing takes longer than 20 years."""
        left, end = duration, start
        for opens, end in self._from(start):
            begin = max(opens, start)
            if end - begin >= left:
                return (begin + left).astimezone(UTC)
            left -= end - begin
        return end

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`; nothing where that is no later."""
        passed = timedelta(0)
        for opens, closes in self._from(start):
            if opens >= end:
                break
            passed += min(closes, end) - max(opens, start)
        return passed

    def windows(self, at: datetime, most: int) -> tuple[Interval, ...]:
        """The first times that are open at `at` or later."""
        return tuple(islice(self._from(at), most))

    def hours_of(self, day: date) -> tuple[Interval, ...]:
        """When it is open on that day of its zone."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= _MOST_DAYS:
                self._days.clear()
            found = self._days[day] = tuple(self._intervals(day))
        return found

    def _from(self, at: datetime) -> Iterator[Interval]:
        """What is open now or later, in order."""
        first = at.astimezone(self.zone).date() - _DAY
        for number in range(_FURTHEST_DAYS):
            for interval in self.hours_of(first + number * _DAY):
                if interval[1] > at:
                    yield interval

    def _intervals(self, day: date) -> Iterator[Interval]:
        spans = self.calendar.spans(day)
        if not spans:
            return
        midnight = datetime.combine(day, time(), UTC)  # as if the zone were UTC
        pieces = sorted(
            (max(begin, since), min(end, until))
            for offset, since, until in self._offsets(midnight)
            for begin, end in (
                (midnight + timedelta(minutes=a) - offset, midnight + timedelta(minutes=b) - offset)
                for a, b in spans
            )
            if begin < until and end > since
        )
        begin, end = pieces[0] if pieces else (midnight, midnight)
        for next_begin, next_end in pieces[1:]:
            if next_begin > end:
                yield begin, end
                begin = next_begin
            end = next_end
        if pieces:
            yield begin, end

    def _offsets(self, midnight: datetime) -> Iterator[tuple[timedelta, datetime, datetime]]:
        """The zone's distances from UTC on that day: distance, since, until."""
        first, last = midnight - _DAY, midnight + 2 * _DAY
        before, after = self._offset(first), self._offset(last)
        if before == after:
            yield before, first, last
            return
        low, high = first, last
        while high - low > _SECOND:
            middle = low + (high - low) // (2 * _SECOND) * _SECOND
            low, high = (middle, high) if self._offset(middle) == before else (low, middle)
        yield before, first, high
        yield after, high, last

    def _offset(self, at: datetime) -> timedelta:
        return at.astimezone(self.zone).utcoffset() or timedelta(0)
