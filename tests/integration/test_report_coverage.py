"""`connector report coverage`: sums that add up, in every state, and each gap with its command."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from connector.cli.report import coverage as command
from connector.cli.rules import replays
from connector.gaps import notice_gaps
from connector.reports.coverage import DECISIONS, adds_up
from connector.store import alarms, coverage
from connector.store.tables import actions, decisions, inbox

on_one_database = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
STATES = ("new", "decided", "duplicate", "stale", "ignored", "held", "quarantined", "erased")


@pytest.fixture
def told(make_world, connector, monkeypatch):
    """An installation; `told.report()` -> (exit code, output, said aside), a minute later."""
    world = make_world()
    monkeypatch.chdir(world.workspace.settings.directory)
    world.later = timedelta(minutes=1)
    for module in (replays, command):
        monkeypatch.setattr(module, "utc_now", lambda: world.now + world.later)
    world.report = lambda *words: connector("report", "coverage", *words)
    world.read = lambda *words: json.loads(world.report(*words, "--json")[1])
    return world


def change(world, table, key, value, **values):
    world.workspace.store.write(
        lambda c: c.execute(update(table).where(key == value).values(**values))
    )


def send(world, *scores):
    for number, score in enumerate(scores):
        world.post(id=f"a{number}", score=score, email=f"p{number}@example.com")


def ids(world, table):
    with world.workspace.store.read() as connection:
        return list(connection.scalars(select(table.c.id).order_by(table.c.id)))


def gaps(found):
    return {(gap["number"], gap["what"], gap["command"]) for gap in found["gaps"]}


@on_one_database
def test_what_is_decided_and_delivered_has_no_gap(told):
    send(told, 10, 3, 8)
    told.decide()
    for id in ids(told, actions):
        change(told, actions, actions.c.id, id, state="done", remote_id="r")
    found = told.read()
    total = found["total"]
    assert (total["received"], total["decided"], total["by_rule"]) == (3, 3, 3)
    assert total["actions"] == total["delivered"] == total["confirmed"] == 4
    assert (found["complete"], found["adds_up"], found["gaps"]) == (True, True, [])
    code, out, _ = told.report()
    assert code == 0
    assert "Received 3 = 3 decided + 0 no news + 0 waiting + 0 not understood" in out
    assert "Decided 3 = 3 by a rule + 0 by default + 0 history, which makes nothing" in out
    assert "Actions 4 = 4 delivered + 0 on their way + 0 not wanted + 0 with a person" in out
    assert "No gap." in out
    assert any(line.split()[:3] == ["app", "2026-11-20", "3"] for line in out.splitlines())


def test_records_in_every_state_add_up(told):
    send(told, *range(8))
    told.decide()
    for id, state in zip(ids(told, inbox), STATES, strict=True):
        change(told, inbox, inbox.c.id, id, state=state)
    found = told.read()
    total = found["total"]
    assert total["received"] == 8
    names = (*(s for s in STATES if s != "new"), "waiting")
    assert {name: total[name] for name in names} == dict.fromkeys(names, 1)
    assert found["adds_up"]
    assert not found["complete"]
    assert told.report()[0] == 1
    assert gaps(found) == {
        (1, "records could not be read", "connector responses unread"),
        (1, "records are held: their survey or source is unknown", "connector responses unread"),
    }
    told.later = timedelta(hours=1)
    late = (1, "records wait to be decided for too long", "connector status")
    assert late in gaps(told.read())


def test_actions_in_every_state_add_up(told):
    send(told, *[3] * 9)
    told.decide()
    alarm = ids(told, actions)[-1]  # the message about an alarm belongs to no answer
    change(told, actions, actions.c.id, alarm, response_id=None, source=None, state="parked")
    states = ("waiting", "sending", "held", "done", "parked", "in_doubt", "superseded", "withheld")
    for id, state in zip(ids(told, actions)[:-1], states, strict=True):
        change(told, actions, actions.c.id, id, state=state)
    found = told.read()
    total = found["total"]
    assert found["adds_up"]
    assert (total["actions"], total["unsent"], total["actions_held"]) == (8, 2, 1)
    assert (total["delivered"], total["confirmed"], total["by_hand"]) == (1, 0, 1)
    assert {one[1:] for one in gaps(found)} == {
        ("actions are parked", "connector actions list --state parked"),
        ("actions are in doubt", "connector actions list --state in_doubt"),
        ("actions are held", "connector actions list --state held"),
    }
    told.later = timedelta(hours=1)
    assert (2, "actions are overdue", "connector status") in gaps(told.read())
    out = told.report()[1]
    assert "2 not wanted (superseded 1, withheld 1) + 3 with a person" in out
    assert "Gap: 1 actions are parked; see: connector actions list --state parked" in out


def test_history_default_shadow_and_revisions_are_told_apart(told):
    old = (told.now - timedelta(days=200)).isoformat()
    told.answer(id="1", score=3, at=old, email="a@example.com")
    told.answer(id="2", score=3, survey="rating", email="b@example.com")  # no segment: default
    told.answer(id="3", score=3, email="c@example.com")
    told.answer(id="3", score=3, email="c@example.com", comment="more")
    total = told.read()["total"]
    assert {name: total[name] for name in DECISIONS} == {
        "by_rule": 2,
        "by_default": 1,
        "history": 1,
        "undecided": 0,
    }
    assert total["decided"] == 4


@on_one_database
def test_a_record_without_its_decision_is_a_gap(told):
    send(told, 9)
    told.decide()
    told.workspace.store.write(
        lambda c: (
            c.execute(update(actions).values(decision=None)),
            c.execute(delete(decisions)),
        )
    )
    found = told.read()
    assert (1, "records were decided without a decision", "connector doctor") in gaps(found)
    assert found["adds_up"]
    assert "1 without a decision" in told.report()[1]


@on_one_database
def test_two_decisions_about_one_revision_count_once(told):
    send(told, 9)
    told.decide()
    columns = [c for c in decisions.c if c.name != "number"]
    again = decisions.insert().from_select([c.name for c in columns], select(*columns))
    told.workspace.store.write(lambda c: c.execute(again))
    change(told, decisions, decisions.c.number, 2, history=True)
    total = told.read()["total"]
    assert (total["decided"], total["by_rule"]) == (1, 1)


def test_what_is_decided_while_it_counts_is_no_gap(told, monkeypatch):
    send(told, 3)
    count = coverage.decided

    def decide_first(*asked):
        told.decide()
        return count(*asked)

    monkeypatch.setattr(coverage, "decided", decide_first)
    found = told.read()
    assert (found["total"]["waiting"], found["total"]["decided"]) == (1, 0)
    assert found["adds_up"]


@on_one_database
def test_what_comes_again_word_for_word_is_no_new_record(told):
    for _ in range(2):
        told.post(id="1", score=3, at="2026-11-20T11:59:00Z")
    told.decide()
    total = told.read()["total"]
    assert (total["received"], total["repeats"]) == (1, 1)
    assert "Received 1 (1 came again, word for word)" in told.report()[1]


def test_days_and_sources_stand_apart_and_the_time_is_kept(told):
    send(told, 3, 3)
    told.decide()
    first = ids(told, inbox)[0]
    earlier = told.now - timedelta(days=40)
    change(told, inbox, inbox.c.id, first, received_at=earlier, source="file")
    assert told.read()["total"]["received"] == 1
    days = told.read("--last", "60d")["days"]
    received = {(day["source"], day["day"]): day["received"] for day in days}
    assert received == {("app", "2026-11-20"): 1, ("file", "2026-10-11"): 1}


@on_one_database
def test_nothing_at_all_is_said(told):
    code, out, _ = told.report()
    assert code == 0
    assert "Nothing was received" in out


@pytest.mark.parametrize(
    "wrong", ["received", "decided", "actions", "delivered", "stale", "history", "confirmed"]
)
def test_one_missing_is_noticed(wrong):
    right = Counter(received=3, decided=2, stale=1, by_rule=1, history=1)
    right += Counter(actions=2, delivered=2, confirmed=1, by_hand=1)
    assert adds_up(right)
    assert not adds_up(right + Counter({wrong: 1}))


@on_one_database
def test_each_source_and_day_can_be_taken_into_a_spreadsheet_and_the_sums_onto_a_page(
    told, tmp_path
):
    send(told, 10, 3)
    told.post(id="<b>", score="eleven")
    told.decide()
    told.report("--csv", str(tmp_path / "c.csv"), "--html", str(tmp_path / "c.html"))
    with (tmp_path / "c.csv").open(encoding="utf-8-sig", newline="") as opened:
        [day] = csv.DictReader(opened)
    assert (day["source"], day["received"], day["quarantined"]) == ("app", "3", "1")
    page = (tmp_path / "c.html").read_text()
    assert "Received 3 = 2 decided" in page
    assert "Gap: 1 records could not be read" in page


@on_one_database
def test_a_gap_that_nothing_else_tells_is_an_alarm_until_it_is_closed(told):
    def alarm() -> str:
        notice_gaps(told.workspace.store, told.now)
        with told.workspace.store.read() as connection:
            found = {one.kind: one.message for one in alarms.open_alarms(connection)}
        return found.get("coverage", "")

    assert alarm() == ""
    told.post(id="late", score=3)
    told.now += timedelta(minutes=20)
    assert "1 records wait to be decided for too long (connector status)" in alarm()
    told.decide()
    assert alarm() != "", "it is looked at every five minutes"
    told.now += timedelta(minutes=5)
    assert alarm() == ""
