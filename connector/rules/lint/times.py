"""Calendars that nobody uses, and promises that a calendar makes longer than they read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from connector.domain import Problem
from connector.rules.calendars import Calendar
from connector.rules.lint.places import Places, with_default
from connector.rules.model import Action, Rule, Ruleset
from connector.text import describe_duration

_DAY = timedelta(days=1)
_WEEK_MINUTES = 7 * 24 * 60


def unused_calendars(ruleset: Ruleset, places: Places) -> Iterator[Problem]:
    """Calendars of the file that neither an action nor `defaults` names."""
    used = places.in_defaults("hours", "send_hours") | {
        name
        for rule in with_default(ruleset)
        for action in rule.then
        for name in (action.hours if action.respond_within else "", action.send_hours)
    }
    for name in ruleset.timetable.calendars:
        if name not in used:
            message = f"no rule uses the calendar '{name}'"
            hint = f"name it in defaults or in a rule: hours: {name}"
            yield places.of_file(message, "calendars", name, hint=hint, severity="warning")


def stretched(ruleset: Ruleset, places: Places) -> Iterator[Problem]:
    """A day of `respond_within` is 24 hours, and few calendars have so many: say how long that is,
    once for each calendar and duration."""
    told: set[tuple[str, timedelta]] = set()
    for rule in with_default(ruleset):
        for number, action in enumerate(rule.then):
            calendar = ruleset.timetable.calendars.get(action.hours)
            within = action.respond_within
            if calendar is None or within is None or (action.hours, within) in told:
                continue
            problem = _stretched(calendar, rule, number, action, places)
            if problem is not None:
                told.add((action.hours, within))
                yield problem


def _stretched(
    calendar: Calendar, rule: Rule, number: int, action: Action, places: Places
) -> Problem | None:
    within = action.respond_within or timedelta(0)
    year = calendar.usual_year()
    around_the_clock = year >= timedelta(minutes=_WEEK_MINUTES * 52)
    if within < _DAY or around_the_clock:
        return None
    way = places.action(rule, number, "respond_within")
    if not places.written(rule, *way):
        way = places.action(rule, number)
    hours = f"{within / timedelta(hours=1):g} hours of '{calendar.name}'"
    if within > year:
        message = f"respond_within: {hours} are more than a year"
        hint = "count in working hours: 8h, 40h"
        return places.problem(message, rule, *way, hint=hint, severity="warning")
    if within % _DAY:
        return None
    weeks = within / year * 52
    message = f"respond_within: {describe_duration(within)} are {hours}: about {_weeks(weeks)}"
    hint = f"count in working hours; always: {within // _DAY} days of the clock"
    return places.problem(message, rule, *way, hint=hint, severity="note")


def _weeks(weeks: float) -> str:
    days = round(weeks * 7)
    return f"{days} days" if days < 14 else f"{round(weeks)} weeks"
