"""Alarms: each trouble is told, once, to the right place; no storms, no loops, no secrets."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest

from connector import erasure
from connector.config import AlarmChannel
from connector.engine.chores import do_chores
from connector.errors import LookFirst, Paused, Refused, TryLater
from connector.intake import poll
from connector.keeper import LEASE
from connector.store import alarms, arrivals
from tests.integration.far_side import HOUR, Post

DAY = timedelta(days=1)


@pytest.fixture
def post(world) -> Post:
    channel = AlarmChannel(sink="chat", channel="#ops")
    world.workspace.settings = world.workspace.settings.model_copy(update={"alarms": channel})
    return Post(world)


def chores(post: Post, after: timedelta = timedelta(minutes=1)) -> list[str]:
    """A minute passes; what the alarm channel gets to read."""
    post.world.now += after
    do_chores(post.world.workspace, post.world.now)
    before = len(post.sides["chat"].orders)
    post.settle("chat")
    return [str(order.params["text"]) for order in post.sides["chat"].orders[before:]]


def trouble(post: Post, kind: str = "undecided", subject: str = "app") -> None:
    post.store.write(lambda c: alarms.raise_alarm(c, kind, subject, "look at it", post.world.now))


def test_many_alarms_with_one_cause_are_one_message(post):
    for number in range(30):
        post.world.answer(id=str(number), score=1)
    post.desk.then = [lambda batch: [Refused("no such group") for _ in batch]] * 3
    post.settle()

    [message] = chores(post)
    assert message.startswith("30 alarms of the kind 'parked'")
    assert "no such group" in message
    assert chores(post) == []


def test_an_alarm_about_an_action_ends_when_its_action_is_made_or_not_wanted_any_more(post):
    for id in "12":
        post.world.answer(id=id, score=2)
    post.desk.refuses(Refused("no such group"))
    post.deliver()
    assert "parked" in post.alarms()

    later = "2026-11-20T12:01:00Z"
    post.world.answer(id="1", score=2, comment="now with words", revised=later)
    assert post.world.actions(state="parked"), "the other one still is"
    assert "parked" in post.alarms()
    post.world.answer(id="2", score=9, revised=later)
    assert post.alarms() == {}


def test_a_doubt_ends_with_the_late_receipt(post):
    post.world.answer(id="1", score=2, comment="a refund!")

    def slow(batch):
        receipts = [post.sides["chat"].make(one) for one in batch]
        assert post.deliver("chat", after=LEASE + timedelta(seconds=1)) == {"in_doubt": 1}
        assert "in_doubt" in post.alarms()
        return receipts

    post.sides["chat"].then = [slow]
    assert post.deliver("chat") == {"done": 1}
    assert post.alarms() == {}


def test_nobody_is_asked_to_retry_what_was_erased(post):
    post.world.answer(id="1", score=2, email="ana@example.com")
    post.desk.refuses(Refused("no such group"))
    post.deliver()
    erasure.erase_email(post.store, "ana@example.com", post.world.now)
    assert post.alarms() == {}


def test_what_comes_back_after_a_quiet_day_is_told_again(post):
    trouble(post)
    assert len(chores(post)) == 1
    for _ in range(10):
        trouble(post)
        assert chores(post) == [], "it goes on, and everybody knows"
    post.world.now += DAY
    trouble(post)
    assert len(chores(post)) == 1


@pytest.mark.parametrize("error", [Refused("channel_not_found"), LookFirst("500"), KeyError("ts")])
def test_a_channel_that_fails_is_said_in_the_log_once_and_starts_no_loop(post, caplog, error):
    def fail(batch):
        raise error

    post.sides["chat"].then = [fail] * 100
    trouble(post)
    with caplog.at_level(logging.ERROR, "connector.engine"):
        for _ in range(5):
            chores(post)

    assert len(post.world.actions(sink="chat")) == 1
    said = [r.getMessage() for r in caplog.records if r.getMessage().startswith("alarm: ")]
    assert len(said) == 2
    assert said[1].startswith("alarm: alarm-channel: ")


def test_a_trouble_of_long_names_fits_into_the_store(post):
    trouble(post, subject="x" * 500)
    trouble(post, subject="x" * 500)
    assert len(chores(post)) == 1


def test_surveys_that_nobody_knows_are_one_alarm_of_their_source(post):
    for number in range(5):
        post.world.answer(id=str(number), survey=f"{number}" + "y" * 300, score=1)

    [message] = chores(post)
    assert "connector responses replay" in message
    assert "y" * 100 not in message


def test_a_retry_that_is_refused_again_is_told_again(post):
    post.world.answer(id="1", score=1)
    post.desk.then = [lambda batch: [Refused("no such group")]] * 2
    post.settle()
    assert len(chores(post)) == 1
    post.retry()
    post.settle()
    assert len(chores(post)) == 1


def test_a_far_side_that_fails_for_an_hour_is_told_once(post):
    post.world.answer(id="1", score=1)
    post.desk.fails(TryLater("503"), times=1000)
    heard = []
    for _ in range(60):
        post.deliver(after=timedelta(minutes=10))
        heard += chores(post, after=timedelta(0))
    assert [text.endswith("503") for text in heard] == [True]


class Broken:
    """A source whose API fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def pull(self, cursor, now):
        raise self.error
        yield

    def check(self, now):
        return ()


def test_a_source_that_cannot_be_read_for_an_hour_is_told(post):
    world = post.world
    for minutes in range(0, 70, 10):
        post.world.now += timedelta(minutes=10 if minutes else 0)
        poll(world.workspace, "file", Broken(TryLater("503")), world.now)
        assert ("source-paused" in post.alarms()) == (minutes > 0), "added an hour before"
        if minutes > 0:
            break


def test_a_source_without_credentials_is_told_at_once(post):
    poll(post.world.workspace, "file", Broken(Paused("401: a new key")), post.world.now)
    assert post.alarms() == {"source-paused": "401: a new key"}
    with post.store.read() as connection:
        paused = arrivals.source_row(connection, "file").paused_until
    assert paused - post.world.now < HOUR


def test_a_person_ends_what_nothing_else_ends(post: Post, connector, monkeypatch) -> None:
    monkeypatch.chdir(post.world.workspace.settings.directory)
    trouble(post, "remark", "action 7")
    trouble(post, "erased", "action 8")
    code, out, _ = connector("alarms", "list", "--json")
    first, second = json.loads(out)
    assert (code, first["kind"], second["subject"]) == (0, "remark", "action 8")

    words = ("--by", "ana", "--note", "group added")
    code, out, err = connector("alarms", "end", str(first["id"]), "999", *words)
    assert (code, out) == (4, "1 alarm ended.\n")
    assert "not open: 999" in err
    assert connector("alarms", "end", str(first["id"]))[0] == 1
    assert [one["id"] for one in json.loads(connector("alarms", "list", "--json")[1])] == [
        second["id"]
    ]
    over = json.loads(connector("alarms", "list", "--all", "--json")[1])[0]
    assert over["message"] == "look at it (ended by ana: group added)"

    trouble(post, "remark", "action 7")  # its cause is still there
    assert len(json.loads(connector("alarms", "list", "--json")[1])) == 2


def test_an_empty_list_of_alarms_says_so(post: Post, connector, monkeypatch) -> None:
    monkeypatch.chdir(post.world.workspace.settings.directory)
    assert connector("alarms", "list") == (0, "No alarm is open.\n", "")
    assert connector("alarms", "list", "--all")[1] == "There are no alarms.\n"
