"""From a verdict to outbox rows: new, superseded, amended, held, withheld.

One response has at most one case per sink account, whichever rule, revision or ruleset asks. What
has not been sent is replaced by what the newest revision wants; what has been sent is amended.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector import faultpoints
from connector.domain import Facts, Intent, Order, Verdict, amendment_key, case_key, effect_key
from connector.store import alarms, answers, outbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from connector.ports import SourceSettings
    from connector.rules.model import ActionKind
    from connector.workspace import Workspace

SURGE_WINDOW = timedelta(minutes=10)
_OPEN_CASE = "the customer has an open case; a person talks to them first"
_NO_ADDRESS = "the customer left no e-mail address"
_TOLD = ("sending", "done", "in_doubt")  # on its way, there, or perhaps there


class _Placing:
    """One verdict being placed; the row values that all its actions share."""

    def __init__(
        self,
        connection: Connection,
        workspace: Workspace,
        facts: Facts,
        decision: int,
        customer: str | None,
        now: datetime,
    ) -> None:
        self.connection = connection
        self.accounts = workspace.accounts
        self.kinds = workspace.vocabulary.actions
        self.facts = facts
        self.decision = decision
        self.customer = customer
        self.now = now
        self.kept: set[int] = set()  # rows that the newest verdict still wants
        self.sinks: set[str] = set()

    def rows(self) -> Sequence[Any]:
        """What the outbox holds for this response."""
        return outbox.actions_of(self.connection, self.facts.response_id)

    def row(self, intent: Intent, key: str, kind: ActionKind, state: str) -> dict[str, Any]:
        respond_by = self.now + intent.respond_within if intent.respond_within else None
        order = Order(
            key=key,
            kind=intent.kind,
            rule_name=intent.rule_name,
            params=intent.params,
            facts=self.facts,
            due_at=respond_by,
        )
        return {
            "response_id": self.facts.response_id,
            "customer_id": self.customer,
            "source": self.facts.source,
            "decision": self.decision,
            "rule_id": intent.rule_id,
            "sink": intent.sink,
            "account": self.accounts.get(intent.sink, ""),
            "kind": intent.kind,
            "opens_case": kind.opens_case,
            "to_customer": kind.to_customer,
            "order": order.model_dump(mode="json"),
            "state": state,
            "due_at": self.now + intent.settle,
            "respond_by": respond_by,
            "error": None,
        }


def place_orders(
    connection: Connection,
    workspace: Workspace,
    facts: Facts,
    verdict: Verdict,
    decision: int,
    customer: str | None,
    quiet: str,
    now: datetime,
) -> set[str]:
    """Bring the outbox in line with the newest verdict; returns the sinks that have work now.

    `quiet` says why nothing may be sent to the customer; empty where it may.
    """
    placing = _Placing(connection, workspace, facts, decision, customer, now)
    source: SourceSettings = workspace.settings.sources[facts.source]
    if facts.revision > 1 and customer is not None:
        outbox.give_to(connection, facts.response_id, customer)
    flood = _is_flood(placing, verdict, source)
    has_case = any(placing.kinds[intent.kind].opens_case for intent in verdict.intents)
    for intent in verdict.intents:
        kind = placing.kinds[intent.kind]
        _complain(placing, intent)
        if kind.opens_case:
            _place_case(placing, intent, kind, "held" if flood else "waiting")
            continue
        withheld = _why_withheld(placing, quiet, has_case) if kind.to_customer else ""
        state = "withheld" if withheld else "held" if flood else "waiting"
        _place_effect(placing, intent, kind, state, withheld)
    _tidy(placing)
    return placing.sinks


def _is_flood(placing: _Placing, verdict: Verdict, source: SourceSettings) -> bool:
    """Is this answer held? What is held stays so until a person lets it go; what has a case
    already is no news."""
    mine = placing.rows() if placing.facts.revision > 1 else ()
    if any(row.state == "held" for row in mine):
        return True
    if any(row.opens_case and row.state in ("waiting", "parked", *_TOLD) for row in mine):
        return False
    if not any(placing.kinds[intent.kind].opens_case for intent in verdict.intents):
        return False
    since = placing.now - SURGE_WINDOW
    recent = outbox.cases_since(placing.connection, placing.facts.source, since)
    if recent < source.surge:
        return False
    name = placing.facts.source
    message = (
        f"more than {source.surge} cases from '{name}' in ten minutes; the rest is held. "
        f"Look at them: connector actions list --state held. Then: connector actions release {name}"
    )
    alarms.raise_alarm(placing.connection, "surge", name, message, placing.now)
    return True


def _complain(placing: _Placing, intent: Intent) -> None:
    if intent.problem:
        message = f"rule '{intent.rule_id}', {intent.kind}: {intent.problem}"
        alarms.raise_alarm(placing.connection, "unrendered", intent.rule_id, message, placing.now)


def _why_withheld(placing: _Placing, quiet: str, has_case: bool) -> str:
    if quiet:
        return quiet
    if not placing.facts.customer.get("email"):
        return _NO_ADDRESS
    # A case of this answer that was not sent yet is not wanted any more where the verdict has none.
    sent = (row.opens_case and row.state in _TOLD and not row.closed_at for row in placing.rows())
    response, customer = placing.facts.response_id, placing.customer
    if has_case or (any(sent) and not faultpoints.broken("quiet")):
        return _OPEN_CASE
    if customer is not None and answers.open_cases(placing.connection, customer, response):
        return _OPEN_CASE
    return ""


def _place_case(placing: _Placing, intent: Intent, kind: ActionKind, state: str) -> None:
    key = case_key(placing.facts.response_id, placing.accounts[intent.sink])
    existing = outbox.action_by_key(placing.connection, key)
    if existing is not None and existing.id in placing.kept:
        return  # another sink of this account: the first rule has opened the case
    if existing is None or existing.first_sent_at is None:
        # Nothing exists there, also where it was refused: the revision may be what it takes.
        _put(placing, existing, placing.row(intent, key, kind, state), key)
        return
    placing.kept.add(existing.id)
    if existing.state == "parked":
        outbox.look_again(placing.connection, existing.id, placing.now)
        placing.sinks.add(existing.sink)
    _amend(placing, existing, intent, kind)


def _amend(placing: _Placing, case: Any, intent: Intent, kind: ActionKind) -> None:
    """The case exists, or may exist: what is new goes onto it as a note."""
    last = _last_told(placing, case)
    said = (placing.facts.score, placing.facts.comment, intent.params.get("priority"))
    if _words(last) == said and last.state != "superseded":  # that one may have told nobody
        placing.kept.add(last.id)
        return
    if case.state == "in_doubt":
        message = "the answer was revised while its case is in doubt; tell it whoever has the case"
        alarms.raise_alarm(
            placing.connection, "in_doubt", f"action {case.id}", message, placing.now
        )
        return
    key = amendment_key(case.key, placing.facts.revision)
    row = placing.row(intent, key, kind, "waiting")
    row |= {"amends": case.id, "account": case.account}
    _put(placing, outbox.action_by_key(placing.connection, key), row, key)


def _last_told(placing: _Placing, case: Any) -> Any:
    """The case, or the newest of its amendments that was told or may have been."""
    mine = (row for row in placing.rows() if case.id in (row.id, row.amends))
    return [row for row in mine if row.id == case.id or _may_exist(row)][-1]


def _words(row: Any) -> tuple[object, object, object]:
    facts = row.order.get("facts", {})
    return facts.get("score"), facts.get("comment"), row.order.get("params", {}).get("priority")


def _may_exist(row: Any) -> bool:
    return row.state in _TOLD or (
        row.state in ("parked", "superseded") and row.first_sent_at is not None
    )


def _place_effect(
    placing: _Placing, intent: Intent, kind: ActionKind, state: str, why: str
) -> None:
    """What is no case happens once: per rule for alerts, per kind for the customer."""
    sink, rule = ("", "") if kind.to_customer else (intent.sink, intent.rule_id)
    key = effect_key(placing.facts.response_id, sink, intent.kind, rule)
    existing = outbox.action_by_key(placing.connection, key)
    if existing is not None and existing.id in placing.kept:
        return  # an earlier rule of this verdict asked for it already
    row = placing.row(intent, key, kind, state)
    row["error"] = why or None
    if kind.to_customer and intent.problem and state == "waiting":
        row |= {"state": "parked", "error": intent.problem}
    if existing is None or existing.first_sent_at is None:
        _put(placing, existing, row, key)
    else:
        placing.kept.add(existing.id)


def _put(placing: _Placing, existing: Any, row: dict[str, Any], key: str) -> None:
    if existing is None:
        made = outbox.add_action(placing.connection, {**row, "key": key, "created_at": placing.now})
    else:
        made = existing.id
        fresh = {"request": None, "first_sent_at": None, "last_sent_at": None, "attempts": 0}
        fresh |= {"failing_since": None}
        # A new fence: whoever holds the old content must not send it any more.
        fresh |= {"fence": existing.fence + 1, "lease_until": None, "finished_at": None}
        outbox.change_action(placing.connection, made, **row, **fresh)
    placing.kept.add(made)
    if row["state"] == "waiting":
        placing.sinks.add(row["sink"])


def _tidy(placing: _Placing) -> None:
    """Unsent actions that the newest revision no longer wants; cases that it says nothing about."""
    for row in placing.rows():
        if row.id in placing.kept:
            continue
        unsent = row.first_sent_at is None and row.state in ("waiting", "held", "parked")
        # A note that may have arrived is told again by the newer one, whether it did or not.
        if unsent or (row.amends is not None and row.state == "parked"):
            values = {"state": "superseded", "error": "a newer revision of the answer wants other"}
            outbox.change_action(placing.connection, row.id, **values, finished_at=placing.now)
        elif row.opens_case and row.amends is None and _may_exist(row):
            _tell_changed(placing, row)


def _tell_changed(placing: _Placing, case: Any) -> None:
    """No rule asks for a case any more (a 3 became a 9): the agent must know before the call."""
    old = Order.model_validate(case.order)
    here = [sink for sink, account in placing.accounts.items() if account == case.account]
    intent = Intent(
        rule_id=case.rule_id,
        rule_name=old.rule_name,
        kind=case.kind,
        sink=case.sink if case.sink in here or not here else here[0],  # the sink got another id
        params=old.params,
    )
    _amend(placing, case, intent, placing.kinds[case.kind])
