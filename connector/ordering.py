"""From a verdict to outbox rows: new, superseded, amended, held, withheld.

One response has at most one case per sink account, whichever rule, revision or ruleset asks. What
has not been sent is replaced by what the newest revision wants; what has been sent is amended.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector import faultpoints
from connector.domain import Facts, Intent, Order, Verdict, amendment_key, case_key, effect_key
from connector.rules.effects import effect_parts, why_withheld
from connector.store import alarms, outbox
from connector.store.recovering import HELD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from connector.ports import SourceSettings
    from connector.rules.model import ActionKind
    from connector.workspace import Workspace

SURGE_WINDOW = timedelta(minutes=10)
_TOLD = ("sending", "done", "in_doubt")  # on its way, there, or perhaps there


class Placed(NamedTuple):
    """What was decided about one revision. `told` are the facts as JSON; `quiet` says why nothing
    may be sent to the customer, empty where it may. `restored`: it may have happened already, in a
    time that a restored database does not know."""

    facts: Facts
    told: dict[str, Any]
    verdict: Verdict
    customer: str | None
    quiet: str
    restored: bool = False


class _Outbox:
    """What the placing of several verdicts has in common."""

    def __init__(self, connection: Connection, workspace: Workspace, now: datetime) -> None:
        self.connection = connection
        self.settings = workspace.settings
        self.accounts = workspace.accounts
        self.kinds = workspace.vocabulary.actions
        self.blind = workspace.blind
        self.now = now
        self.sinks: set[str] = set()  # that have work now
        self.new: list[dict[str, Any]] = []
        self._stored_cases: dict[str, int] = {}  # by source, those of the last minutes

    def recent_cases(self, source: str) -> int:
        """Those that are stored, counted up to the source's `surge`, and those still to be."""
        if source not in self._stored_cases:
            since, enough = self.now - SURGE_WINDOW, self.settings.sources[source].surge
            counted = outbox.cases_since(self.connection, source, since, enough)
            self._stored_cases[source] = counted
        mine = (row for row in self.new if row["source"] == source and row["amends"] is None)
        return self._stored_cases[source] + sum(bool(row["opens_case"]) for row in mine)


class _Placing:
    """One verdict being placed; the row values that all its actions share."""

    def __init__(self, shared: _Outbox, placed: Placed, decision: int) -> None:
        self.outbox = shared
        self.connection, self.now = shared.connection, shared.now
        self.accounts, self.kinds, self.blind = shared.accounts, shared.kinds, shared.blind
        self.facts, self.verdict, self.customer = placed.facts, placed.verdict, placed.customer
        self.quiet, self.restored = placed.quiet, placed.restored
        self._told = placed.told
        self._decision = decision
        self.kept: set[str] = set()  # keys that the newest verdict still wants
        # What the outbox holds for this response, and nobody else changes before we commit. All its
        # keys depend on the response: before the first revision there can be none.
        self.rows: Sequence[Any] = ()
        if self.facts.revision > 1:
            self.rows = outbox.actions_of(self.connection, self.facts.response_id)
        self._by_key = {row.key: row for row in self.rows}

    def existing(self, key: str) -> Any:
        return self._by_key.get(key)

    def opens_case(self) -> bool:
        return any(self.kinds[intent.kind].opens_case for intent in self.verdict.intents)

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
            "key": key,
            "response_id": self.facts.response_id,
            "customer_id": self.customer,
            "source": self.facts.source,
            "decision": self._decision,
            "rule_id": intent.rule_id,
            "sink": intent.sink,
            "account": self.accounts.get(intent.sink, ""),
            "kind": intent.kind,
            "opens_case": kind.opens_case,
            "to_customer": kind.to_customer,
            "amends": None,
            "order": order.model_dump(mode="json", exclude={"facts"}) | {"facts": self._told},
            "state": state,
            "due_at": self.now + intent.settle,
            "respond_by": respond_by,
            "error": None,
        }

    def put(self, existing: Any, row: dict[str, Any]) -> None:
        if existing is None:
            self.outbox.new.append({**row, "created_at": self.now})
        else:
            if existing.state == "held" and existing.error == HELD and row["state"] == "waiting":
                row |= {"state": "held", "error": HELD}  # until a person has looked
            fresh = {"request": None, "first_sent_at": None, "last_sent_at": None, "attempts": 0}
            fresh |= {"failing_since": None}
            # A new fence: whoever holds the old content must not send it any more.
            fresh |= {"fence": existing.fence + 1, "lease_until": None, "finished_at": None}
            outbox.change_action(self.connection, existing.id, **row, **fresh)
        self.kept.add(row["key"])
        if row["state"] == "waiting":
            self.outbox.sinks.add(row["sink"])


def place_orders(
    connection: Connection,
    workspace: Workspace,
    placed: Sequence[Placed],
    decisions: Mapping[str, int],
    now: datetime,
) -> set[str]:
    """Bring the outbox in line with the newest verdicts, of one response each; returns the sinks
    that have work now. `decisions` are the numbers of the decisions by response."""
    shared = _Outbox(connection, workspace, now)
    for one in placed:
        _place(_Placing(shared, one, decisions[one.facts.response_id]))
    outbox.add_actions(connection, shared.new)
    return shared.sinks


def _place(placing: _Placing) -> None:
    customer = placing.customer
    if customer is not None and any(row.customer_id != customer for row in placing.rows):
        outbox.give_to(placing.connection, placing.facts.response_id, customer)
    flood = _is_flood(placing)
    for intent in placing.verdict.intents:
        kind = placing.kinds[intent.kind]
        _complain(placing, intent)
        state, why = ("held" if flood else "waiting"), ""
        if placing.restored and intent.sink in placing.blind:
            state, why = "held", HELD
        if kind.opens_case:
            _place_case(placing, intent, kind, state, why)
            continue
        withheld = _why_withheld(placing) if kind.to_customer else ""
        if withheld:
            state, why = "withheld", withheld
        _place_effect(placing, intent, kind, state, why)
    _tidy(placing)


def _is_flood(placing: _Placing) -> bool:
    """Is this answer held? What is held stays so until a person lets it go; what has a case
    already is no news."""
    if any(row.state == "held" and row.error != HELD for row in placing.rows):
        return True
    told = ("waiting", "parked", *_TOLD)
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


def _complain(placing: _Placing, intent: Intent) -> None:
    if intent.problem:
        message = f"rule '{intent.rule_id}', {intent.kind}: {intent.problem}"
        alarms.raise_alarm(placing.connection, "unrendered", intent.rule_id, message, placing.now)


def _why_withheld(placing: _Placing) -> str:
    # A case of this answer that was not sent yet is not wanted any more where the verdict has none.
    sent = (row.opens_case and row.state in _TOLD and not row.closed_at for row in placing.rows)
    has_case = placing.opens_case() or (any(sent) and not faultpoints.broken("quiet"))
    address, others = placing.facts.customer.get("email"), placing.facts.history.open_cases
    return why_withheld(placing.quiet, address, has_case, others)


def _place_case(placing: _Placing, intent: Intent, kind: ActionKind, state: str, why: str) -> None:
    key = case_key(placing.facts.response_id, placing.accounts[intent.sink])
    existing = placing.existing(key)
    if key in placing.kept:
        return  # another sink of this account: the first rule has opened the case
    if _is_settled(placing, existing):
        return
    if existing is None or (existing.first_sent_at is None and not _is_lost(placing, existing)):
        # Nothing exists there, also where it was refused: the revision may be what it takes.
        row = placing.row(intent, key, kind, state)
        placing.put(existing, {**row, "error": why or None})
        return
    placing.kept.add(key)
    if existing.state == "parked":
        outbox.look_again(placing.connection, existing.id, placing.now)
        placing.outbox.sinks.add(existing.sink)
    _amend(placing, existing, intent, kind)


def _is_lost(placing: _Placing, case: Any) -> bool:
    """Unsent here, but perhaps made in a time that a restored database does not know: it is looked
    for with its old words, and a newer revision is told as a note."""
    unsent = case.state == "waiting" or (case.state == "held" and case.error != HELD)
    return placing.restored and unsent and case.sink not in placing.blind


def _amend(placing: _Placing, case: Any, intent: Intent, kind: ActionKind) -> None:
    """The case exists, or may exist: what is new goes onto it as a note."""
    last = _last_told(placing, case)
    said = (placing.facts.score, placing.facts.comment, intent.params.get("priority"))
    if _words(last) == said and last.state != "superseded":  # that one may have told nobody
        placing.kept.add(last.key)
        return
    if case.state == "in_doubt" or (case.state == "done" and not case.remote_id):
        message = (
            "the answer was revised, and nobody knows its case's id; tell whoever has the case"
        )
        alarms.raise_alarm(
            placing.connection, "in_doubt", f"action {case.id}", message, placing.now
        )
        return
    key = amendment_key(case.key, placing.facts.revision)
    row = placing.row(intent, key, kind, "waiting")
    row |= {"amends": case.id, "account": case.account}
    placing.put(placing.existing(key), row)


def _last_told(placing: _Placing, case: Any) -> Any:
    """The case, or the newest of its amendments that was told or may have been."""
    mine = (row for row in placing.rows if case.id in (row.id, row.amends))
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
    sink, rule = effect_parts(kind.to_customer, intent.sink, intent.rule_id)
    key = effect_key(placing.facts.response_id, sink, intent.kind, rule)
    existing = placing.existing(key)
    if key in placing.kept:
        return  # an earlier rule of this verdict asked for it already
    if _is_settled(placing, existing):
        return
    row = placing.row(intent, key, kind, state)
    row["error"] = why or None
    if kind.to_customer and intent.problem and state == "waiting":
        row |= {"state": "parked", "error": intent.problem}
    if existing is None or existing.first_sent_at is None:
        placing.put(existing, row)
    else:
        placing.kept.add(key)


def _is_settled(placing: _Placing, existing: Any) -> bool:
    """Did a person say that this is not needed? Then no revision asks for it again."""
    settled = existing is not None and existing.state == "withheld" and existing.closed_at
    if settled:
        placing.kept.add(existing.key)
    return bool(settled)


def _tidy(placing: _Placing) -> None:
    """Unsent actions that the newest revision no longer wants; cases that it says nothing about."""
    for row in placing.rows:
        if row.key in placing.kept:
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
