"""One verdict on its way into the outbox: the rows that are there, and those that it makes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector import __version__
from connector.domain import Facts, Intent, Order, Verdict, digest_key
from connector.links import customer_page
from connector.store import alarms, cases, outbox
from connector.store.gathering import GATHERING
from connector.store.recovering import HELD

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from connector.rules.model import ActionKind
    from connector.rules.timing import Timetable
    from connector.workspace import Workspace

_SURGE_WINDOW = timedelta(minutes=10)


class Placed(NamedTuple):
    """What was decided about one revision. `told` are the facts as JSON; `quiet` says why nothing
    may be sent to the customer, empty where it may. `restored`: it may have happened already, in a
    time that a restored database does not know. `late_answer`: the one because of which this is
    decided again."""

    facts: Facts
    told: dict[str, Any]
    verdict: Verdict
    customer: str | None
    quiet: str
    restored: bool = False
    late_answer: str | None = None

    def decision_row(self, ruleset: str, history: bool, now: datetime) -> dict[str, Any]:
        """As it is kept; `history`: nothing is made."""
        return {
            "response_id": self.facts.response_id,
            "revision": self.facts.revision,
            "ruleset": ruleset,
            "engine": __version__,
            "history": history,
            "facts": self.told,
            "verdict": self.verdict.model_dump(mode="json"),
            "decided_at": now,
            "late_answer": self.late_answer,
        }


class Outbox:
    """What the placing of several verdicts has in common."""

    def __init__(
        self, connection: Connection, workspace: Workspace, timetable: Timetable, now: datetime
    ) -> None:
        self.connection = connection
        self.timetable = timetable
        self.settings = workspace.settings
        self.accounts = workspace.accounts
        self.kinds = workspace.vocabulary.actions
        self.blind = workspace.blind
        self.now = now
        self.sinks: set[str] = set()  # that have work now
        self.new: list[dict[str, Any]] = []
        self._stored_cases: dict[str, int] = {}  # by source, those of the last minutes
        self._closed_cases: dict[str, list[Any]] = {}  # by customer

    def know_closed_cases(self, customers: Collection[str]) -> None:
        """Those of these customers, in one look."""
        for row in cases.closed(self.connection, customers) if customers else ():
            self._closed_cases.setdefault(row.customer_id, []).append(row)

    def closed_case(self, customer: str, sink: str, kind: str, facts: Facts) -> Any:
        """The newest case of an earlier, not happy answer of theirs that this one opens again."""
        within: timedelta = self.settings.sinks[sink].reopen_within
        if not within:
            return None
        given = facts.answered_at or self.now
        fitting = (
            row
            for row in self._closed_cases.get(customer, ())
            if (row.account, row.kind) == (self.accounts[sink], kind)
            and row.closed_at > self.now - within
            and row.closed_at < given
        )
        return next(fitting, None)

    def recent_cases(self, source: str) -> int:
        """Those that are stored, counted up to the source's `surge`, and those still to be."""
        if source not in self._stored_cases:
            since, enough = self.now - _SURGE_WINDOW, self.settings.sources[source].surge
            counted = outbox.cases_since(self.connection, source, since, enough)
            self._stored_cases[source] = counted
        mine = (row for row in self.new if row["source"] == source and row["opens_case"])
        made = sum(bool(row["amends"] is None or row["reopens"]) for row in mine)
        return self._stored_cases[source] + made


class Placing:
    """One verdict being placed; the row values that all its actions share."""

    def __init__(self, shared: Outbox, placed: Placed, decision: int) -> None:
        self.outbox = shared
        self.connection, self.now = shared.connection, shared.now
        self.accounts, self.kinds, self.blind = shared.accounts, shared.kinds, shared.blind
        self.facts, self.verdict, self.customer = placed.facts, placed.verdict, placed.customer
        self.quiet, self.restored = placed.quiet, placed.restored
        self.again = placed.late_answer is not None
        self._told = placed.told
        self.decision = decision
        self.kept: set[str] = set()  # keys that the newest verdict still wants
        # What the outbox holds for this response, and nobody else changes before we commit. All its
        # keys depend on the response: before its first decision there can be none.
        self.rows: Sequence[Any] = ()
        if self.facts.revision > 1 or self.again:
            self.rows = outbox.actions_of(self.connection, self.facts.response_id)
        self._by_key = {row.key: row for row in self.rows}

    def existing(self, key: str) -> Any:
        return self._by_key.get(key)

    def opens_case(self) -> bool:
        return any(self.kinds[intent.kind].opens_case for intent in self.verdict.intents)

    def row(self, intent: Intent, key: str, kind: ActionKind, state: str) -> dict[str, Any]:
        times, survey, respond_by = self.outbox.timetable, self.facts.survey, None
        if intent.respond_within:
            respond_by = times.due_at(intent.hours, survey, self.now, intent.respond_within)
        ready = self.now + intent.settle
        due_at = times.sends_at(intent.send_hours, intent.digest, survey, ready)
        digest = None
        if intent.digest:
            about = str(intent.params.get(kind.digest_by))
            digest = digest_key(intent.sink, intent.kind, about, intent.digest, due_at)
            state = GATHERING if state == "waiting" else state
        order = Order(
            key=key,
            kind=intent.kind,
            rule_name=intent.rule_name,
            params=intent.params,
            facts=self.facts,
            due_at=respond_by,
            windows=times.windows(intent.send_hours, survey, due_at),
            topics=self.verdict.topics,
            flags=self.verdict.flags,
            complaints=self.verdict.complaints,
            page=self._page(),
        )
        empty = {name for name in ("windows", "page") if not getattr(order, name)}
        unsaid = {"facts", "digest", "about", *empty}
        return {
            "key": key,
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
            "amends": None,
            "reopens": False,
            "order": order.model_dump(mode="json", exclude=unsaid) | {"facts": self._told},
            "state": state,
            "due_at": due_at,
            "respond_by": respond_by,
            "digest": digest,
            "error": None,
        }

    def _page(self) -> str:
        """Where a person finds everything about the customer."""
        settings = self.outbox.settings
        base = settings.receiver.public_url if settings.dashboard.enabled else ""
        return customer_page(base, self.customer, self.facts.response_id)

    def put(self, existing: Any, row: dict[str, Any]) -> None:
        if existing is None:
            self.outbox.new.append({**row, "created_at": self.now})
        else:
            ready = row["state"] in ("waiting", GATHERING)
            if existing.state == "held" and existing.error == HELD and ready:
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
