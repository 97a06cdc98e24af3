"""`calendars:` of `rules.yaml`: text -> calendars, or every problem at its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator, Field

from connector.documents import Document, validate
from connector.domain import Problem, Value
from connector.rules import public_holidays
from connector.rules.calendars import WEEKDAYS, Calendar, Spans
from connector.rules.days import day, parse_day
from connector.rules.timing import ALWAYS
from connector.text import did_you_mean, one_line

At = tuple[str | int, ...]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_SPAN = re.compile(r"(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)")  # noqa: RUF001 - people type it
_START = re.compile(r"\d{1,2}:\d\d")
_MIDNIGHT = 24 * 60


class HolidaysText(Value):
    """Public holidays, on which the calendar is closed."""

    country: str = Field(description="two letters", examples=["ES", "IT", "PT", "BR", "US"])
    region: str | None = Field(None, description="for its own holidays", examples=["MD", "CT"])


class CalendarText(Value):
    """When people work, or when messages may go out."""

    zone: str | None = Field(
        None, description="without it the survey's", examples=["Europe/Madrid", "America/New_York"]
    )
    hours: dict[str, Any]
    holidays: HolidaysText | None = None
    closed: list[Annotated[date, BeforeValidator(day)]] = Field(
        [], description="more days on which it is closed", examples=[["2026-12-24"]]
    )
    open: dict[str, Any] = Field(
        {}, description="hours of single days, whatever the others say: 2026-12-26: 10:00-13:00"
    )


def read_calendars(document: Document) -> tuple[dict[str, Calendar | None], list[Problem]]:
    """Every calendar by its name, None for one with a mistake of its own."""
    data = document.data.get("calendars") if isinstance(document.data, Mapping) else None
    if data is None:
        return {}, []
    if not isinstance(data, Mapping):
        message = "calendars: must be a group of 'name: {hours: …}'"
        return {}, [document.problem(message, "calendars")]
    reader = _Reader(document)
    return {name: reader.calendar(name) for name in data}, reader.problems


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def wrong(self, message: str, at: At, hint: str = "", key: bool = False) -> None:
        line, column = self.document.key_place(*at) if key else self.document.place(*at)
        file = self.document.file
        self.problems.append(
            Problem(file=file, line=line, column=column, message=message, hint=hint)
        )

    def calendar(self, name: str) -> Calendar | None:
        at: At = ("calendars", name)
        before = len(self.problems)
        if name == ALWAYS or not _NAME.fullmatch(name):
            hint = f"a-z, 0-9 and '-', at most 60 of them; '{ALWAYS}' means no calendar"
            self.wrong(f"a calendar cannot be called '{one_line(name, 40)}'", at, hint, key=True)
        text, problems = validate(self.document, CalendarText, at=at)
        self.problems.extend(problems)
        if text is None:
            return None
        week = self.week(text.hours, (*at, "hours"))
        opened = self.opened(text.open, (*at, "open"))
        for number, closed in enumerate(text.closed):
            if closed in opened:
                hint = "take it out of one of them"
                self.wrong(f"{closed} is under 'open' too", (*at, "closed", number), hint)
        self.zone(text.zone, (*at, "zone"))
        self.holidays(text.holidays, (*at, "holidays"))
        if len(self.problems) > before:
            return None
        holidays = text.holidays
        return Calendar(
            name=name,
            week=week,
            zone=text.zone,
            country=holidays.country.upper() if holidays else "",
            region=holidays.region if holidays else None,
            closed=frozenset(text.closed),
            opened=opened,
        )

    def zone(self, name: str | None, at: At) -> None:
        if name is None:
            return
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            known = {zone.casefold(): zone for zone in available_timezones()}
            near = did_you_mean(name.casefold().replace(" ", "_"), known)
            word = near.partition("'")[2].rpartition("'")[0]
            hint = "write a name such as Europe/Madrid, America/New_York or UTC"
            if word:
                hint = f"did you mean '{known[word]}'?"
            self.wrong(f"zone: there is no time zone '{one_line(name, 40)}'", at, hint)

    def holidays(self, text: HolidaysText | None, at: At) -> None:
        found = public_holidays.problem(text.country, text.region) if text else None
        if found:
            key, message, hint = found
            self.wrong(message, (*at, key), hint)

    def week(self, hours: Mapping[str, Any], at: At) -> tuple[Spans, ...]:
        week: dict[str, Spans] = {}
        before = len(self.problems)
        named: dict[str, str] = {}
        for key, value in hours.items():
            spans = self.spans(value, (*at, key))
            for word in self.weekdays(key, at):
                if word in named:
                    message = f"{key}: {word} is already in '{named[word]}'"
                    self.wrong(message, (*at, key), "name each day once", key=True)
                    break
                named[word], week[word] = key, spans
        if not any(week.values()) and len(self.problems) == before:
            hint = 'write for example mon-fri: "09:00-18:00"'
            self.wrong("hours: this calendar is never open", at, hint)
        return tuple(week.get(word, ()) for word in WEEKDAYS)

    def weekdays(self, key: str, at: At) -> list[str]:
        """`mon` or `mon-thu`."""
        first, dash, last = (part.strip() for part in key.partition("-"))
        last = last if dash else first
        for word in (first, last):
            if word not in WEEKDAYS:
                hint = did_you_mean(word.casefold()[:3], WEEKDAYS)
                allowed = "write mon, tue, wed, thu, fri, sat, sun, or mon-fri"
                message = f"hours: '{one_line(key, 40)}' is no day"
                self.wrong(message, (*at, key), f"{hint}; {allowed}" if hint else allowed, key=True)
                return []
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
        if begin > end:
            message = f"hours: {key}: the week begins on mon"
            hint = f"write two lines: {first}-sun and mon-{last}"
            self.wrong(message, (*at, key), hint, key=True)
            return []
        return list(WEEKDAYS[begin : end + 1])

    def opened(self, days: Mapping[str, Any], at: At) -> dict[date, Spans]:
        found: dict[date, Spans] = {}
        for key, value in days.items():
            spans = self.spans(value, (*at, key))
            try:
                found[parse_day(key)] = spans
            except ValueError as error:
                message = f"open: '{one_line(key, 40)}' is no day"
                self.wrong(message, (*at, key), str(error), key=True)
        return found

    def spans(self, value: Any, at: At) -> Spans:
        """One span or several, each once, in order."""
        items = value if isinstance(value, list) else [value]
        if not items:
            self.wrong(f"{at[-1]}: no hours", at, "leave the day out where it is closed")
        found: list[tuple[int, int, At]] = []
        for number, item in enumerate(items):
            place = (*at, number) if isinstance(value, list) else at
            span = self.span(item, place)
            if span:
                found.append((*span, place))
        found.sort(key=lambda one: one[:2])
        for (_, before, _), (begin, _, place) in pairwise(found):
            if begin < before:
                message = f"{at[-1]}: two spans overlap at {_clock(begin)}"
                self.wrong(message, place, "make one of them, or end the earlier one before")
        return tuple((begin, end) for begin, end, _ in found)

    def span(self, item: Any, at: At) -> tuple[int, int] | None:
        example = 'write "09:00-14:00", in quotes'
        text = item.strip() if isinstance(item, str) else ""
        match = _SPAN.fullmatch(text)
        if not match:
            shown = (
                f"'{one_line(str(item), 40)}' is" if isinstance(item, str | int | float) else "is"
            )
            if _START.fullmatch(text):
                example = f'say also when it ends: "{text}-18:00"'
            self.wrong(f"{self.key(at)}: {shown} no span of hours", at, example)
            return None
        h1, m1, h2, m2 = map(int, match.groups())
        begin, end = h1 * 60 + m1, h2 * 60 + m2
        if m1 > 59 or m2 > 59 or begin >= _MIDNIGHT or end > _MIDNIGHT:
            self.wrong(f"{self.key(at)}: '{text}' is no time of day", at, "from 00:00 to 24:00")
            return None
        if begin < end:
            return begin, end
        message = f"{self.key(at)}: '{text}' ends before it begins"
        hint = f'a day ends at midnight: write "{_clock(begin)}-24:00" here'
        if end:
            hint += f' and "00:00-{_clock(end)}" in the day after'
        self.wrong(message, at, hint)
        return None

    def key(self, at: At) -> str:
        return str(next(step for step in reversed(at) if isinstance(step, str)))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
