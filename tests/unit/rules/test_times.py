"""What calendars mean to those who read rules: lint, table, diff, schema, replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from jsonschema import Draft7Validator

from connector.documents import read
from connector.rules.backtest import Backtest, Known
from connector.rules.compare import compare
from connector.rules.decision_table import decision_table
from connector.rules.model import RulesetText
from connector.rules.past import Past, light_facts
from connector.rules.schema import Surroundings, rules_schema
from tests.unit.rules.conftest import VOCABULARY

OFFICE = 'calendars: {office: {zone: Europe/Madrid, hours: {mon-fri: "09:00-17:00"}}}\n'
EVENING = datetime(2026, 11, 27, 20, 0, tzinfo=UTC)  # a Friday, 21:00 in Madrid


def case(within: str, more: str = "", hours: str = "hours: office, ") -> str:
    return (
        f"{OFFICE}{more}rules:\n"
        f"  - {{id: a, name: A, owner: o, {hours}when: {{}}, then: [{{zendesk.ticket: "
        f"{{respond_within: {within}, next_step: Call.}}}}]}}\n"
    )


def about_time(found: list[str]) -> list[str]:
    return [one for one in found if "respond_within" in one or "calendar" in one]


@pytest.mark.parametrize(
    ("within", "said"),
    [
        ("8h", None),
        ("40h", None),
        ("3d", "note: respond_within: 3 d are 72 hours of 'office': about 13 days (count in"),
        ("4w", "note: respond_within: 28 d are 672 hours of 'office': about 17 weeks (count in"),
        ("100d", "warning: respond_within: 2400 hours of 'office' are more than a year (count in"),
    ],
)
def test_a_promise_in_days_is_longer_than_it_reads(linted, within, said):
    found = about_time(linted(case(within)))
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_around_the_clock_a_day_is_a_day(linted):
    always = 'calendars: {office: {hours: {mon-sun: "00:00-24:00"}}}\n'
    assert not about_time(linted(case("3d").replace(OFFICE, always)))
    used = "defaults: {hours: office, respond_within: 8h}\n"
    assert not about_time(
        linted(case("3d", used, "hours: always, ") + "default: {then: [{zendesk.ticket: {}}]}\n")
    )


def test_a_calendar_that_nobody_uses_is_told(linted):
    [found] = about_time(linted(case("4h", hours="")))
    assert found.startswith("rules.yaml:1:13: warning: no rule uses the calendar 'office'")
    assert not about_time(linted(case("4h")))


MAIL = (
    f"{OFFICE}defaults: {{send_hours: office}}\n"
    "rules:\n  - {id: a, when: {score: {at_least: 9}}, then: [{email.thank_you: {}}]}\n"
    "  - {id: b, when: {score: {at_most: 6}}, hours: office,"
    " then: [{zendesk.ticket: {respond_within: 4h}},"
    ' {slack.message: {channel: "#a", text: x, digest: "09:00", send_hours: office}}]}\n'
)


def test_the_table_says_which_hours_count(ruleset):
    table = decision_table(ruleset(MAIL))
    assert table.legend == "office: mon-fri 09:00-17:00; Europe/Madrid."
    rows = table.rows
    actions = [row[-2] for row in rows]
    assert actions[0] == ("email.thank_you: send_hours office",)
    assert actions[1] == (
        "zendesk.ticket: respond_within 4 h, hours office",
        "slack.message: channel #a, text x, send_hours office, digest 09:00",
    )


def test_a_diff_tells_calendars_in_words():
    after = (
        'calendars: {office: {zone: Europe/Madrid, hours: {mon-fri: "09:00-18:00"}}, '
        'day: {hours: {sat: "10:00-12:00"}}}\n'
    )
    there = compare(RulesetText({"rules.yaml": OFFICE}), RulesetText({"rules.yaml": after}))
    assert [(one.what, one.of, one.lines) for one in there] == [
        ("changed", "calendar office", ('hours.mon-fri: "09:00-17:00" -> "09:00-18:00"',)),
        ("added", "calendar day", ('hours.sat: "10:00-12:00"',)),
    ]
    back = compare(RulesetText({"rules.yaml": after}), RulesetText({"rules.yaml": OFFICE}))
    assert [(one.what, one.of) for one in back][1] == ("removed", "calendar day")


def test_editors_accept_what_the_loader_accepts_and_mark_the_rest():
    judge = Draft7Validator(rules_schema(VOCABULARY, Surroundings(mails=["thank_you"])))

    def wrong(text: str) -> list[str]:
        found = judge.iter_errors(read(text, "rules.yaml").data)
        return ["/".join(map(str, error.absolute_path)) for error in found]

    assert wrong(MAIL) == []
    whole = (
        "calendars:\n  office-madrid:\n    zone: Europe/Madrid\n"
        '    hours: {mon-thu: ["09:00-14:00", "15:30-18:30"], fri: 9:00-15:00}\n'
        "    holidays: {country: ES, region: MD}\n    closed: [2026-12-24]\n"
        '    open: {2026-12-26: ["10:00-13:00"]}\nrules: []\n'
    )
    assert wrong(whole) == []
    assert wrong(whole.replace("9:00-15:00", "9:00")) == ["calendars/office-madrid/hours/fri"]
    assert wrong(whole.replace("fri:", "friday:")) == ["calendars/office-madrid/hours"]
    assert wrong(whole.replace("region", "regoin")) == ["calendars/office-madrid/holidays"]
    assert wrong(whole.replace("zone:", "zoen:")) == ["calendars/office-madrid"]
    assert wrong(MAIL.replace('"09:00"', "noon")) != []


def replayed(ruleset, facts, rules: str, *answers: tuple[datetime, int, int]):
    """Revisions of one answer, as (when, score)."""
    both = ruleset(rules)
    backtest = Backtest(both, both, Known({}, {}, {}))
    found = []
    for at, number, score in answers:
        kept = facts(score=score, customer={"email": "ana@example.com"})
        light = light_facts(kept.model_copy(update={"answered_at": at}).model_dump(mode="json"))
        past = Past(number, "r", "ana", number, len(answers), True, at, light)
        found.append(backtest.compare(past).active)
    return found


def test_a_replay_keeps_messages_back_for_their_hours(ruleset, facts):
    (one,) = replayed(ruleset, facts, MAIL, (EVENING, 1, 9))
    [mail] = one.effects.values()
    assert mail.sent_at == datetime(2026, 11, 30, 8, 0, tzinfo=UTC)  # Monday 09:00 in Madrid
    (one,) = replayed(ruleset, facts, MAIL, (EVENING, 1, 3))
    ticket, alert = one.effects.values()
    assert (ticket.sent_at, alert.sent_at) == (EVENING, mail.sent_at)


def test_a_mail_that_waits_for_its_hours_gives_way_to_a_case_of_the_meantime(ruleset, facts):
    later = EVENING + timedelta(hours=10)
    first, second = replayed(ruleset, facts, MAIL, (EVENING, 1, 9), (later, 2, 3))
    assert [effect.asked.action.kind for effect in first.effects.values()] == ["email.thank_you"]
    assert [effect.asked.action.kind for effect in second.effects.values()] == [
        "zendesk.ticket",
        "slack.message",
    ]
