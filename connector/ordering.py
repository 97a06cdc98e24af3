"""From a verdict to outbox rows: new, superseded, amended, held, withheld.

One response has at most one case per sink account, whichever rule, revision or ruleset asks. What
has not been sent is replaced by what the newest revision wants; what has been sent is amended.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from connector import faultpoints
from connector.amending import TOLD, amend, is_note, may_exist, tell_changed
from connector.domain import Intent, case_key, effect_key
from connector.placing import Outbox, Placed, Placing
from connector.reopening import may_reopen, reopen
from connector.rules.effects import DECIDED_AGAIN, effect_parts, why_withheld
from connector.store import alarms, outbox
from connector.store.gathering import GATHERING, GROUPED
from connector.store.recovering import HELD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from connector.ports import SourceSettings
    from connector.rules.model import ActionKind
    from connector.rules.timing import Timetable
    from connector.workspace import Workspace

_UNTOLD = ("waiting", GATHERING, "held")
_AFTER_A_REVISION = "a newer revision of the answer wants other"
_AFTER_A_LATE_ANSWER = "after a late answer of the customer the rules want other"


def place_orders(
    connection: Connection,
    workspace: Workspace,
    placed: Sequence[Placed],
    decisions: Mapping[str, int],
    timetable: Timetable,
    now: datetime,
) -> set[str]:
    """Bring the outbox in line with the newest verdicts, of one response each; returns the sinks
    that have work now. `decisions` are the numbers of the decisions by response, `timetable` is
    that of the ruleset that made them."""
    shared = Outbox(connection, workspace, timetable, now)
    shared.know_closed_cases(may_reopen(placed))
    for one in placed:
        _place(Placing(shared, one, decisions[one.facts.response_id]))
    outbox.add_actions(connection, shared.new)
    return shared.sinks


def _place(placing: Placing) -> None:
    customer = placing.customer
    if customer is not None and any(row.customer_id != customer for row in placing.rows):
        outbox.give_to(placing.connection, placing.facts.response_id, customer)
    flood = _is_flood(placing)
    for intent in _first_allowed(placing.verdict.intents):
        kind = placing.kinds[intent.kind]
        _complain(placing, intent)
        state, why = ("held" if flood else "waiting"), ""
        if placing.restored and intent.sink in placing.blind:
            state, why = "held", HELD
        if kind.opens_case:
            _place_case(placing, intent, kind, state, why)
            continue
        withheld = _why_withheld(placing) if kind.to_customer else ""
        withheld = withheld or intent.refused
        if withheld:
            state, why = "withheld", withheld
        _place_effect(placing, intent, kind, state, why)
    _tidy(placing)


def _first_allowed(intents: Sequence[Intent]) -> list[Intent]:
    """What a cap refuses comes last: a later rule may ask for the same without that cap."""
    return sorted(intents, key=lambda intent: bool(intent.refused))


def _is_flood(placing: Placing) -> bool:
    """Is this answer held? What is held stays so until a person lets it go; what has a case
    already is no news."""
    if any(row.state == "held" and row.error != HELD for row in placing.rows):
        return True
    told = ("waiting", "parked", *TOLD)
    if any(row.opens_case and row.state in told for row in placing.rows):
        return False
    if not placing.opens_case():
        return False
    source: SourceSettings = placing.outbox.settings.sources[placing.facts.source]
    if placing.outbox.recent_cases(placing.facts.source) < source.surge:
        return False
    name = placing.facts.source
    message = (
        f"more than {source.surge} cases from '{name}' in ten minutes; the rest is held. "
        f"Look at them: connector actions list --state held. Then: connector actions release {name}"
    )
    alarms.raise_alarm(placing.connection, "surge", name, message, placing.now)
    return True


def _complain(placing: Placing, intent: Intent) -> None:
    if intent.problem:
        message = f"rule '{intent.rule_id}', {intent.kind}: {intent.problem}"
        alarms.raise_alarm(placing.connection, "unrendered", intent.rule_id, message, placing.now)


def _why_withheld(placing: Placing) -> str:
    # A case of this answer that was not sent yet is not wanted any more where the verdict has none.
    sent = (row.opens_case and row.state in TOLD and not row.closed_at for row in placing.rows)
    has_case = placing.opens_case() or (any(sent) and not faultpoints.broken("quiet"))
    address, others = placing.facts.customer.get("email"), placing.facts.history.open_cases
    return why_withheld(placing.quiet, address, has_case, others)


def _place_case(placing: Placing, intent: Intent, kind: ActionKind, state: str, why: str) -> None:
    key = case_key(placing.facts.response_id, placing.accounts[intent.sink])
    existing = placing.existing(key)
    if key in placing.kept:
        return  # another sink of this account: the first rule has opened the case
    if _is_settled(placing, existing):
        return
    if existing is None or (existing.first_sent_at is None and not _is_lost(placing, existing)):
        # Nothing exists there, also where it was refused: the revision may be what it takes.
        row = placing.row(intent, key, kind, state)
        reopen(placing, existing, row)
        placing.put(existing, {**row, "error": why or None})
        return
    placing.kept.add(key)
    if existing.state == "parked":
        outbox.look_again(placing.connection, existing.id, placing.now)
        placing.outbox.sinks.add(existing.sink)
    amend(placing, existing, intent, kind)


def _is_lost(placing: Placing, case: Any) -> bool:
    """Unsent here, but perhaps made in a time that a restored database does not know: it is looked
    for with its old words, and a newer revision is told as a note."""
    unsent = case.state == "waiting" or (case.state == "held" and case.error != HELD)
    return placing.restored and unsent and case.sink not in placing.blind


def _place_effect(placing: Placing, intent: Intent, kind: ActionKind, state: str, why: str) -> None:
    """What is no case happens once: per rule for alerts, per kind for the customer."""
    sink, rule = effect_parts(kind.to_customer, intent.sink, intent.rule_id)
    key = effect_key(placing.facts.response_id, sink, intent.kind, rule)
    existing = placing.existing(key)
    if key in placing.kept:
        return  # an earlier rule of this verdict asked for it already
    if _is_settled(placing, existing):
        return
    if kind.to_customer and placing.again and not _is_on_its_way(existing):
        if existing is not None and existing.state in ("withheld", "parked"):
            placing.kept.add(key)
            return
        state, why = "withheld", DECIDED_AGAIN
    row = placing.row(intent, key, kind, state)
    row["error"] = why or None
    if kind.to_customer and intent.problem and state == "waiting":
        row |= {"state": "parked", "error": intent.problem}
    if existing is None or existing.first_sent_at is None:
        placing.put(existing, row)
    else:
        placing.kept.add(key)


def _is_on_its_way(existing: Any) -> bool:
    """Is a message placed that a decision may still change, or was it sent?"""
    if existing is None:
        return False
    return existing.first_sent_at is not None or existing.state in ("waiting", "held")


def _is_settled(placing: Placing, existing: Any) -> bool:
    """Did a person say that this is not needed, or does a digest tell it? Then no revision asks for
    it again."""
    settled = existing is not None and (
        existing.state == GROUPED or (existing.state == "withheld" and existing.closed_at)
    )
    if settled:
        placing.kept.add(existing.key)
    return bool(settled)


def _tidy(placing: Placing) -> None:
    """Unsent actions that the newest revision no longer wants; cases that it says nothing about."""
    for row in placing.rows:
        if row.key in placing.kept:
            continue
        unsent = row.first_sent_at is None and row.state in (*_UNTOLD, "parked")
        # A note that may have arrived is told again by the newer one, whether it did or not.
        if unsent or (is_note(row) and row.state == "parked"):
            why = _AFTER_A_LATE_ANSWER if placing.again else _AFTER_A_REVISION
            values = {"state": "superseded", "error": why, "finished_at": placing.now}
            outbox.change_action(placing.connection, row.id, **values)
            placing.end_alarm(row)
        elif row.opens_case and not is_note(row) and may_exist(row):
            tell_changed(placing, row)
