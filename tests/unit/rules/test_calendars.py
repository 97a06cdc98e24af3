"""Working time: openings, holidays, and the two days a year on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.rules.calendars import Calendar, WorkingTime

DAY = (9 * 60, 18 * 60)
ALWAYS = (0, 24 * 60)
HOUR = timedelta(hours=1)


def working(zone: str, *week, **more) -> WorkingTime:
    """Seven days of spans, or one that stands for Monday to Friday."""
    days = week if len(week) == 7 else (week[0],) * 5 + ((), ())
    return WorkingTime(Calendar("office", tuple(days), **more), ZoneInfo(zone))


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def local(moment: datetime, there: WorkingTime) -> str:
    assert moment.tzinfo is UTC
    return f"{moment.astimezone(there.zone):%Y-%m-%d %H:%M}"


MADRID = working("Europe/Madrid", ((9 * 60, 14 * 60), (15 * 60 + 30, 18 * 60 + 30)))


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-25 10:00", 2, "2026-11-25 12:00"),
        ("2026-11-25 13:00", 2, "2026-11-25 16:30"),  # over lunch
        ("2026-11-25 14:20", 1, "2026-11-25 16:30"),  # in it
        ("2026-11-25 03:00", 4, "2026-11-25 13:00"),  # before it opens
        ("2026-11-27 17:30", 4, "2026-11-30 12:00"),  # over a weekend
        ("2026-11-28 11:00", 1, "2026-11-30 10:00"),  # on one
        ("2026-11-25 17:30", 1, "2026-11-25 18:30"),  # as it closes: still in time
        ("2026-12-31 17:30", 2, "2027-01-01 10:00"),  # the year ends
        ("2028-02-28 17:30", 2, "2028-02-29 10:00"),  # a leap day
    ],
)
def test_a_promise_counts_while_it_is_open(start, hours, due):
    assert local(MADRID.add(at(start, "Europe/Madrid"), hours * HOUR), MADRID) == due


def test_holidays_closed_days_and_days_with_hours_of_their_own_are_minded():
    there = working(
        "Europe/Madrid",
        (DAY,),
        country="ES",
        region="MD",
        closed=frozenset({date(2026, 5, 4)}),
        opened={date(2026, 5, 2): ((600, 660),), date(2026, 5, 1): ((600, 630),)},
    )
    # Friday 1 May is a holiday with half an hour, Saturday 2 May is Madrid's with one, Monday
    # 4 May is closed.
    start = at("2026-04-30 17:00", "Europe/Madrid")
    assert local(there.add(start, 2 * HOUR), there) == "2026-05-02 10:30"
    assert local(there.add(start, 3 * HOUR), there) == "2026-05-05 09:30"
    assert there.calendar.holiday(date(2026, 5, 2)) == "Madrid Day"
    elsewhere = working("Europe/Madrid", (DAY,), country="ES")
    assert not elsewhere.calendar.holiday(date(2026, 5, 2))


def test_several_holidays_in_a_row_are_passed():
    closed = frozenset(date(2026, 12, day) for day in range(21, 32))
    there = working("Europe/Madrid", (DAY,), closed=closed)
    start = at("2026-12-18 17:00", "Europe/Madrid")
    assert local(there.add(start, 2 * HOUR), there) == "2027-01-01 10:00"


# Spans around the hour that is skipped (02:00 -> 03:00) or repeated (03:00 -> 02:00 in Madrid,
# 02:00 -> 01:00 in New York), and how long they are open that day.
CHANGES = [
    ("Europe/Madrid", date(2026, 3, 29), ALWAYS, 23),
    ("Europe/Madrid", date(2026, 3, 29), (60, 300), 3),
    ("Europe/Madrid", date(2026, 3, 29), (150, 300), 2),  # begins in the hour that is not there
    ("Europe/Madrid", date(2026, 3, 29), (60, 150), 1),  # ends in it
    ("Europe/Madrid", date(2026, 3, 29), (120, 180), 0),  # is it
    ("Europe/Madrid", date(2026, 10, 25), ALWAYS, 25),
    ("Europe/Madrid", date(2026, 10, 25), (60, 300), 5),
    ("Europe/Madrid", date(2026, 10, 25), (0, 120), 2),  # ends as the first of the two begins
    ("Europe/Madrid", date(2026, 10, 25), (120, 180), 2),
    ("Europe/Madrid", date(2026, 10, 25), (150, 180), 1),  # half of it, twice
    ("America/New_York", date(2026, 3, 8), ALWAYS, 23),
    ("America/New_York", date(2026, 11, 1), (0, 180), 4),
    ("America/New_York", date(2026, 11, 1), (90, 600), 9),
    ("America/Sao_Paulo", date(2026, 3, 29), ALWAYS, 24),  # does not change its clocks
    ("America/Havana", date(2026, 3, 8), (0, 120), 1),  # at midnight
    ("America/Havana", date(2026, 11, 1), (0, 120), 3),
    ("Pacific/Apia", date(2011, 12, 30), ALWAYS, 0),  # a whole day was skipped
    ("Australia/Lord_Howe", date(2026, 10, 4), ALWAYS, 23.5),  # by half an hour
]


@pytest.mark.parametrize(("zone", "day", "span", "hours"), CHANGES)
def test_an_hour_that_is_skipped_is_not_worked_and_one_that_is_repeated_twice(
    zone, day, span, hours
):
    there = working(zone, *[(span,)] * 7)
    open_time = sum((end - begin for begin, end in there.hours_of(day)), timedelta(0))
    assert open_time == hours * HOUR
    if span == ALWAYS:
        assert len(there.hours_of(day)) == (1 if hours else 0), "one piece, not cut at the change"


@pytest.mark.parametrize(("zone", "day", "span", "hours"), CHANGES)
def test_open_is_what_the_clock_on_the_wall_says(zone, day, span, hours):
    there = working(zone, *[(span,)] * 7)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    for number in range(4 * 60):
        moment = start + number * timedelta(minutes=15)
        wall = moment.astimezone(there.zone)
        assert there.is_open(moment) is (span[0] <= wall.hour * 60 + wall.minute < span[1]), wall


def test_a_promise_over_a_change_of_the_clocks_takes_its_real_hours():
    there = working("Europe/Madrid", *[(ALWAYS,)] * 7)
    start = at("2026-03-28 22:00", "Europe/Madrid")
    assert local(there.add(start, 8 * HOUR), there) == "2026-03-29 07:00"
    start = at("2026-10-24 22:00", "Europe/Madrid")
    assert local(there.add(start, 8 * HOUR), there) == "2026-10-25 05:00"


def test_the_hours_of_the_place_count_whatever_the_zone_of_the_moment():
    assert MADRID.is_open(at("2026-11-25 12:00", "Asia/Tokyo")) is False  # 04:00 in Madrid
    assert MADRID.is_open(at("2026-11-25 12:00", "America/New_York")) is True


def test_a_calendar_says_its_hours_in_a_line():
    split, short = ((540, 840), (930, 1110)), ((600, 1440),)
    week = (split, split, (), (), split, short, short)
    calendar = Calendar("office", week, country="ES", region="MD")
    assert str(calendar) == (
        "office: mon-tue 09:00-14:00 + 15:30-18:30, fri 09:00-14:00 + 15:30-18:30, "
        "sat-sun 10:00-24:00; in the survey's zone; holidays of ES MD"
    )


def test_the_next_opening_is_now_where_it_is_open():
    now = at("2026-11-25 10:00", "Europe/Madrid")
    assert MADRID.next_open(now) == now
    closing = at("2026-11-27 18:30", "Europe/Madrid")
    assert local(MADRID.next_open(closing), MADRID) == "2026-11-30 09:00"


def test_a_search_ends():
    there = working("UTC", (), (), (), (), (), (), ((0, 1),))
    start = at("2026-01-01 00:00")
    due = there.add(start, timedelta(days=999_999))
    assert timedelta(days=365 * 19) < due - start < timedelta(days=366 * 21)


minutes = st.integers(0, 24 * 60)


@st.composite
def spans(draw):
    cuts = sorted(draw(st.sets(minutes, min_size=2, max_size=6)))
    return tuple(zip(cuts[::2], cuts[1::2], strict=False))


weeks = st.lists(st.one_of(st.just(()), spans()), min_size=7, max_size=7).filter(any)
zones = st.sampled_from(
    ["Europe/Madrid", "America/New_York", "UTC", "Asia/Kathmandu", "America/Havana", "Pacific/Apia"]
)
starts = st.integers(0, 410 * 24 * 60).map(
    lambda minutes: datetime(2025, 12, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
durations = st.integers(1, 5 * 24 * 3600).map(lambda seconds: timedelta(seconds=seconds))


@settings(max_examples=150, deadline=None)
@given(weeks, zones, starts, durations, durations)
def test_working_time_adds_up_and_never_ends_where_it_is_closed(week, zone, start, one, two):
    there = working(zone, *week, closed=frozenset({date(2026, 1, 1), date(2026, 12, 31)}))
    assume(there.add(start, one + two) - start < timedelta(days=19 * 365))  # else a search ends
    due = there.add(start, one)
    assert due > start
    assert there.add(due, two) == there.add(start, one + two)
    assert there.add(start + two, one) >= due, "who begins later is not due earlier"
    assert there.add(start, one + two) > due
    assert there.is_open(due - timedelta(seconds=1)), "it ends in a working second, or with it"
    opening = there.next_open(start)
    assert there.is_open(opening)
    assert there.add(opening, one) == due
    assert opening == start or not there.is_open(start)
