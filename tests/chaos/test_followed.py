"""That the verdict on the follow-up can see."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from connector.domain import case_key, escalation_key, response_id
from tests.chaos import lots
from tests.chaos.followed import MESSAGE, TICKET, FollowUp
from tests.chaos.lots import NOBODY, STILL_OPEN
from tests.chaos.store import Case
from tests.chaos.verdict import Answer, FarSides, Worked

KEY = case_key(response_id("app", "a-00001"), "zendesk:acme")
DUE = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EARLY, LATE, RESTED = DUE - MINUTE, DUE + MINUTE, DUE + 2 * MINUTE
NOTE = f"[{escalation_key(KEY, NOBODY, TICKET)}]"
NOTHING = Worked()
STILL = f"[{escalation_key(KEY, STILL_OPEN, TICKET)}]"


def verdict(
    notes: str = "", messages: int = 0, worked: Worked = NOTHING, **known: Any
) -> tuple[int, int]:
    """(lost, doubled) of one case that was due; `known` is what the installation says of it."""
    state = known.pop("message", "done")
    told = {"respond_by": DUE, "state": "open", "contacted_at": None, "closed_at": None}
    case = Case(**{**told, "escalated": (), **known})
    by = SimpleNamespace(
        begun_by={KEY: worked.touched_at} if worked.touched_at else {},
        solved_by={KEY: worked.solved_at} if worked.solved_at else {},
    )
    there = FarSides(
        made={},
        texts={"desk": {KEY: notes}},
        worked={KEY: worked},
        late=Counter({"a-00001": messages}),
    )
    outbox = {escalation_key(KEY, NOBODY, MESSAGE): state}
    follow_up = FollowUp(there, {KEY: case}, by, outbox, RESTED)  # type: ignore[arg-type]
    tallies = follow_up.judge([Answer("a-00001", [lots.SCORE], "words")])
    return sum(len(t.lost) for t in tallies), sum(len(t.doubled) for t in tallies)


def closed(at: datetime, **more: Any) -> dict[str, Any]:
    told = {"state": "closed", "contacted_at": at, "closed_at": at, "touches": 1, "closings": 1}
    return {**told, **more}


def test_a_case_with_which_nobody_begins_has_each_step_once() -> None:
    assert verdict(NOTE + STILL, 1) == (0, 0)
    assert verdict("", 0) == (3, 0)
    assert verdict(NOTE + STILL, 0) == (1, 0)
    assert verdict(NOTE + STILL, 0, message="in_doubt") == (0, 0)
    assert verdict(NOTE + STILL + STILL, 2) == (0, 2)


def test_before_it_is_due_and_just_then_nothing_has_to_be_there() -> None:
    assert verdict("", 0, respond_by=RESTED + MINUTE) == (0, 0)
    assert verdict(NOTE, 1, respond_by=RESTED + MINUTE) == (0, 2)
    assert verdict("", 0, respond_by=RESTED) == (0, 0)
    assert verdict(NOTE, 1, respond_by=None) == (0, 2)


def test_who_begins_well_before_is_not_told_on_and_who_begins_at_the_last_moment_may_be() -> None:
    begun = {"contacted_at": EARLY, "touches": 1}
    assert verdict(STILL, 0, Worked(EARLY), **begun) == (0, 0)
    assert verdict("", 0, Worked(EARLY), **begun) == (1, 0)
    assert verdict(NOTE + STILL, 1, Worked(EARLY), **begun) == (0, 2)
    just = DUE - timedelta(seconds=1)
    assert verdict(NOTE + STILL, 1, Worked(just), contacted_at=just) == (0, 0)
    assert verdict(STILL, 0, Worked(just), contacted_at=just) == (0, 0)


def test_what_is_solved_is_closed_once_at_that_time_and_begun_by_somebody() -> None:
    solved = Worked(EARLY, EARLY)
    assert verdict("", 0, solved, **closed(EARLY)) == (0, 0)
    assert verdict(STILL, 0, solved, **closed(EARLY)) == (0, 1)
    assert verdict("", 0, solved) == (2, 0)
    assert verdict("", 0, solved, **closed(EARLY, closed_at=LATE)) == (1, 0)
    assert verdict("", 0, solved, **closed(EARLY, contacted_at=None)) == (1, 0)
    assert verdict("", 0, solved, **closed(EARLY, closings=2, reopened=1)) == (0, 1)
    assert verdict("", 0, solved, **closed(EARLY, touches=2)) == (0, 1)


def test_what_nobody_has_done_there_is_not_known_here() -> None:
    assert verdict(NOTE + STILL, 1, contacted_at=EARLY) == (0, 1)
    assert verdict(NOTE + STILL, 1, state="closed", closings=1) == (0, 1)
