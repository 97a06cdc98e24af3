"""Cases that are due while nobody acts: each step of `escalation` is judged once for each, in the
transaction that makes what it asks for."""

from __future__ import annotations

import functools
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from connector import faultpoints
from connector.domain import Facts, Verdict
from connector.errors import Invalid
from connector.placing import Outbox
from connector.rules.escalation import unjudged
from connector.stepping import take
from connector.store import alarms, cases, escalating, outbox, readings
from connector.store.cases import Change, Event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.rules.escalation import Step
    from connector.rules.model import Ruleset
    from connector.workspace import Workspace

OVERDUE = "(overdue)"  # the step that every installation has: it is noted; an alarm where urgent
ACT_WITHIN = timedelta(days=1)  # a step that is new, or was missed for longer, starts no flood
_WAIT_FOR_NEWS = timedelta(hours=1)  # somebody may have begun, and we have not heard of it yet
_TOGETHER = 20  # others wait for the writer
_MOST = 500  # at a time
_CALENDARS = 10  # nine working hours can be this many times as long by the clock
_LONG_AGO = timedelta(days=15)
_URGENT = ("urgent", "high")


def escalate(workspace: Workspace, now: datetime) -> set[str]:
    """Everything that is due, some cases at a time; returns the sinks that have work because of it.

    Raises:
        StoreDown: when the database is down; what is not judged yet is judged the next time.
    """
    store = workspace.store
    with store.read() as connection:
        ruleset = _usable(connection, workspace)
        steps = ruleset.escalation if ruleset is not None else ()
        longest = max((step.overdue_by for step in steps), default=timedelta(0))
        since = now - _LONG_AGO - longest * _CALENDARS
        seen = escalating.overdue(connection, since, now)
    due = [row.action_id for row in seen if _is_open(row, steps)][:_MOST]
    rung: set[str] = set()
    for start in range(0, len(due), _TOGETHER):
        some = due[start : start + _TOGETHER]
        work = functools.partial(_judge_some, workspace=workspace, some=some, now=now)
        sinks = store.write(work)
        if sinks:
            faultpoints.reach("escalated")
        rung |= sinks
    return rung


def _usable(connection: Connection, workspace: Workspace) -> Ruleset | None:
    """None where the active rules cannot be used here, of which another alarm tells: what is
    overdue is noted all the same."""
    try:
        return workspace.ruleset(connection)
    except Invalid:
        return None


def _is_open(seen: Any, steps: Sequence[Step]) -> bool:
    known = seen.escalated or ()
    return OVERDUE not in known or any(unjudged(steps, known))


def _judge_some(
    connection: Connection, workspace: Workspace, some: Sequence[int], now: datetime
) -> set[str]:
    # First of all, as whoever erases: what is told quotes earlier answers of the same customer.
    readings.hold(connection)
    ruleset = _usable(connection, workspace)
    heard = escalating.heard(connection)
    shared: Outbox | None = None
    if ruleset is not None:
        shared = Outbox(connection, workspace, ruleset.timetable, now)
    for case in some:
        found = escalating.lock(connection, case)
        if found is None:
            continue
        before = list(found.case.escalated or ())
        done = list(before)
        if OVERDUE not in done and _is_known(heard, found.case, found.case.respond_by, now):
            _note_overdue(connection, found.case, now)
            done.append(OVERDUE)
        if ruleset is not None and shared is not None:
            done += _judge(shared, ruleset, found, heard, now)
        if done != before:
            escalating.judged(connection, case, done)
    if shared is None:
        return set()
    if shared.new:
        faultpoints.reach("judged")
    add = functools.partial(outbox.add_actions, rows=shared.new)
    if not faultpoints.only_in_memory("ledger", lambda: workspace.store.write(add)):
        add(connection)
    return shared.sinks


def _is_known(heard: dict[str, datetime | None], case: Any, since: datetime, now: datetime) -> bool:
    """Has its far side been heard since then, and about this case? A receipt may come long after
    the record was made, and after it was due. It is not waited for longer than an hour."""
    if case.sink not in heard:
        return True  # nobody follows it
    since, last = max(since, case.opened_at), heard[case.sink]
    told = case.told_at is not None and last is not None and last >= since
    return told or now - since >= _WAIT_FOR_NEWS


def _note_overdue(connection: Connection, case: Any, now: datetime) -> None:
    """Once; the clock of a case that somebody has begun has stopped already."""
    if case.contacted_at is not None:
        return
    event = Event("overdue", "overdue", case.respond_by, detail="nobody has begun")
    cases.change(connection, [Change(case.action_id, {}, [event])], now)
    fresh = now - case.respond_by <= ACT_WITHIN
    if fresh and case.segment == "detractor" and case.priority in _URGENT:
        when = f"{case.respond_by.astimezone(UTC):%a %d %b %H:%M} UTC"
        message = (
            f"nobody has begun with case {case.action_id} ({case.sink} {case.remote_id}), due "
            f"{when}; see it: connector cases show {case.action_id}"
        )
        alarms.raise_alarm(connection, "untouched", f"case {case.action_id}", message, now)


def _judge(
    shared: Outbox,
    ruleset: Ruleset,
    found: escalating.Escalated,
    heard: dict[str, datetime | None],
    now: datetime,
) -> list[str]:
    """The steps whose time has come, whether or not they did anything."""
    case, times = found.case, ruleset.timetable
    waiting = list(unjudged(ruleset.escalation, case.escalated or ()))
    hours = _hours(shared.connection, found)
    due = {one.id: one.due_at(times, hours, case.survey, case.respond_by) for one in waiting}
    ripe = [
        one for one in waiting if due[one.id] <= now and _is_known(heard, case, due[one.id], now)
    ]
    fresh = [step for step in ripe if now - due[step.id] <= ACT_WITHIN]
    if not fresh or found.facts is None:
        return [step.id for step in ripe]
    try:
        facts = Facts.model_validate(found.facts)
    except ValidationError:  # kept by a version too different
        return [step.id for step in ripe]
    for step in fresh:
        if step.concerns(facts, touched=case.contacted_at is not None):
            take(shared, ruleset, found, facts, step)
    return [step.id for step in ripe]


def _hours(connection: Connection, found: escalating.Escalated) -> str:
    told = escalating.verdict_of(connection, found.case.action_id)
    try:
        intents = Verdict.model_validate(told).intents if told else ()
    except ValidationError:
        return ""
    wanted = (found.action.rule_id, found.action.kind)
    return next((one.hours for one in intents if (one.rule_id, one.kind) == wanted), "")
