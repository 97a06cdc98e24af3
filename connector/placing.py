"""One verdict on its way into the outbox: the rows that are there, and those that it makes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.domain import Facts, Intent, Order, Verdict
from connector.store import alarms, outbox
from connector.store.recovering import HELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from connector.rules.model import ActionKind
    from connector.workspace import Workspace

_SURGE_WINDOW = timedelta(minutes=10)


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


class Outbox:
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
            since, enough = self.now - _SURGE_WINDOW, self.settings.sources[source].surge
            counted = outbox.cases_since(self.connection, source, since, enough)
            self._stored_cases[source] = counted
        mine = (row for row in self.new if row["source"] == source and row["amends"] is None)
        return self._stored_cases[source] + sum(bool(row["opens_case"]) for row in mine)


class Placing:
    """One verdict being placed; the row values that all its actions share."""

    def __init__(self, shared: Outbox, placed: Placed, decision: int) -> None:
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
            topics=self.verdict.topics,
            flags=self.verdict.flags,
            complaints=self.verdict.complaints,
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
            self.end_alarm(existing)
        self.kept.add(row["key"])
        if row["state"] == "waiting":
            self.outbox.sinks.add(row["sink"])

    def end_alarm(self, parked: Any) -> None:
        """It is tried anew, or not wanted any more: nobody has to look."""
        if parked.state == "parked":
            alarms.end_about(self.connection, [parked.id], self.now)
