"""The short form of the chaos suite, and that its verdict can see."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from connector.domain import amendment_key, case_key, response_id
from tests.chaos.report import Report, load, of_the_whole, save
from tests.chaos.verdict import Answer, FarSides, Tally, judge

ROOT = Path(__file__).parents[2]
DESK = case_key(response_id("app", "a-00001"), "zendesk:acme")
NOTE = amendment_key(DESK, 2)


@pytest.mark.timeout(600)  # a busy machine may take its time
def test_under_fire_nothing_is_lost_and_nothing_is_made_twice() -> None:
    """One process on SQLite; `make chaos SHORT=1` has the distributed set-up too."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.run", "--short", "--set-up", "embedded"],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1:]
    assert done.returncode == 0, done.stdout + done.stderr
    assert last[0].startswith("chaos: ")
    assert " 0 lost, 0 doubled, " in last[0]


def there(
    tickets: int = 1, messages: int = 1, mails: int = 0, text: str = "words 1 of a-00001"
) -> FarSides:
    return FarSides(
        made={
            "desk": Counter({DESK: tickets} if tickets else {}),
            "hub": Counter(),
            "crm": Counter(),
            "chat": Counter({"a-00001": messages} if messages else {}),
            "mail": Counter({"a-00001": mails} if mails else {}),
        },
        texts={"desk": {DESK: text}, "hub": {}, "crm": {}},
    )


def verdict(far: FarSides, *scores: int, **states: str) -> tuple[int, int]:
    """(lost, doubled) of one answer; `states` are by sink, done where nothing is said."""
    scores = scores or (2,)
    answer = Answer("a-00001", list(scores), f"words {len(scores)} of a-00001")

    class Outbox(dict[str, str]):
        def get(self, key: str, default: str = "") -> str:  # type: ignore[override]
            sink = "note" if key == NOTE else "desk" if key == DESK else "other"
            return states.get(sink, "done")

    tallies = judge([answer], far, Outbox())
    return sum(len(t.lost) for t in tallies), sum(len(t.doubled) for t in tallies)


def test_one_of_each_is_neither_lost_nor_doubled() -> None:
    assert verdict(there()) == (0, 0)


def test_a_second_ticket_or_message_is_doubled() -> None:
    assert verdict(there(tickets=2)) == (0, 1)
    assert verdict(there(messages=2)) == (0, 1)
    assert verdict(there(0, 0, mails=3), 10) == (0, 1)


def test_a_missing_ticket_is_lost_unless_it_is_parked() -> None:
    assert verdict(there(tickets=0)) == (1, 0)
    assert verdict(there(tickets=0), desk="in_doubt") == (1, 0)
    assert verdict(there(tickets=0), desk="parked") == (0, 0)


def test_a_missing_message_is_lost_unless_it_is_in_doubt() -> None:
    assert verdict(there(messages=0)) == (1, 0)
    assert verdict(there(messages=0), other="in_doubt") == (0, 0)


def test_newer_words_have_to_stand_on_the_case_once() -> None:
    note = f"[{NOTE}] words 2 of a-00001"
    assert verdict(there(), 2, 2) == (1, 0)
    assert verdict(there(text=f"words 1 {note}"), 2, 2) == (0, 0)
    assert verdict(there(text=f"{note} {note}"), 2, 2) == (0, 1)
    assert verdict(there(text=f"words 2 of a-00001 {note}"), 2, 2) == (0, 1)


def test_what_nobody_asked_for_is_doubled() -> None:
    assert verdict(there(mails=1)) == (0, 1)
    assert verdict(there(0, 1, mails=1), 10) == (0, 1)
    assert verdict(there(1, 0, mails=1), 10) == (0, 1)


def test_who_turned_happy_has_a_case_or_a_mail_and_never_both() -> None:
    told = f"words 1 [{NOTE}] words 2 of a-00001"
    assert verdict(there(text=told), 0, 10) == (0, 0)
    assert verdict(there(0, 0, mails=1), 0, 10) == (0, 0)
    assert verdict(there(mails=1, text=told), 0, 10) == (0, 1)
    assert verdict(there(0, 0), 0, 10) == (1, 0)
    assert verdict(there(0, 0), 0, 10, other="in_doubt") == (0, 0)


def test_who_turned_unhappy_has_a_case_and_may_have_had_a_mail() -> None:
    said = "words 2 of a-00001"
    assert verdict(there(text=said), 10, 0) == (0, 0)
    assert verdict(there(mails=1, text=said), 10, 0) == (0, 0)
    assert verdict(there(0, 1), 10, 0) == (1, 0)
    assert verdict(there(mails=2, text=said), 10, 0) == (0, 1)


def test_the_report_survives_and_says_what_never_happened(tmp_path: Path) -> None:
    tally = Tally("desk ticket", actions=120, effects=119, lost=["a-00001: nothing"])
    fired = {"kill -9 of web": 2, "broker flushed": 0}
    first = Report("redis", 7, acknowledged=120, seconds=41.6, tallies=[tally], fired=fired)
    second = Report("redis", 8, broken="key", acknowledged=260, tallies=[Tally("desk ticket")])
    save([first, second], tmp_path / "table.md")
    assert sorted(load(tmp_path / "table.md"), key=lambda one: one.seed) == [first, second]
    text = (tmp_path / "table.md").read_text()
    assert "| redis | 7 | 120 | 120 | 1 | 0 | 0 | 0 | 2 | 42 |" in text
    assert "| key | redis, seed 8 | 260 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in text
    assert of_the_whole([first], short=False) == [
        "redis: only 120 answers were acknowledged, not 500",
        "redis: never happened: broker flushed",
    ]


def test_a_seed_fails_by_few_answers_many_parked_or_unexplained_doubt() -> None:
    tally = Tally("mail mail", actions=100, parked=2, in_doubt=3)
    report = Report("redis", 7, acknowledged=99, tallies=[tally], may_be_in_doubt=2)
    assert report.shortcomings() == [
        "only 99 answers were acknowledged",
        "2 of 100 actions were parked",
        "3 in doubt, but faults hit only 2",
    ]
