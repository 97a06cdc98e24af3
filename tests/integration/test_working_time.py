"""What calendars do to real rows: due times in working time, messages in their hours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import TryLater
from connector.store import browsing, outbox
from connector.workspace import open_workspace
from tests.integration.far_side import Post

HOUR = timedelta(hours=1)
FRIDAY = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # an hour before the office closes
RULES = """
calendars:
  office: {hours: {mon-fri: "09:00-18:00"}}
  day: {hours: {mon-sun: "08:00-20:00"}}
defaults: {hours: office, send_hours: day}
rules:
  - id: urgent
    hours: always
    when: {segment: detractor, comment: {mentions: refund}}
    then:
      - zendesk.ticket: {priority: urgent, next_step: Call now., respond_within: 4h}
      - slack.message: {channel: "#a", text: now}
      - slack.message: {sink: chat, channel: "#b", text: later, send_hours: office}
  - id: detractor
    when: {segment: detractor}
    then:
      - zendesk.ticket: {priority: high, next_step: Call., respond_within: 4h}
  - id: thanks
    when: {segment: {in: [promoter, passive]}}
    then:
      - email.thank_you: {template: thank_you}
"""


def with_rules(world, rules: str):
    settings = world.workspace.settings
    settings.rules.write_text(rules)
    open_workspace(settings, world.now, follow=True).store.close()
    return world


@pytest.fixture
def post(world) -> Post:
    world.now = FRIDAY
    return Post(with_rules(world, RULES))


def order(post: Post, action: int) -> dict:
    with post.store.read() as connection:
        return browsing.show_action(connection, action).order


def test_a_case_is_due_in_working_time_and_so_its_sink_is_told(post):
    post.world.answer(id="1", score=3)
    [ticket] = post.world.actions(sink="desk")
    assert ticket.respond_by == datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # 1 h today, 3 on Monday
    assert order(post, ticket.id)["due_at"] == "2026-11-23T12:00:00Z"
    assert ticket.due_at == FRIDAY, "a case is opened at once"


def test_a_revision_that_is_more_urgent_is_due_sooner_whatever_its_hours(post):
    post.world.answer(id="1", score=3)
    post.deliver()
    post.world.now += HOUR
    post.world.answer(id="1", score=3, comment="refund!", revised=post.world.now.isoformat())
    case, note = post.world.actions(sink="desk")
    assert note.amends == case.id
    assert note.respond_by == FRIDAY + 5 * HOUR < case.respond_by


def test_mail_waits_for_its_hours_and_goes_out_at_the_next_opening(post):
    post.world.now = FRIDAY + 4 * HOUR  # 21:00
    post.world.answer(id="1", score=9, email="ana@example.com")
    [mail] = post.world.actions(sink="mail")
    assert (mail.state, mail.due_at) == ("waiting", datetime(2026, 11, 21, 8, 0, tzinfo=UTC))
    assert post.deliver("mail", after=10 * HOUR) == {}
    assert post.deliver("mail", after=HOUR) == {"done": 1}


def test_settle_counts_before_the_hours_do(post):
    post.world.now = FRIDAY + 3 * HOUR - timedelta(minutes=5)  # 19:55, and ten minutes to settle
    post.world.answer(id="1", score=9, email="ana@example.com")
    [mail] = post.world.actions(sink="mail")
    assert mail.due_at == datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def test_a_mail_that_waits_over_night_gives_way_to_a_case_of_the_meantime(post):
    post.world.now = FRIDAY + 4 * HOUR
    post.world.answer(id="1", score=9, email="ana@example.com")
    post.world.answer(id="2", score=2, email="ana@example.com")
    post.deliver()
    post.deliver("mail", after=12 * HOUR)
    assert post.states("mail") == ["withheld"]
    assert post.sides["mail"].sent == []


def test_an_alert_waits_only_where_it_says_so(post):
    post.world.now = FRIDAY + 4 * HOUR
    post.world.answer(id="1", score=1, comment="a refund")
    alerts = post.world.actions(sink="chat")
    assert [alert.due_at for alert in alerts] == [post.world.now]  # one alert for each rule
    assert post.deliver("chat") == {"done": 1}


def test_what_was_late_for_its_hours_waits_for_the_next_ones(post):
    post.world.answer(id="1", score=9, email="ana@example.com")  # due at 17:10
    assert post.deliver("mail", after=5 * HOUR) == {"wait": 1}, "nothing ran until 22:00"
    [mail] = post.world.actions(sink="mail")
    assert (mail.state, mail.due_at) == ("waiting", datetime(2026, 11, 21, 8, 0, tzinfo=UTC))
    assert post.deliver("mail", after=HOUR) == {}
    post.sides["mail"].fails(TryLater("busy"))
    assert post.deliver("mail", after=20 * HOUR) == {"wait": 1}  # 19:00 the next day
    assert post.deliver("mail", after=2 * HOUR) == {"wait": 1}
    assert post.deliver("mail", after=11 * HOUR) == {"done": 1}
    assert len(post.sides["mail"].made) == 1


def test_an_alert_without_hours_is_never_late(post):
    post.world.answer(id="1", score=1, comment="a refund")
    assert post.deliver("chat", after=5 * HOUR) == {"done": 1}


def test_after_two_weeks_of_trouble_a_message_waits_no_more(post):
    post.world.answer(id="1", score=9, email="ana@example.com")
    assert post.deliver("mail", after=timedelta(days=20, hours=5)) == {"done": 1}


def test_releasing_a_flood_does_not_send_mail_before_its_hours(post):
    post.world.now = FRIDAY + 4 * HOUR
    post.world.answer(id="1", score=9, email="ana@example.com")
    held = {"state": "held"}
    [mail] = post.world.actions(sink="mail")
    post.store.write(lambda c: outbox.change_action(c, mail.id, **held))
    assert post.store.write(lambda c: outbox.release(c, "app", post.world.now)) == {"mail": 1}
    [again] = post.world.actions(sink="mail")
    assert (again.state, again.due_at) == ("waiting", mail.due_at)


def test_explain_says_when_it_is_due(post, connector, monkeypatch):
    monkeypatch.chdir(post.world.workspace.settings.directory)
    post.world.answer(id="1", score=3)
    [response] = post.world.responses()
    code, out, _ = connector("rules", "explain", response.id)
    assert code == 0
    assert "zendesk.ticket in desk, by detractor: waiting, due Mon 23 Nov 12:00 UTC" in out
    with_rules(post.world, RULES.replace("09:00-18:00", "10:00-18:00"))
    out = connector("rules", "explain", response.id)[1]
    assert "zendesk.ticket in desk, by detractor, due Mon 23 Nov 13:00 (office)" in out


def test_the_calendar_command_prints_two_weeks(post, connector, monkeypatch):
    monkeypatch.chdir(post.world.workspace.settings.directory)
    code, out, _ = connector("rules", "calendar", "office", "--from", "2026-12-24")
    assert code == 0
    assert "Thu 24 Dec  09:00-18:00" in out
    assert "Sat 26 Dec  closed" in out
    assert "4h, begun on 2026-12-24: due Thu 24 Dec 13:00 (office)" in out
    told = json.loads(connector("rules", "calendar", "day", "--json")[1])
    assert (told["zone"], len(told["days"])) == ("UTC", 14)
    code, _, err = connector("rules", "calendar", "offcie")
    assert code != 0
    assert "did you mean 'office'?" in err
