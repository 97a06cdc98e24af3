"""Cases that are due while nobody acts: each step of `escalation` is judged once for each, in the
transaction that makes what it asks for."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from connector.domain import About, Facts, Verdict, escalation_key
from connector.errors import Invalid
from connector.placing import Outbox, Placed, Placing
from connector.rules.escalation import changed_params, unjudged
from connector.rules.render import Renderer
from connector.store import alarms, cases, escalating, outbox
from connector.store.cases import Change, Event
from connector.text import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.rules.escalation import Step
    from connector.rules.model import Action, Ruleset
    from connector.workspace import Workspace

OVERDUE = "(overdue)"  # the step that every installation has: it is noted; an alarm where urgent
ACT_WITHIN = timedelta(days=1)  # a step that is new, or was missed for longer, starts no flood
_MOST = 500  # at a time: others wait for the writer
_URGENT = ("urgent", "high")
PREFIX = "escalation/"  # of the rule id of what a step makes


def escalate(connection: Connection, workspace: Workspace, now: datetime) -> set[str]:
    """Everything that is due; returns the sinks that have work because of it."""
    ruleset = _usable(connection, workspace)
    steps = ruleset.escalation if ruleset is not None else ()
    shared: Outbox | None = None
    looked_at = 0
    for seen in escalating.overdue(connection, now):
        known = seen.escalated or ()
        waiting = list(unjudged(steps, known))
        if OVERDUE in known and not waiting:
            continue
        looked_at += 1
        if looked_at > _MOST:
            break
        found = escalating.lock(connection, seen.action_id)
        if found is None:
            continue
        done = list(found.case.escalated or ())
        if OVERDUE not in done:
            _note_overdue(connection, found.case, now)
            done.append(OVERDUE)
        if ruleset is not None and waiting:
            shared = shared or Outbox(connection, workspace, ruleset.timetable, now)
            done += _judge(shared, ruleset, found, list(unjudged(steps, done)), now)
        if done != (found.case.escalated or []):
            escalating.judged(connection, seen.action_id, done)
    if shared is None:
        return set()
    outbox.add_actions(connection, shared.new)
    return shared.sinks


def _usable(connection: Connection, workspace: Workspace) -> Ruleset | None:
    """None where the active rules cannot be used here, of which another alarm tells: what is
    overdue is noted all the same."""
    try:
        return workspace.ruleset(connection)
    except Invalid:
        return None


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
    waiting: list[Step],
    now: datetime,
) -> list[str]:
    """The steps whose time has come, whether or not they did anything."""
    case = found.case
    hours = _hours(shared.connection, found)
    times = ruleset.timetable
    due = {one.id: one.due_at(times, hours, case.survey, case.respond_by) for one in waiting}
    ripe = [step for step in waiting if due[step.id] <= now]
    fresh = [step for step in ripe if now - due[step.id] <= ACT_WITHIN]
    if fresh and found.facts is not None:
        facts = Facts.model_validate(found.facts)
        for step in fresh:
            if step.concerns(facts, touched=case.contacted_at is not None):
                _take(shared, ruleset, found, facts, step)
    return [step.id for step in ripe]


def _hours(connection: Connection, found: escalating.Escalated) -> str:
    told = escalating.verdict_of(connection, found.case.action_id)
    intents = Verdict.model_validate(told).intents if told else ()
    wanted = (found.action.rule_id, found.action.kind)
    return next((one.hours for one in intents if (one.rule_id, one.kind) == wanted), "")


def _take(
    shared: Outbox, ruleset: Ruleset, found: escalating.Escalated, facts: Facts, step: Step
) -> None:
    """Put what the step asks for into the outbox."""
    assert found.decision is not None and found.facts is not None  # noqa: S101, PT018
    placed = Placed(facts, found.facts, Verdict(), found.action.customer_id, "")
    placing = Placing(shared, placed, found.decision)
    renderer = Renderer(ruleset, facts)
    taken: list[str] = []
    for action, written in zip(step.then, step.written, strict=True):
        if action.opens_case and action.kind != found.action.kind:
            continue  # the case stands elsewhere
        intent = renderer.intent(f"{PREFIX}{step.id}", step.name, action)
        row = placing.row(
            intent,
            escalation_key(found.action.key, step.id, action.kind),
            placing.kinds[action.kind],
            "waiting",
        )
        row["respond_by"] = None
        about = _about(found.case, step, action)
        row["order"] |= {"about": about.model_dump(mode="json"), "due_at": None}
        if action.opens_case:
            before = found.action.order.get("params", {})
            params = changed_params(written, row["order"]["params"], before)
            row["order"] |= {"params": params}
            row |= {"amends": found.case.action_id, "account": found.action.account}
            row["sink"] = found.action.sink
        placing.put(None, row)
        taken.append(action.kind)
    if taken:
        what = f"{step.name}: {', '.join(taken)}"
        event = Event("escalated", f"escalated {step.id}", shared.now, detail=what)
        cases.change(shared.connection, [Change(found.case.action_id, {}, [event])], shared.now)


def _about(case: Any, step: Step, action: Action) -> About:
    """What is said on the case itself, or to those who hear of it."""
    when = f"{case.respond_by.astimezone(UTC):%a %d %b %H:%M} UTC"
    stands = "and nobody has begun" if case.contacted_at is None else "and it is not closed"
    why = f"{step.name}: this was due {when} {stands}."
    if action.opens_case:
        return About(why=why, moves=True)
    number = one_line(case.remote_id, 60)
    return About(why=why, number=number, link=case.url or "", owner=case.owner or "")
