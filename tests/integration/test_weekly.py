"""The weekly digest: once for each week and recipient, over real SMTP, without erased people."""

from __future__ import annotations

import functools
import re
import threading
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select

from connector import config, erasure
from connector.cli.digest import preview as preview_command
from connector.delivery import Courier
from connector.engine.chores import do_chores
from connector.sandbox import Sandbox
from connector.sandbox.credentials import SECRETS
from connector.store import Store, weekly
from connector.store.tables import actions, responses
from connector.weekly import last_due, mail_weekly, put_now, told_before
from connector.workspace import Workspace
from tests.integration.beside import acting
from tests.integration.conftest import SECRET
from tests.integration.loop_world import DAY, Cases

on_one_database = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
WEEKLY = """
digest_mail:
  sink: mail
  to: [ana@example.com, ben@example.com]
  zone: Europe/Madrid
  day: friday
  at: "08:00"
"""
FRIDAY = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)  # 08:00 in Madrid


@pytest.fixture
def mailing(make_world, monkeypatch):
    """An installation that has wanted digests for a month."""
    world = make_world(more_sinks=WEEKLY, added_before=timedelta(days=60))
    monkeypatch.chdir(world.workspace.settings.directory)
    world.workspace.store.write(lambda c: weekly.wanted_since(c, world.now - 30 * DAY))
    world.mails = lambda: [a for a in world.actions() if a.kind == "email.digest"]
    return world


def store(world, number, score, days_ago, comment=""):
    at = world.now - days_ago * DAY
    row = {"id": f"r{number}", "source": "app", "survey": "nps", "score": score, "revision": 1}
    row |= {"segment": "promoter" if score > 8 else "detractor", "content": {"comment": comment}}
    row |= {"content_hash": str(number), "answered_at": at, "received_at": at, "history": False}
    world.workspace.store.write(lambda c: c.execute(insert(responses).values(**row)))


def orders(world):
    with world.workspace.store.read() as connection:
        rows = connection.execute(select(actions).where(actions.c.kind == "email.digest"))
        return list(rows.all())


def test_each_recipient_gets_one_when_it_is_due_and_no_second_one(mailing):
    assert mail_weekly(mailing.workspace, FRIDAY - timedelta(minutes=1)) == set()
    one_week_ago = [row.digest for row in mailing.mails()]  # missed by a week: a note, no mail
    assert mail_weekly(mailing.workspace, FRIDAY) == {"mail"}
    assert mail_weekly(mailing.workspace, FRIDAY + timedelta(hours=5)) == set()
    now = [row for row in mailing.mails() if row.digest not in one_week_ago]
    assert [(row.state, row.digest) for row in now] == [("waiting", "weekly-mail-2026-11-20")] * 2
    assert {row.order["params"]["to"] for row in orders(mailing) if row.state == "waiting"} == {
        "ana@example.com",
        "ben@example.com",
    }


def test_two_processes_put_it_once(mailing):
    begin, failed = threading.Barrier(2), []

    def work():
        own = Store(mailing.workspace.store.url)
        try:
            begin.wait()
            mail_weekly(Workspace(mailing.workspace.settings, own), FRIDAY)
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(mailing.mails()) == 2


@on_one_database
def test_late_by_less_than_three_days_it_is_sent_later_a_note_says_that_it_is_not(mailing):
    mail_weekly(mailing.workspace, FRIDAY + timedelta(days=2, hours=23))
    assert [row.state for row in mailing.mails()] == ["waiting", "waiting"]
    mail_weekly(mailing.workspace, FRIDAY + timedelta(days=10))
    assert [row.state for row in mailing.mails()][2:] == ["withheld", "withheld"]
    assert "more than 3 days" in mailing.mails()[2].error
    mail_weekly(mailing.workspace, FRIDAY + timedelta(days=10, hours=1))
    assert len(mailing.mails()) == 4


@on_one_database
def test_what_was_due_before_anybody_asked_is_not_sent(make_world):
    world = make_world(more_sinks=WEEKLY)
    mail_weekly(world.workspace, FRIDAY + timedelta(hours=2))
    assert world.actions() == []
    mail_weekly(world.workspace, FRIDAY + timedelta(days=7))
    assert len(world.actions()) == 2


@on_one_database
@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-11-20T06:59+00:00", "2026-11-13T07:00+00:00"),
        ("2026-11-20T07:00+00:00", "2026-11-20T07:00+00:00"),
        ("2026-10-23T06:00+00:00", "2026-10-23T06:00+00:00"),  # summer time
        ("2026-10-30T06:30+00:00", "2026-10-23T06:00+00:00"),  # the clock has changed since
    ],
)
def test_it_is_due_by_the_clock_on_the_wall(mailing, at, due):
    wanted = mailing.workspace.settings.digest_mail
    assert last_due(wanted, datetime.fromisoformat(at)) == datetime.fromisoformat(due)


def test_it_tells_nps_loop_gaps_and_what_people_wrote(mailing):
    for number in range(60):
        store(mailing, number, 10 if number % 3 else 2, 1 + number % 20)
    store(mailing, 100, 1, 2, "Nobody <b>called</b> me")
    cases = Cases(mailing)
    cases.add(2, times=3)
    cases.add(3, closed=5)
    mail_weekly(mailing.workspace, FRIDAY)
    told = orders(mailing)[0].order["params"]["weekly"]
    (nps,) = told["surveys"]
    assert (nps["n"], nps["verdict"]) == (65, "too few to say")
    assert nps["low"] < nps["nps"] < nps["high"]
    loop = told["loop"]
    assert {name: loop[name] for name in ("opened", "closed", "open", "overdue", "untouched")} == {
        **{"opened": 4, "closed": 1, "open": 3, "overdue": 3, "untouched": 3}
    }
    assert (loop["on_time"], loop["due"]) == (1, 4)
    assert [one["words"] for one in told["verbatims"]] == ["Nobody <b>called</b> me"]


def test_nobody_is_quoted_who_was_erased_before_it_went_out(mailing):
    store(mailing, 1, 2, 2, "My name is Ana Perez")
    store(mailing, 2, 2, 3, "Too slow")
    mail_weekly(mailing.workspace, FRIDAY)
    assert "Ana Perez" in str(orders(mailing)[0].order)
    erasure.erase_response(mailing.workspace.store, "r1", mailing.now)
    for row in orders(mailing):
        assert "Ana Perez" not in str(row.order)
        assert "Too slow" in str(row.order)
        assert (row.state, row.request) == ("waiting", None)


@pytest.mark.parametrize("by_hand", [False, True])
def test_nobody_is_quoted_who_is_erased_while_it_is_written(mailing, monkeypatch, by_hand):
    store(mailing, 1, 2, 2, "My name is Ana Perez")
    store(mailing, 2, 2, 3, "Too slow")

    def meanwhile(*asked):
        told = told_before(*asked)
        erasure.erase_response(mailing.workspace.store, "r1", mailing.now)
        return told

    monkeypatch.setattr("connector.weekly.told_before", meanwhile)
    if by_hand:
        put_now(mailing.workspace, mailing.workspace.settings.digest_mail, FRIDAY)
    else:
        mail_weekly(mailing.workspace, FRIDAY)
    assert len(orders(mailing)) == 2
    for row in orders(mailing):
        assert "Ana Perez" not in str(row.order)
        assert "Too slow" in str(row.order)


@on_postgresql
def test_nobody_is_quoted_who_is_erased_while_it_is_put(mailing):
    store(mailing, 1, 2, 2, "My name is Ana Perez")
    erase = functools.partial(erasure.erase_response, response="r1", now=mailing.now)
    with acting(mailing.workspace.store, "INSERT INTO actions", erase):
        mail_weekly(mailing.workspace, FRIDAY)
    assert [row.state for row in orders(mailing)] == ["waiting", "waiting"]
    assert all("Ana Perez" not in str(row.order) for row in orders(mailing))


@on_one_database
def test_it_arrives_over_smtp_whole_in_text_and_html_with_its_charts(make_world):
    with Sandbox() as running:
        host, port = running.urls["smtp"].split(":")
        world = make_world(more_sinks=WEEKLY, added_before=timedelta(days=60))
        here = {"host": host, "port": int(port), "security": "none"}
        here |= {"user": SECRETS["SMTP_USER"], "password": SecretStr(SECRETS["SMTP_PASSWORD"])}
        sinks = world.workspace.settings.sinks
        sinks["mail"] = sinks["mail"].model_copy(update=here)
        world.workspace.store.write(lambda c: weekly.wanted_since(c, world.now - 30 * DAY))
        for number in range(80):
            store(world, number, 10 if number % 4 else 2, 1 + number % 6)
        store(world, 100, 1, 2, "Nobody <b>called</b> me {{ back }}")
        do_chores(world.workspace, world.now)
        sink = world.workspace.new_sink("mail")
        courier = Courier(world.workspace.store, "mail", sink, later(world))
        assert courier.round().outcomes == {"done": 1}
        assert courier.round().outcomes == {"done": 1}
        first, second = running.mail.messages()
    assert {first["rcpt_tos"][0], second["rcpt_tos"][0]} == {"ana@example.com", "ben@example.com"}
    assert first["kind"] == "email.digest"
    assert first["headers"]["Subject"] == "NPS, week of 13 November 2026"
    assert "NPS 48, 95 % interval" in first["text"]
    assert "> Nobody <b>called</b> me" in first["text"]
    assert "&lt;b&gt;called&lt;/b&gt;" in first["html"]
    assert "<b>called" not in first["html"]
    assert re.search(r'<img src="cid:chart0\.[0-9a-f]{32}@example\.com"', first["html"])
    assert 'alt="NPS by week with its 95 % interval. week of 13 November:' in first["html"]
    (row, _) = orders(world)
    message = message_from_bytes(row.request, policy=policy.default)
    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"].strip("<>") in first["html"]
    assert picture.get_content().startswith(b"\x89PNG")
    assert message["Auto-Submitted"] == "auto-generated"


def later(world):
    return lambda: world.now + timedelta(minutes=1)


@on_one_database
def test_what_was_sent_is_emptied_of_who_is_erased_later(mailing):
    store(mailing, 1, 2, 2, "My name is Ana Perez")
    mail_weekly(mailing.workspace, FRIDAY)
    mailing.workspace.store.write(
        lambda c: c.execute(actions.update().values(state="done", request=b"Ana Perez"))
    )
    erasure.erase_response(mailing.workspace.store, "r1", mailing.now)
    assert [(row.state, row.request) for row in orders(mailing)] == [("done", None)] * 2
    assert all("Ana Perez" not in str(row.order) for row in orders(mailing))


def test_the_preview_shows_it_and_send_now_sends_one_more(
    mailing, connector, tmp_path, monkeypatch
):
    monkeypatch.setattr(preview_command, "utc_now", lambda: mailing.now)
    for number in range(40):
        store(mailing, number, 10, 1 + number % 5, "Grazie" if number == 3 else "")
    code, out, _ = connector("digest", "preview")
    assert code == 0
    assert out.startswith("Subject: NPS, week of 13 November 2026\n\nWeek of 13 November to 19")
    assert "> Grazie\n  (10 of 10, nps)" in out
    assert connector("digest", "preview", "--html", str(tmp_path / "d.html"))[0] == 0
    assert '<img src="data:image/png;base64,' in (tmp_path / "d.html").read_text()
    assert mailing.mails() == []
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("TOKEN", "t")
    assert connector("digest", "preview", "--send-now")[1].startswith("2 mails put into the outbox")
    assert [row.state for row in mailing.mails()] == ["waiting", "waiting"]


@on_one_database
def test_without_the_section_the_command_says_what_to_write(make_world, connector, monkeypatch):
    world = make_world()
    monkeypatch.chdir(world.workspace.settings.directory)
    code, _, err = connector("digest", "preview")
    assert code == 1
    assert "has no digest_mail: section" in err


@on_one_database
@pytest.mark.parametrize(
    ("line", "wrong", "said"),
    [
        ("sink: mail", "sink: desk", "sink 'desk' sends no mail; there are: mail"),
        ("zone: Europe/Madrid", "zone: Europe/Madird", "time zone 'Europe/Madird' does not exist"),
        ("ben@example.com", "ben", "'ben' is no e-mail address"),
        ("day: friday", "day: freitag", "monday"),
        ('at: "08:00"', 'at: "8h"', "write a time of day in quotes"),
        ("day: friday", "surveys: [npss]", "survey 'npss' does not exist"),
    ],
)
def test_mistakes_in_the_section_are_named(make_world, line, wrong, said):
    from connector.errors import Invalid

    with pytest.raises(Invalid) as found:
        make_world(more_sinks=WEEKLY.replace(line, wrong))
    assert any(said in str(problem) for problem in found.value.problems)


def test_settings_are_read(mailing):
    wanted = mailing.workspace.settings.digest_mail
    assert isinstance(wanted, config.DigestMail)
    assert (wanted.language, wanted.at, wanted.surveys) == ("en", "08:00", None)
