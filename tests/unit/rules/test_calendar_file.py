"""`calendars:` as people type it: what is understood, and what is told about the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from textwrap import dedent

import pytest

from connector.rules.timing import parse_digest, slot_end

RULE = """
rules:
  - id: x
    when: {score: 3}
    then:
      - zendesk.ticket: {respond_within: 4h}
      - email.thank_you: {}
"""


def told(load_rules, text: str, rest: str = RULE) -> list[str]:
    """The errors about a file that begins with this text."""
    loaded = load_rules(dedent(text).lstrip("\n") + rest)
    errors = [str(p) for p in loaded.problems if p.severity == "error"]
    assert (loaded.ruleset is None) is bool(errors)
    return [error.removeprefix("rules.yaml:") for error in errors]


def test_a_calendar_is_understood_in_every_spelling(load_rules):
    loaded = load_rules(
        dedent("""
        calendars:
          office-madrid:
            zone: Europe/Madrid
            hours:
              mon-thu: ["09:00-14:00", 15:30 - 18:30]
              fri: 9:00-15:00
            holidays: {country: es, region: MD}
            closed: [2026-12-24]
            open: {2026-12-26: "22:00-24:00"}
        """)
        + RULE
    )
    assert loaded.ruleset
    calendar = loaded.ruleset.timetable.calendars["office-madrid"]
    split, short = ((540, 840), (930, 1110)), ((540, 900),)
    assert calendar.week == (split, split, split, split, short, (), ())
    assert (calendar.country, calendar.region) == ("ES", "MD")
    assert calendar.spans(date(2026, 12, 24)) == ()
    assert calendar.spans(date(2026, 12, 26)) == ((1320, 1440),)
    assert calendar.spans(date(2026, 12, 25)) == (), "a Friday, and Christmas"


HOURS = {
    "a time without its end": (
        "mon: 9:30",
        "mon: '9:30' is no span of hours (say also when it ends: \"9:30-18:00\")",
    ),
    "a number": ("mon: 930", "mon: '930' is no span of hours (write \"09:00-14:00\", in quotes)"),
    "words": (
        "mon: nine to five",
        "mon: 'nine to five' is no span of hours (write \"09:00-14:00\", in quotes)",
    ),
    "a group": ("mon: {a: b}", 'mon: is no span of hours (write "09:00-14:00", in quotes)'),
    "nothing": ("mon: []", "mon: no hours (leave the day out where it is closed)"),
    "an hour that no day has": (
        "mon: 09:00-25:00",
        "mon: '09:00-25:00' is no time of day (from 00:00 to 24:00)",
    ),
    "a minute that no hour has": (
        "mon: 09:60-10:00",
        "mon: '09:60-10:00' is no time of day (from 00:00 to 24:00)",
    ),
    "a night": (
        "mon: 22:00-02:00",
        "mon: '22:00-02:00' ends before it begins (a day ends at midnight: write "
        '"22:00-24:00" here and "00:00-02:00" in the day after)',
    ),
    "until midnight": (
        "mon: 22:00-00:00",
        "mon: '22:00-00:00' ends before it begins (a day ends at midnight: write "
        '"22:00-24:00" here)',
    ),
    "spans that overlap": (
        'mon: ["09:00-14:00", "13:30-18:00"]',
        "mon: two spans overlap at 13:30 (make one of them, or end the earlier one before)",
    ),
    "a day that is none": (
        "Monday: 09:00-14:00",
        "hours: 'Monday' is no day (did you mean 'mon'?; write mon, tue, wed, thu, fri, sat, sun, "
        "or mon-fri)",
    ),
    "a day that is there already": (
        "{mon-fri: 09:00-14:00, wed: 09:00-12:00}",
        "wed: wed is already in 'mon-fri' (name each day once)",
    ),
    "days over the end of the week": (
        "sat-mon: 09:00-14:00",
        "hours: sat-mon: the week begins on mon (write two lines: sat-sun and mon-mon)",
    ),
    "never open": (
        "{}",
        'hours: this calendar is never open (write for example mon-fri: "09:00-18:00")',
    ),
}


@pytest.mark.parametrize("case", HOURS)
def test_wrong_hours_are_told_where_they_stand(load_rules, case):
    hours, message = HOURS[case]
    text = f"calendars:\n  office:\n    hours: {hours if hours[0] == '{' else '{' + hours + '}'}\n"
    [error] = told(load_rules, text)
    place, _, said = error.partition(": ")
    assert said == message
    assert place.startswith(("3:", "2:"))


AROUND = {
    "an unknown zone": (
        "zone: Europe/Madird",
        "3:11: zone: there is no time zone 'Europe/Madird' (did you mean 'Europe/Madrid'?)",
    ),
    "an unknown country": (
        "holidays: {country: Spain}",
        "3:25: country: there are no holidays of 'Spain' (did you mean 'ES'?; write two letters, "
        "such as ES, IT, PT, BR, US)",
    ),
    "an unknown region": (
        "holidays: {country: IT, region: madrid}",
        "3:37: region: 'madrid' is no region of IT",
    ),
    "a region that is spelled otherwise": (
        "holidays: {country: ES, region: md}",
        "3:37: region: 'md' is no region of ES (did you mean 'MD'?; allowed: AN, AR, AS,",
    ),
    "a region without its country": ("holidays: {region: MD}", "3:5: 'country' is missing"),
    "a day that is none": ("closed: [2026-02-30]", "3:14: closed: item 1: write a day such as"),
    "hours of a day that is none": (
        'open: {26-12-2026: "10:00-13:00"}',
        "3:12: open: '26-12-2026' is no day (write a day such as 2026-12-31)",
    ),
    "an unknown key": ("zoen: UTC", "3:5: unknown key 'zoen' (did you mean 'zone'?)"),
}


@pytest.mark.parametrize("case", AROUND)
def test_what_is_wrong_around_the_hours_is_told_too(load_rules, case):
    line, message = AROUND[case]
    text = f'calendars:\n  office:\n    {line}\n    hours: {{mon: "09:00-14:00"}}\n'
    [error] = told(load_rules, text)
    assert error.startswith(message)


def test_a_day_cannot_be_closed_and_open(load_rules):
    text = """
    calendars:
      office:
        hours: {mon: "09:00-14:00"}
        closed: [2026-12-24]
        open: {2026-12-24: "10:00-11:00"}
    """
    assert told(load_rules, text) == [
        "4:14: 2026-12-24 is under 'open' too (take it out of one of them)"
    ]


@pytest.mark.parametrize("name", ["always", "Office Madrid"])
def test_a_calendar_has_a_plain_name_that_means_nothing_else(load_rules, name):
    [error] = told(load_rules, f'calendars:\n  {name}:\n    hours: {{mon: "09:00-14:00"}}\n')
    assert error.startswith(f"2:3: a calendar cannot be called '{name}' (a-z, 0-9 and '-'")


OFFICE = 'calendars:\n  office: {hours: {mon-fri: "09:00-18:00"}}\n'


def rule(*lines: str, then: str = "zendesk.ticket: {respond_within: 4h}") -> str:
    own = "".join(f"    {line}\n" for line in lines)
    return f"rules:\n  - id: x\n{own}    when: {{}}\n    then:\n      - {then}\n"


@pytest.mark.parametrize(
    ("defaults", "rest", "message"),
    [
        (
            "defaults: {hours: ofice}\n",
            rule(),
            "3:19: hours: there is no calendar 'ofice' (did you mean 'office'?; allowed: office, "
            "always)",
        ),
        (
            "",
            rule("send_hours: night"),
            "5:17: send_hours: there is no calendar 'night' (allowed: office, always)",
        ),
        (
            "",
            rule(then='slack.message: {channel: "#a", text: x, send_hours: offices}'),
            "7:61: send_hours: there is no calendar 'offices' (did you mean 'office'?; allowed: "
            "office, always)",
        ),
        (
            "",
            rule(then="zendesk.ticket: {send_hours: office}"),
            "7:38: zendesk.ticket goes out at once (hours of the rule are for its due time)",
        ),
        (
            "",
            rule(then="email.thank_you: {digest: 1h}"),
            "7:35: email.thank_you is not gathered (only alerts are; leave it out)",
        ),
        (
            "",
            rule(then='slack.message: {channel: "#a", text: x, digest: 7h}'),
            "7:57: digest: a day must be a multiple of it: 5m, 10m, 15m, 30m, 1h, 2h, 4h, 8h, 24h",
        ),
        (
            "",
            rule(then='slack.message: {channel: "#a", text: x, digest: nightly}'),
            "7:57: digest: write how long to gather, such as 15m, 1h or 4h, or a time of day such "
            'as "09:00"',
        ),
    ],
)
def test_what_a_rule_says_about_time_is_checked(load_rules, defaults, rest, message):
    assert told(load_rules, OFFICE + defaults, rest) == [message]


def test_a_rule_wins_over_the_defaults_and_always_switches_off(load_rules):
    text = """
    calendars:
      office: {hours: {mon-fri: "09:00-18:00"}}
      day: {hours: {mon-sun: "09:00-21:00"}}
    defaults: {hours: office, send_hours: day}
    rules:
      - {id: a, when: {}, then: [zendesk.ticket: {respond_within: 4h}, email.thank_you: {}]}
      - id: b
        hours: always
        send_hours: office
        when: {}
        then:
          - zendesk.ticket: {respond_within: 4h}
          - email.thank_you: {}
          - slack.message: {channel: "#a", text: x}
          - slack.message: {channel: "#b", text: x, send_hours: day}
      - id: c
        send_hours: always
        when: {}
        then: [email.thank_you: {}, email.thank_you: {send_hours: day}]
    """
    loaded = load_rules(dedent(text))
    assert loaded.ruleset
    said = [[(a.hours, a.send_hours) for a in rule.then] for rule in loaded.ruleset.rules]
    assert said == [
        [("office", ""), ("", "day")],
        [("", ""), ("", "office"), ("", ""), ("", "day")],  # an alert waits only if it says so
        [("", ""), ("", "day")],
    ]


def test_a_calendar_without_a_zone_is_at_home_where_its_survey_is(load_rules):
    loaded = load_rules(OFFICE + "defaults: {hours: office}\n" + rule())
    assert loaded.ruleset
    times = loaded.ruleset.timetable
    start = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)  # 04:00 in Madrid, 22:00 in New York
    due = {
        survey: times.due_at("office", survey, start, timedelta(hours=1)).isoformat()
        for survey in ("relationship", "partners", "gone")
    }
    assert due == {
        "relationship": "2026-11-25T09:00:00+00:00",
        "partners": "2026-11-25T15:00:00+00:00",
        "gone": "2026-11-25T10:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("digest", "now", "slot"),
    [
        ("1h", "2026-11-25T10:00:00", "2026-11-25T11:00:00"),  # on the hour: the next one
        ("1h", "2026-11-25T10:59:59", "2026-11-25T11:00:00"),
        ("15m", "2026-11-25T10:16:00", "2026-11-25T10:30:00"),
        ("24h", "2026-11-25T10:16:00", "2026-11-26T00:00:00"),
        ("09:00", "2026-11-25T07:59:00", "2026-11-25T08:00:00"),
        ("9:00", "2026-11-25T08:00:00", "2026-11-26T08:00:00"),
        ("02:30", "2026-03-28T12:00:00", "2026-03-29T01:30:00"),  # skipped that day
        ("02:30", "2026-10-24T12:00:00", "2026-10-25T00:30:00"),  # twice; the first counts
        ("02:30", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
    ],
)
def test_a_digest_goes_out_at_the_end_of_its_slot(digest, now, slot):
    from zoneinfo import ZoneInfo

    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = slot_end(parse_digest(digest), ZoneInfo("Europe/Madrid"), at)
    assert found == datetime.fromisoformat(slot).replace(tzinfo=UTC)


def test_one_digest_has_one_spelling():
    assert {parse_digest(text) for text in ("1h", " 60m ", "3600s")} == {"1h"}
    assert parse_digest("9:05") == parse_digest("09:05") == "09:05"
    for wrong in ("", "0", "25:00", "30s", "2d", 60, None, ["1h"]):
        with pytest.raises(ValueError, match=r"write|multiple"):
            parse_digest(wrong)
