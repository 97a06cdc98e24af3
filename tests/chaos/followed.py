"""Judging the follow-up: what people did at the help desk against what the installation knows, and
what it did about cases with which nobody began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from connector.domain import case_key, escalation_key, response_id
from tests.chaos.agents import Agents
from tests.chaos.lots import NOBODY, STILL_OPEN, STILL_OPEN_AFTER_SECONDS
from tests.chaos.store import Case
from tests.chaos.verdict import ACCOUNTS, Answer, FarSides, Tally, Worked

STILL_OPEN_AFTER = timedelta(seconds=STILL_OPEN_AFTER_SECONDS)
# What was done so shortly before a step was due may have been heard of or not: the help desk tells
# of a change after a second, in whole seconds.
WELL_BEFORE = timedelta(seconds=2)
TICKET, MESSAGE = "zendesk.ticket", "slack.message"


class Due(NamedTuple):
    """How often a step has to have happened, at least and at most."""

    least: int
    most: int


@dataclass
class FollowUp:
    """One run's. `rested_at`: until then everything that was due had its time."""

    there: FarSides
    cases: Mapping[str, Case]
    agents: Agents
    outbox: Mapping[str, str]
    rested_at: datetime

    def judge(self, answers: list[Answer]) -> list[Tally]:
        closed, begun = Tally("cases closed"), Tally("first touches")
        notes, messages = Tally("escalation notes"), Tally("escalation messages")
        for answer in answers:
            key = case_key(response_id("app", answer.id), ACCOUNTS["desk"])
            case, work = self.cases.get(key), self.there.worked.get(key, Worked())
            _count_closing(closed, answer.id, case, work)
            _count_touch(begun, answer.id, case, work)
            nobody = self._due(case, timedelta(0), work.touched_at, self.agents.begun_by.get(key))
            still = self._due(
                case, STILL_OPEN_AFTER, work.solved_at, self.agents.solved_by.get(key)
            )
            for step, due in ((NOBODY, nobody), (STILL_OPEN, still)):
                self._count_note(notes, answer.id, key, step, due)
            self._count_message(messages, answer.id, key, nobody)
        return [closed, begun, notes, messages]

    def _due(
        self, case: Case | None, after: timedelta, done_at: datetime | None, by: datetime | None
    ) -> Due:
        """Of a step that somebody prevents by what they do: when, says the help desk; `by` when at
        the latest, they themselves."""
        if case is None or case.respond_by is None:
            return Due(0, 0)
        due = case.respond_by + after
        if due > self.rested_at:
            return Due(0, 0)
        if done_at is None:
            return Due(int(due <= self.rested_at - WELL_BEFORE), 1)
        return Due(0, 0 if by is not None and by <= due - WELL_BEFORE else 1)

    def _count_note(self, tally: Tally, name: str, case: str, step: str, due: Due) -> None:
        key = escalation_key(case, step, TICKET)
        there = self.there.texts["desk"].get(case, "").count(f"[{key}]")
        self._count(tally, f"{name}: the note of {step}", there, key, due)

    def _count_message(self, tally: Tally, name: str, case: str, due: Due) -> None:
        key = escalation_key(case, NOBODY, MESSAGE)
        self._count(
            tally, f"{name}: the message of {NOBODY}", self.there.late[name], key, due, True
        )

    def _count(
        self, tally: Tally, what: str, there: int, key: str, due: Due, blind: bool = False
    ) -> None:
        state = self.outbox.get(key, "missing")
        in_doubt = blind and state == "in_doubt" and not there
        tally.actions += bool(due.least or there or in_doubt)
        tally.effects += min(there, 1)
        tally.parked += state == "parked"
        tally.in_doubt += in_doubt
        if there > due.most:
            tally.doubled.append(f"{what} is there {there} times, not {due.most}, {state} here")
        if there < due.least and not in_doubt and state != "parked":
            tally.lost.append(f"{what} is not there, {state} here")


def _count_closing(tally: Tally, name: str, case: Case | None, work: Worked) -> None:
    """What a person has solved there is closed here, at that time, once."""
    closed = case is not None and case.state == "closed"
    tally.actions += work.solved_at is not None
    tally.effects += closed
    if work.solved_at is None and case is not None and (closed or case.closings):
        tally.doubled.append(f"{name}: closed here, and nobody has solved it there")
    elif work.solved_at is not None and (case is None or not closed):
        tally.lost.append(f"{name}: solved there, {case.state if case else 'no case'} here")
    elif case is not None and closed:
        if case.closed_at != work.solved_at:
            tally.lost.append(f"{name}: solved {work.solved_at}, closed {case.closed_at} here")
        if case.closings != 1 or case.reopened:
            again = f"closed {case.closings} times, opened again {case.reopened} times"
            tally.doubled.append(f"{name}: {again}")


def _count_touch(tally: Tally, name: str, case: Case | None, work: Worked) -> None:
    """The first touch is known with its time, and only where a person has begun."""
    touched = case.contacted_at if case is not None else None
    tally.actions += work.touched_at is not None
    tally.effects += touched is not None
    if work.touched_at is None and touched is not None:
        tally.doubled.append(f"{name}: begun {touched} here, and by nobody there")
    elif work.touched_at != touched:
        tally.lost.append(f"{name}: begun {work.touched_at} there, {touched} here")
    if case is not None and case.touches > 1:
        tally.doubled.append(f"{name}: begun {case.touches} times")
