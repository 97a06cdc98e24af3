"""What a step of `escalation` makes: a change of the case itself, and what others hear of it."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from connector.domain import About, Verdict, escalation_key
from connector.placing import Placed, Placing
from connector.rules.escalation import changed_params
from connector.rules.render import Renderer
from connector.store import cases
from connector.store.cases import Change, Event
from connector.text import one_line

if TYPE_CHECKING:
    from connector.domain import Facts
    from connector.placing import Outbox
    from connector.rules.escalation import Step
    from connector.rules.model import Action, Ruleset
    from connector.store.escalating import Escalated

PREFIX = "escalation/"  # of the rule id of what a step makes


def take(shared: Outbox, ruleset: Ruleset, found: Escalated, facts: Facts, step: Step) -> None:
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
        # Where somebody has begun meanwhile, an `untouched` step takes nothing from them.
        return About(why=why, moves=step.still == "open")
    number = one_line(case.remote_id, 60)
    return About(why=why, number=number, link=case.url or "", owner=case.owner or "")
