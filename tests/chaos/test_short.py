"""The short form of the chaos suite, and that its verdict can see."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from connector.domain import amendment_key, case_key, response_id
from tests.chaos.verdict import Answer, FarSides, judge

ROOT = Path(__file__).parents[2]
DESK = case_key(response_id("app", "a-00001"), "zendesk:acme")
NOTE = amendment_key(DESK, 2)


@pytest.mark.timeout(300)
def test_under_fire_nothing_is_lost_and_nothing_is_made_twice() -> None:
    """One process on SQLite; `make chaos SHORT=1` has the distributed set-up too."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.run", "--short", "--set-up", "embedded"],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=280,
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
            "desk": Counter({DESK: tickets}),
            "hub": Counter(),
            "crm": Counter(),
            "chat": Counter({"a-00001": messages}),
            "mail": Counter({"a-00001": mails}),
        },
        texts={"desk": {DESK: text}, "hub": {}, "crm": {}},
    )


def verdict(far: FarSides, score: int = 2, revised: bool = False, **states: str) -> tuple[int, int]:
    """(lost, doubled) of one answer; `states` are by sink, done where nothing is said."""
    answer = Answer("a-00001", score, f"words {1 + revised} of a-00001", revised)

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
    assert verdict(there(mails=3), score=10) == (0, 1)


def test_a_missing_ticket_is_lost_unless_it_is_parked() -> None:
    assert verdict(there(tickets=0)) == (1, 0)
    assert verdict(there(tickets=0), desk="in_doubt") == (1, 0)
    assert verdict(there(tickets=0), desk="parked") == (0, 0)


def test_a_missing_message_is_lost_unless_it_is_in_doubt() -> None:
    assert verdict(there(messages=0)) == (1, 0)
    assert verdict(there(messages=0), other="in_doubt") == (0, 0)


def test_newer_words_have_to_stand_on_the_case_once() -> None:
    assert verdict(there(), revised=True) == (1, 0)
    assert verdict(there(text=f"words 1 [{NOTE}] words 2 of a-00001"), revised=True) == (0, 0)
    twice = f"[{NOTE}] words 2 of a-00001 [{NOTE}] words 2 of a-00001"
    assert verdict(there(text=twice), revised=True) == (0, 1)
