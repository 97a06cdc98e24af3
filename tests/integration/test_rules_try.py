"""`connector rules try` as people call it, on a store that it cannot change."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError

from connector import replaying
from connector.cli import moments
from connector.cli.rules import replays
from connector.store import forgetting, tables
from connector.store.readonly import ReadOnlyStore
from tests.integration.conftest import RULES

Run = Callable[..., tuple[int, str, str]]
CALM = RULES.replace("segment: detractor}\n", "score: {at_most: 2}}\n")  # of the rule `detractor`
NEW = RULES.replace(
    "rules:\n",
    "rules:\n  - id: passive\n    when: {segment: passive}\n"
    "    then: [{zendesk.ticket: {group: Care}}]\n",
)


@pytest.fixture
def run(world, connector, monkeypatch, tmp_path) -> Run:
    """`run(rules, "--json")` -> (exit code, what was printed, what was said on the side)."""
    monkeypatch.chdir(world.workspace.settings.directory)
    today = world.now + timedelta(days=1)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls.fromtimestamp(today.timestamp(), tz)

    monkeypatch.setattr(replays, "utc_now", lambda: today)
    monkeypatch.setattr(moments, "datetime", Clock)
    (tmp_path / "try").mkdir()

    def call(rules: str, *words: str) -> tuple[int, str, str]:
        file = tmp_path / "try" / "candidate.yaml"
        file.write_text(rules)
        return connector("rules", "try", str(file), *words)

    return call


@pytest.fixture
def past(make_world) -> Any:
    """Five days: 2, 0, 3, 1 and 1 detractors, and as many passives."""
    world = make_world(added_before=timedelta(days=30))
    number = 0
    for detractors in (2, 0, 3, 1, 1):
        for score in [4] * detractors + [8] * detractors:
            number += 1
            person = {"email": f"p{number}@example.com", "name": f"=P{number}"}
            world.answer(id=str(number), score=score, comment="\x1b[2J-1+1", **person)
        world.now += timedelta(days=1)
    world.now -= timedelta(days=1)
    return world


@pytest.fixture
def world(past) -> Any:
    return past


def rows(world) -> dict[str, list[Any]]:
    with world.workspace.store.read() as connection:
        return {
            table.name: list(map(tuple, connection.execute(select(table)).all()))
            for table in tables.metadata.sorted_tables
        }


def test_the_rules_that_are_active_change_nothing(run: Run) -> None:
    code, out, _ = run(RULES)
    assert code == 0
    assert "14 answers, 14 decisions. Nothing is made or sent." in out
    assert "No ticket, task, mail or alert changes." in out
    told = json.loads(run(RULES, "--json")[1])
    assert told["changes"] == told["differences"] == []
    assert all(one["active"] == one["candidate"] for one in told["rules"])
    assert told["active"]["active_since"] == "2026-10-21T12:00:00Z"


def test_what_appears_and_disappears_and_for_whom(run: Run) -> None:
    told = json.loads(run(CALM, "--json")[1])
    assert told["changes"] == [{"change": "disappears", "kind": "zendesk.ticket", "count": 7}]
    told = json.loads(run(NEW, "--json", "--limit", "3")[1])
    assert told["changes"] == [
        {"change": "appears", "kind": "zendesk.ticket", "count": 7},
        {"change": "disappears", "kind": "email.thank_you", "count": 7},
    ]
    assert len(told["differences"]) == 3
    newest = told["differences"][0]
    assert (newest["becomes"] or newest["why"]).startswith(("passive (Care)", "the customer has"))
    counts = {(one["rule"], one["what"]): one["candidate"] for one in told["rules"]}
    assert counts["thanks", "email.thank_you withheld"] == 7
    assert counts["passive", "zendesk.ticket"] == 7


def test_days_teams_and_capacities(run: Run) -> None:
    words = ("--capacity", "2", "--capacity", "Care=1", "--json")
    told = json.loads(run(NEW, *words)[1])
    everybody, care, rest = told["teams"]
    # a day: 2 0 3 1 1 active, twice that with a ticket for each passive
    assert (told["days"], everybody["team"], care["team"]) == (5, "all teams", "Care")
    assert rest["team"] == "desk, nobody named"
    active, candidate = everybody["active"], everybody["candidate"]
    assert [active[name] for name in ("total", "p50", "p90", "most", "over")] == [7, 1, 3, 3, 1]
    assert [candidate[name] for name in ("total", "p50", "p90", "most", "over")] == [14, 2, 6, 6, 2]
    assert [care["candidate"][name] for name in ("total", "p90", "over")] == [7, 3, 2]
    assert list(active["by_day"].values()) == [2, 0, 3, 1, 1]
    # from Friday, 20 November 2026, on
    assert active["by_weekday"] == [1.0, 1.0, 0.0, 0.0, 2.0, 0.0, 3.0]
    out = run(NEW, *words[:-1])[1]
    assert "Cases per day, over 5 days (UTC):" in out
    assert "What a replay cannot know:" in out


def test_a_case_that_never_was_is_open_as_long_as_yours_usually_are(run: Run, world) -> None:
    assert json.loads(run(NEW, "--json")[1])["closes_after_seconds"] is None
    assert "one that never was stays open to the end" in run(NEW)[1]
    for action, hours in zip(world.actions(sink="desk"), (1, 5, 30), strict=False):
        closed = action.created_at + timedelta(hours=hours)
        mine = update(tables.actions).where(tables.actions.c.id == action.id)
        change = mine.values(state="done", first_sent_at=action.created_at, closed_at=closed)
        world.workspace.store.write(lambda c, change=change: c.execute(change))
    assert json.loads(run(NEW, "--json")[1])["closes_after_seconds"] == 5 * 3600
    assert "is taken to be open for 5 h" in run(NEW)[1]
    told = json.loads(run(NEW, "--json", "--closes-after", "2d")[1])
    assert told["closes_after_seconds"] == 2 * 24 * 3600
    assert run(NEW, "--closes-after", "0")[0] == 2


def test_a_part_of_the_time(run: Run, world) -> None:
    begin = (world.now - timedelta(days=2)).isoformat()
    until = (world.now - timedelta(days=1)).isoformat()
    assert json.loads(run(RULES, "--json", "--last", "26h")[1])["answers"] == 2
    told = json.loads(run(RULES, "--json", "--since", begin, "--until", until)[1])
    assert told["answers"] == 8
    assert run(RULES, "--last", "1d", "--since", begin)[0] == 2
    assert run(RULES, "--since", until, "--until", begin)[0] == 2


def test_one_survey_and_history(run: Run, world) -> None:
    assert json.loads(run(RULES, "--json", "--survey", "partners")[1])["answers"] == 0
    code, _, err = run(RULES, "--survey", "nsp")
    assert (code, "did you mean 'nps'" in err) == (1, True)
    old = (world.now - timedelta(days=9)).isoformat()
    world.answer(id="old", score=1, email="old@example.com", at=old)
    told = json.loads(run(RULES, "--json")[1])
    assert (told["answers"], told["history"]) == (15, 1)
    assert told["teams"][0]["active"]["total"] == 7
    told = json.loads(run(RULES, "--json", "--as-news")[1])
    assert told["teams"][0]["active"]["total"] == 8


def test_a_broken_file_is_refused_with_every_problem(run: Run) -> None:
    broken = RULES.replace("segment: promoter", "segmnt: promoter").replace("hub", "hob")
    code, out, err = run(broken)
    assert code == 3
    assert out == ""
    assert "candidate.yaml:15:" in err
    assert "did you mean 'segment'?" in err
    assert "unknown action 'hobspot.task'" in err


def test_templates_that_stand_beside_the_file_are_taken(run: Run, tmp_path) -> None:
    folder = tmp_path / "try" / "templates" / "other"
    folder.mkdir(parents=True)
    (folder / "en.txt").write_text("Subject: Other\n\nOther.\n")
    code, _, err = run(RULES)
    assert code == 3
    assert "no mail template 'thank_you'" in err
    assert run(RULES.replace("thank_you}", "other}"))[0] == 0


def test_nothing_is_written_to_the_store(run: Run, world) -> None:
    before = rows(world)
    assert run(NEW)[0] == 0
    assert rows(world) == before


def test_the_database_itself_refuses_to_be_written_to(world) -> None:
    before = rows(world)
    store = ReadOnlyStore(world.workspace.store.url)
    try:
        for statement in (
            update(tables.responses).values(score=0),
            insert(tables.settings).values(name="x", value="y"),
            tables.alarms.delete(),
        ):
            with (
                store.engine.connect() as connection,
                pytest.raises(DBAPIError, match=r"read.?only"),
            ):
                connection.execute(statement)
        with store.read() as connection:
            assert len(connection.execute(select(tables.responses.c.id)).all()) == 14
            if connection.dialect.name == "sqlite":  # neither of its two locks needs the other
                assert connection.exec_driver_sql("PRAGMA query_only").scalar() == 1
                connection.exec_driver_sql("PRAGMA query_only=OFF")
                with pytest.raises(DBAPIError, match="readonly"):
                    connection.exec_driver_sql("DELETE FROM alarms")
    finally:
        store.close()
    assert rows(world) == before


def test_hostile_words_do_nothing_to_a_terminal_or_a_spreadsheet(run: Run, tmp_path) -> None:
    table = tmp_path / "found.csv"
    code, out, _ = run(CALM, "--csv", str(table), "--limit", "2")
    assert code == 0
    assert "\x1b" not in out
    assert "and 5 more: --limit, or all with --csv FILE" in out
    found = list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"))))
    assert len(found) == 7
    assert {one["name"][:3] for one in found} == {"'=P"}
    assert {one["words"] for one in found} == {"[2J-1+1"}
    assert "\x1b" not in table.read_text("utf-8-sig")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process does it all")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_come_to_the_same(run: Run, monkeypatch) -> None:
    alone = json.loads(run(NEW, "--json")[1])
    monkeypatch.setattr(replaying, "_WORTH_TWO", 1)
    assert json.loads(run(NEW, "--json")[1]) == alone


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process does it all")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_part_that_dies_gives_no_half_result(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(replaying, "_WORTH_TWO", 1)
    monkeypatch.setattr(replaying, "_replay", lambda *_: os._exit(9))
    code, out, err = run(NEW, "--json")
    assert (code, out) == (1, "")
    assert "a process of the replay ended before its time" in err


def test_on_a_terminal_a_bar_says_how_far_it_is(run: Run, monkeypatch) -> None:
    drawn = io.StringIO()
    drawn.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", drawn)
    monkeypatch.setenv("TERM", "xterm")
    assert run(RULES)[0] == 0
    assert "Replaying" in drawn.getvalue()
    assert "100%" in drawn.getvalue()


def test_a_store_without_rules_says_what_to_do(run: Run, world) -> None:
    gone = tables.settings.delete()
    world.workspace.store.write(lambda connection: connection.execute(gone))
    code, _, err = run(RULES)
    assert (code, "no rules are active yet" in err) == (1, True)


def test_an_erased_person_is_left_out_and_counted(run: Run, world) -> None:
    response = world.responses()[0].id
    world.workspace.store.write(lambda c: forgetting.empty_response(c, response, world.now))
    told = json.loads(run(RULES, "--json")[1])
    assert (told["answers"], told["erased"]) == (13, 1)
    assert "1 decision left out" in run(RULES)[1]
