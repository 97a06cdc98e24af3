"""`connector report lift` and `connector report load`, on both databases."""

from __future__ import annotations

import csv
import json
from datetime import timedelta

import pytest
from sqlalchemy import insert

from connector.cli.report import lift as lift_command
from connector.cli.report import load as load_command
from connector.cli.rules import replays
from connector.store.tables import customers, decisions, responses, rulesets
from tests.integration.conftest import RULES
from tests.integration.loop_world import DAY, Cases

on_one_database = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
HELD = RULES.replace("  - id: thanks\n", "  - id: thanks\n    holdout: 50%\n")


@pytest.fixture
def told(make_world, connector, monkeypatch):
    world = make_world(HELD, added_before=timedelta(days=300))
    monkeypatch.chdir(world.workspace.settings.directory)
    for module in (replays, lift_command, load_command):
        monkeypatch.setattr(module, "utc_now", lambda: world.now)
    world.lift = lambda *words: connector("report", "lift", *words)
    world.load = lambda *words: connector("report", "load", *words)
    with world.workspace.store.read() as connection:
        world.ruleset = world.workspace.ruleset(connection).hash
    world.number = 0
    return world


def matched(world, side, times=1, days_ago=150, then=None, after=40, ruleset=None, history=False):
    """Customers whom the rule matched, and what they answered later."""
    people, given, decided = [], [], []
    for _ in range(times):
        world.number += 1
        who = f"c{world.number:04}"
        people.append({"id": who, "attributes": {}, "created_at": world.now})
        scores = [(2, days_ago)] + ([] if then is None else [(then, days_ago - after)])
        for place, (score, ago) in enumerate(scores):
            at = world.now - ago * DAY
            row = {"id": f"{who}-{place}", "source": "app", "survey": "nps", "score": score}
            row |= {"segment": None, "revision": 1, "content": {}, "content_hash": who}
            row |= {"answered_at": at, "received_at": at, "history": history, "customer_id": who}
            given.append(row)
        matches = [{"rule_id": "thanks", "status": side}]
        row = {"response_id": f"{who}-0", "revision": 1, "ruleset": ruleset or world.ruleset}
        row |= {"engine": "1", "history": history, "facts": {}, "verdict": {"matches": matches}}
        decided.append({**row, "decided_at": world.now})

    def work(connection):
        for table, rows in ((customers, people), (responses, given), (decisions, decided)):
            connection.execute(insert(table), rows)

    world.workspace.store.write(work)


def only(world, *words):
    (found,) = json.loads(world.lift("--json", *words)[1])["rules"]
    return found


def test_customers_count_on_the_side_that_chance_drew(told):
    matched(told, "live", 20, then=8)
    matched(told, "live", 20, then=4)
    matched(told, "live", 10)
    matched(told, "held_out", 15, then=5)
    matched(told, "held_out", 17, then=3)
    matched(told, "shadow", 40, then=10)
    matched(told, "live", 7, then=0, history=True)
    matched(told, "live", 3, days_ago=30)  # they can still answer
    found = only(told)
    assert (found["acted"]["customers"], found["held_out"]["customers"]) == (50, 32)
    assert (found["acted"]["next_score"], found["held_out"]["next_score"]) == (6.0, 3.9375)
    assert found["too_new"] == 3
    assert found["next_score"]["word"] == "higher"
    assert found["next_score"]["difference"] == 2.0625
    assert found["answered_again"]["word"] == "no evidence of a difference"
    code, out, _ = told.lift()
    assert code == 0
    assert "thanks, nps (holdout 50 %)" in out
    assert "Acted on: 50 customers, 40 answered again, mean score 6.00" in out
    assert "Next score: higher; +2.06, interval" in out
    assert "3 matched so lately that they can still answer" in out


def test_the_first_match_counts_and_an_answer_that_comes_too_late_does_not(told):
    matched(told, "held_out", 30, then=9, after=100)
    matched(told, "live", 30, then=9)
    found = only(told)
    assert found["held_out"]["answered_again"]["count"] == 0
    assert found["acted"]["answered_again"]["count"] == 30
    assert found["answered_again"]["word"] == "higher"
    assert found["next_score"]["word"] == "too few to say"
    assert only(told, "--within", "120d")["held_out"]["answered_again"]["count"] == 30


@on_one_database
def test_matches_of_a_time_with_another_share_are_of_another_time(told):
    other = {"hash": "other", "files": {"rules.yaml": RULES}, "stored_at": told.now}
    told.workspace.store.write(lambda c: c.execute(insert(rulesets).values(**other)))
    matched(told, "live", 40, then=10, ruleset="other")
    matched(told, "live", 5)
    assert only(told)["acted"]["customers"] == 5


@on_one_database
def test_without_a_holdout_it_says_how_to_write_one(make_world, connector, monkeypatch):
    world = make_world()
    monkeypatch.chdir(world.workspace.settings.directory)
    assert "No active rule has a holdout" in connector("report", "lift")[1]


@on_one_database
def test_a_rule_that_has_matched_nobody_is_named_and_the_table_holds_both_sides(told, tmp_path):
    assert only(told)["next_score"]["word"] == "too few to say"
    matched(told, "live", 2, then=8)
    told.lift("--csv", str(tmp_path / "l.csv"))
    with (tmp_path / "l.csv").open(encoding="utf-8-sig", newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert (row["rule"], row["acted"], row["held_out"]) == ("thanks", "2", "0")
    assert (row["score_word"], row["since"][:4]) == ("too few to say", "2025")


def loaded(world, *words):
    told = json.loads(world.load("--json", *words)[1])
    return {one["team"]: one for one in told["teams"]}


def test_load_is_told_per_team_and_weekday_with_what_is_open(told):
    cases = Cases(told)
    for week in range(1, 13):  # Mondays: 2026-11-16 and before
        monday = told.now - (4 + 7 * (week - 1)) * DAY
        cases.add(at=monday, closed=5, times=3)
        cases.add(at=monday, closed=5, times=1 if week % 6 else 9, team="Shop")
    cases.add(2, times=2, team="Shop")
    cases.add(6, times=1, touched=2, team=None, owner=None)
    teams = loaded(told, "--capacity", "Shop=4")
    monday = teams["Care"]["weekdays"][0]
    assert monday == {"weekday": "Mon", "n": 12, "p50": 3, "p90": 3, "p95": 3}
    shop = teams["Shop"]
    assert (shop["weekdays"][0]["p50"], shop["weekdays"][0]["p90"]) == (1, 9)
    assert (shop["open"], shop["untouched"], shop["days_over"]) == (2, 2, 2)
    assert [one["over"] for one in shop["expected"] if one["weekday"] == "Mon"] == [True]
    assert (teams["(nobody named)"]["open"], teams["(nobody named)"]["untouched"]) == (1, 0)
    whole = teams[""]
    assert (whole["cases"], whole["open"]) == (12 * 3 + 10 + 18 + 3, 3)
    assert whole["oldest"] == "2026-11-14T12:00:00Z"
    assert whole["kept_to_p90"]["n"] > 0


@on_one_database
def test_people_read_the_load_with_its_period(told, tmp_path):
    Cases(told).add(3, times=2)
    code, out, _ = told.load("--csv", str(tmp_path / "l.csv"))
    assert code == 0
    assert "2 cases opened on" in out
    assert "as soon as a weekday has been seen eight times" in out
    assert (tmp_path / "l.csv").read_text("utf-8-sig").startswith("team,weekday,n,p50,p90,p95")
    assert "(all)" in out
