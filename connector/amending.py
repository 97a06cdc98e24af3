"""Notes onto a case that exists, or may exist: what is new, and that it turned happy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.domain import Intent, Order, amendment_key, raising_key
from connector.store import alarms

if TYPE_CHECKING:
    from connector.placing import Placing
    from connector.rules.model import ActionKind

TOLD = ("sending", "done", "in_doubt")  # on its way, there, or perhaps there


def amend(placing: Placing, case: Any, intent: Intent, kind: ActionKind) -> None:
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
    key = _note_key(placing, case)
    row = placing.row(intent, key, kind, "waiting")
    row |= {"amends": case.id, "account": case.account}
    placing.put(placing.existing(key), row)


def _note_key(placing: Placing, case: Any) -> str:
    if not placing.again:
        return amendment_key(case.key, placing.facts.revision)
    unsent = [
        row.key
        for row in placing.rows
        if row.amends == case.id and row.state == "waiting" and row.first_sent_at is None
    ]
    return unsent[-1] if unsent else raising_key(case.key, placing.decision)


def _last_told(placing: Placing, case: Any) -> Any:
    """The case, or the newest of its amendments that was told or may have been."""
    mine = (row for row in placing.rows if case.id in (row.id, row.amends))
    return [row for row in mine if row.id == case.id or may_exist(row)][-1]


def _words(row: Any) -> tuple[object, object, object]:
    facts = row.order.get("facts", {})
    return facts.get("score"), facts.get("comment"), row.order.get("params", {}).get("priority")


def tell_changed(placing: Placing, case: Any) -> None:
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
    amend(placing, case, intent, placing.kinds[case.kind])


def is_note(row: Any) -> bool:
    """Does it only add to a case of the same answer?"""
    return row.amends is not None and not row.reopens


def may_exist(row: Any) -> bool:
    """Was this action made, or may it have been?"""
    return row.state in TOLD or (
        row.state in ("parked", "superseded") and row.first_sent_at is not None
    )
