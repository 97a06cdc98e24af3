"""`connector report loop`: counted in both databases, as people and programs read it."""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from sqlalchemy import insert, select

from connector.cli.report import loop as command
from connector.cli.rules import replays
from connector.numbers.survival import Waited, quantiles
from connector.recounting import recount
from connector.store.tables import cases, customers, responses
from tests.integration.loop_world import DAY, Cases

on_one_database = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def told(make_world, connector, monkeypatch):
    world = make_world(added_before=timedelta(days=300))
    monkeypatch.chdir(world.workspace.settings.directory)
    monkeypatch.setattr(replays, "utc_now", lambda: world.now)
    monkeypatch.setattr(command, "utc_now", lambda: world.now)

    def report(*words):
        """Case by case, and again from days that have been counted."""
        told = connector("report", "loop", *words)
        recount(world.workspace.store, world.now)
        assert connector("report", "loop", *words) == told
        return told

    world.report = report
    world.read = lambda *words: json.loads(world.report(*words, "--json")[1])
    world.cases = Cases(world)
    return world


def groups(found):
    return {group["group"]: group for group in found["groups"]}


def test_on_time_counts_the_overdue_as_missed_and_leaves_out_what_is_not_due(told):
    told.cases.add(times=6, touched=3)  # in time
    told.cases.add(times=2, touched=30)  # late
    told.cases.add(times=2)  # overdue, untouched
    told.cases.add(0.5, times=5)  # not due yet
    told.cases.add(0.5, times=1, touched=1)  # nor this, or only the quick ones would count
    told.cases.add(times=3, promised=None)
    whole = told.read("--min-n", "5")["whole"]
    assert whole["on_time"] == {
        **{"count": 6, "n": 10, "share": 0.6, "low": 0.3127, "high": 0.8318, "enough": True}
    }
    counted = {name: whole[name] for name in ("cases", "due", "overdue", "unpromised", "untouched")}
    assert counted == {"cases": 19, "due": 10, "overdue": 2, "unpromised": 3, "untouched": 10}


def test_a_deleted_case_stops_no_clock_and_stands_in_a_column_of_its_own(told):
    told.cases.add(times=2, state="gone")
    found = told.read()
    whole = found["whole"]
    assert (whole["gone"], whole["untouched"], whole["on_time"]["count"]) == (2, 0, 0)
    assert whole["on_time"]["n"] == 2
    assert found["cohorts"][0]["gone"] == 2
    assert whole["customer_clock"]["touched"] == 0


def test_closing_is_a_touch_where_no_other_is_known(told):
    told.cases.add(closed=5)
    whole = told.read()["whole"]
    assert (whole["on_time"]["count"], whole["untouched"]) == (1, 0)


def test_cohorts_are_those_of_the_answer_and_only_old_ones_have_a_rate(told):
    # It is Friday, 2026-11-20.
    old = datetime(2026, 10, 7, tzinfo=UTC)  # week 41
    told.cases.add(at=old, closed=10, times=3)
    told.cases.add(at=old, closed=5 * 24, times=2)
    told.cases.add(at=old, closed=20 * 24)
    told.cases.add(at=old, closed=40 * 24)
    told.cases.add(at=old, touched=2)
    told.cases.add(at=old, state="gone")
    told.cases.add(3, closed=1)
    first, last = told.read()["cohorts"]
    assert first == {
        **{"week": "2026-W41", "opened": 9, "closed": 7, "open": 1, "gone": 1},
        **{"closed_in_2": 3, "closed_in_7": 5, "closed_in_30": 6},
    }
    assert last == {
        **{"week": "2026-W47", "opened": 1, "closed": 1, "open": 0, "gone": 0},
        **dict.fromkeys(("closed_in_2", "closed_in_7", "closed_in_30")),
    }
    out = told.report()[1]
    assert "2026-W41" in out
    assert "6 (67 %)" in out
    assert "not over" in out


def test_percentiles_count_those_who_wait_as_longer_than_that(told):
    told.cases.add(times=40, touched=2)
    told.cases.add(times=20, touched=30)
    told.cases.add(times=40)  # waiting for ten days
    whole = told.read()["whole"]
    clock = whole["customer_clock"]
    assert (clock["n"], clock["touched"]) == (100, 60)
    assert clock["p50"]["seconds"] == 30 * 3_600
    assert (clock["p90"]["seconds"], clock["p90"]["high"]) == (None, None)
    working = whole["working_clock"]
    assert (working["n"], working["touched"]) == (100, 60)
    assert (working["p50"]["seconds"], working["p90"]["seconds"]) == (36_000, None)
    out = told.report()[1]
    assert "Customer's clock to the first touch: p50 30.0 h" in out
    assert "p90 not reached" in out
    assert "n 100 cases, 40 of them untouched." in out


def test_they_are_what_a_slow_count_of_single_cases_gives(told):
    rng, waited = random.Random(9), {"nps": [], "partners": []}
    for number in range(150):
        survey = "nps" if number % 3 else "partners"
        minutes, days_ago = rng.randrange(1, 6_000), rng.uniform(0.01, 6)
        touched = minutes / 60 if timedelta(minutes=minutes) < days_ago * DAY else None
        told.cases.add(days_ago, touched=touched, survey=survey, at=None)
        seconds = days_ago * 86_400 if touched is None else minutes * 60
        waited[survey].append(Waited(seconds, int(touched is not None), int(touched is None)))
    for group, found in groups(told.read("--by", "survey")).items():
        for one in quantiles(waited[group], (0.5, 0.9)):
            got = found["customer_clock"][f"p{round(100 * one.share)}"]["seconds"]
            if one.value is None:
                assert got is None
            else:
                assert got == pytest.approx(one.value, abs=900)


def test_reopened_and_closed_with_cause_and_action(told):
    told.cases.add(times=6, closed=2, cause="price", action_taken="refund")
    told.cases.add(times=2, closed=2, cause="bug", action_taken="")
    told.cases.add(times=1, closed=2, reopened=2)
    told.cases.add(times=1, touched=2, reopened=1)  # open again
    told.cases.add(times=5)
    found = told.read("--min-n", "1")
    whole = found["whole"]
    assert (whole["reopened"]["count"], whole["reopened"]["n"]) == (2, 10)
    told_of = {name: (whole[name]["count"], whole[name]["n"]) for name in whole if "with" in name}
    assert told_of == {"with_cause": (8, 9), "with_action": (6, 9), "with_both": (6, 9)}
    assert [(one["name"], one["count"]) for one in found["causes"]] == [("price", 6), ("bug", 2)]
    assert found["actions"] == [{"name": "refund", "count": 6, "of": 9}]


def test_teams_get_a_place_only_where_they_can_be_told_apart(told):
    told.cases.add(times=45, touched=2, team="North", owner="ana")
    told.cases.add(times=5, touched=40, team="North", owner="ben")
    told.cases.add(times=42, touched=2, team="South")
    told.cases.add(times=8, touched=40, team="South")
    told.cases.add(times=40, touched=40, team="West")
    told.cases.add(times=3, touched=40, team=None)
    found = told.read("--by", "team")
    places = {
        name: (group["best_place"], group["worst_place"]) for name, group in groups(found).items()
    }
    assert places == {"North": (1, 2), "South": (1, 2), "West": (3, 3), None: (None, None)}
    assert "groups that share places cannot be told apart" in told.report("--by", "team")[1]
    by_rule = told.read("--by", "rule")
    assert by_rule["ranking"] == ""


@pytest.mark.parametrize("by", ["survey", "source", "segment", "rule", "owner", "team", "week"])
def test_every_group_is_a_part_of_the_whole(told, by):
    told.cases.add(5, times=3, touched=2)
    told.cases.add(20, times=4, survey="partners", source="file", owner=None, segment=None)
    found = told.read("--by", by)
    for name in ("cases", "due", "overdue", "open"):
        assert sum(group[name] for group in found["groups"]) == found["whole"][name]
    ns = [group["customer_clock"]["n"] for group in found["groups"] if group["customer_clock"]]
    assert sum(ns) in (7, 0)  # weeks have no clocks of their own


def test_an_attribute_is_the_one_that_was_known_when_it_was_decided(told):
    told.answer(id="1", score=2, email="a@example.com", properties={"channel": "app"})
    told.cases.add(1, times=2)
    assert groups(told.read("--by", "plan"))[None]["cases"] == 2


@on_one_database
def test_what_nothing_is_grouped_by_is_named(told):
    code, _, err = told.report("--by", "tem")
    assert code == 2
    assert "did you mean 'team'?" in err
    assert "not by day" in told.report("--by", "day")[2]


@on_one_database
def test_without_cases_it_says_so(told):
    assert "There are no such cases." in told.report()[1]


@on_one_database
def test_files_hold_n_period_and_no_formula(told, tmp_path):
    told.cases.add(times=30, touched=2, team="=SUM(A1)")
    told.cases.add(times=2, touched=2, team="<b>few</b>")
    told.report(
        "--by", "team", "--csv", str(tmp_path / "l.csv"), "--html", str(tmp_path / "l.html")
    )
    with (tmp_path / "l.csv").open(encoding="utf-8-sig", newline="") as opened:
        many, few = csv.DictReader(opened)
    assert many["group"] == "'=SUM(A1)"
    assert (many["on_time_n"], many["on_time_share"], many["since"][:4]) == ("30", "1.0", "2026")
    assert (few["on_time_n"], few["on_time_share"]) == ("2", "")
    page = (tmp_path / "l.html").read_text()
    assert "&lt;b&gt;few&lt;/b&gt;" in page
    assert "<b>few" not in page


def answered(world, who, first, then, days_ago=60):
    """Two answers of one customer; returns the id of the first."""
    rows = []
    for number, (score, ago) in enumerate(((first, days_ago), (then, days_ago - 30))):
        at = world.now - ago * DAY
        row = {"id": f"{who}-{number}", "source": "app", "survey": "nps", "score": score}
        row |= {"segment": None, "revision": 1, "content": {}, "content_hash": who}
        rows.append({**row, "answered_at": at, "received_at": at, "history": False})
    person = {"id": who, "attributes": {}, "created_at": world.now}

    def work(connection):
        connection.execute(insert(customers).values(**person))
        connection.execute(insert(responses), [{**row, "customer_id": who} for row in rows])

    world.workspace.store.write(work)
    return rows[0]["id"]


def with_case(world, response, state="closed", closed_days_ago=50):
    at = world.now - closed_days_ago * DAY

    def work(connection):
        made = connection.execute(select(cases)).first()
        row = {c.name: made._mapping[c] for c in cases.c if c.computed is None}
        row |= {"action_id": world.cases.number, "response_id": response}
        row |= {"state": state, "closed_at": at}
        connection.execute(cases.delete().where(cases.c.action_id == world.cases.number))
        connection.execute(insert(cases).values(**row))

    world.cases.add(200, touched=1)
    world.workspace.store.write(work)


def test_recovery_stands_only_beside_those_without_a_case(told):
    for number in range(6):
        with_case(told, answered(told, f"called{number}", 2, 9 if number < 4 else 3))
    with_case(told, answered(told, "late", 2, 9), closed_days_ago=10)  # after the next answer
    alone = told.read("--recovery", "--min-n", "5")["recovery"]
    assert [(one["enough"], one["closed"], one["no_contact"]) for one in alone] == [
        (False, {"n": 6}, {"n": 0})
    ]
    for number in range(5):
        answered(told, f"alone{number}", 1, 8 if number < 2 else 0)
    (found,) = told.read("--recovery", "--min-n", "5")["recovery"]
    assert (found["closed"]["count"], found["closed"]["n"], found["left_out"]) == (4, 6, 1)
    assert (found["no_contact"]["count"], found["no_contact"]["n"]) == (2, 5)
    assert found["low"] < 0 < found["high"]
    out = told.report("--recovery", "--min-n", "5")[1]
    assert "were not chosen by chance" in out


def test_the_state_is_that_of_now_whatever_the_time_that_was_asked_for(told):
    told.cases.add(30, closed=15 * 24)
    found = told.read("--since", "2026-10-01", "--until", "2026-11-01")
    assert found["whole"]["closed"] == 1
    assert found["as_of"] == "2026-11-20T12:00:00Z"
    assert inf > found["whole"]["customer_clock"]["p50"]["seconds"] == 15 * 86_400
