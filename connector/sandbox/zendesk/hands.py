"""What people at the help desk do, and the requester: by hand, not through the API."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, ClassVar

from connector.sandbox.core import Clock, Refusal, Vendor
from connector.sandbox.zendesk.desk import Desk, Row, seeds, stamp
from connector.sandbox.zendesk.tickets import clean, record_invalid
from connector.sandbox.zendesk.webhooks import Mood, Webhooks

ANA = 9002
NOBODY = -1  # the author of what triggers and automations do


class Hands(Vendor):
    """Every change leaves an audit as Zendesk writes it, runs the trigger, and is told by webhook.

    What Zendesk refuses is refused here too (`Refusal`): a closed ticket takes nothing, an
    assignee belongs to the group, a field takes its options.
    """

    hands: ClassVar[frozenset[str]] = frozenset(
        {
            "take",
            "assign",
            "comment",
            "set_status",
            "solve",
            "reopen",
            "delete",
            "restore",
            "reply",
            "merge",
            "automation",
            "trigger",
            "call_webhook",
            "deliver_late",
        }
    )

    def __init__(self, clock: Clock, state: Row) -> None:
        super().__init__(clock, {**seeds(), **state})
        self.desk = Desk(self.state, clock)
        self.webhooks = Webhooks(self.state)

    # -- agents --------------------------------------------------------------------------------

    def touch_by_agent(self, ticket_id: int, agent_id: int = ANA, **changes: Any) -> Row:
        """An agent changes a ticket (any ticket field; `comment={"body": ..., "public": ...}`)."""
        return self._changed(ticket_id, agent_id, "web", changes)

    def take(self, ticket_id: int, agent_id: int = ANA) -> Row:
        return self.touch_by_agent(ticket_id, agent_id, assignee_id=agent_id)

    def assign(self, ticket_id: int, to: int, agent_id: int = ANA) -> Row:
        """To another agent, by `agent_id`."""
        return self.touch_by_agent(ticket_id, agent_id, assignee_id=to)

    def comment(self, ticket_id: int, text: str, public: bool = False, agent_id: int = ANA) -> Row:
        said = {"body": text, "public": public}
        return self.touch_by_agent(ticket_id, agent_id, comment=said)

    def set_status(self, ticket_id: int, status: str, agent_id: int = ANA) -> Row:
        return self.touch_by_agent(ticket_id, agent_id, status=status)

    def solve(
        self, ticket_id: int, fields: dict[str, Any] | None = None, agent_id: int = ANA
    ) -> Row:
        """With these custom fields, by title. Whoever solves what is nobody's becomes assignee."""
        changes: Row = {"status": "solved"}
        if self._row(ticket_id)["assignee_id"] is None:
            changes["assignee_id"] = agent_id
        if fields:
            titles = {row["title"]: row["id"] for row in self.state["ticket_fields"]}
            changes["custom_fields"] = [
                {"id": titles[title], "value": value} for title, value in fields.items()
            ]
        return self.touch_by_agent(ticket_id, agent_id, **changes)

    def reopen(self, ticket_id: int, agent_id: int = ANA) -> Row:
        return self.set_status(ticket_id, "open", agent_id)

    def merge(self, ticket_id: int, into: int, agent_id: int = ANA) -> Row:
        """Closes the ticket with Zendesk's own tag; both get a comment."""
        tags = [*self._row(ticket_id)["tags"], "closed_by_merge"]
        text = f"Request #{ticket_id} was closed and merged into this request."
        self.comment(into, text, agent_id=agent_id)
        said = {"body": f"This request was closed and merged into #{into}.", "public": False}
        changes = {"status": "closed", "tags": tags, "comment": said}
        return self._changed(ticket_id, agent_id, "web", changes, rel="merge")

    def delete(self, ticket_id: int, agent_id: int = ANA) -> None:
        with self.changing():
            fields = {"status": "deleted", "custom": {}}
            self.desk.update(self._row(ticket_id), fields, agent_id, {})
        self.webhooks.ring(self._row(ticket_id), self.webhook_headers)

    def restore(self, ticket_id: int, agent_id: int = ANA) -> Row:
        """A deleted ticket comes back as it was."""
        with self.changing():
            ticket = self._row(ticket_id)
            before = self.state["audits"][str(ticket_id)][-1]["events"][-1]["previous_value"]
            self.desk.update(ticket, {"status": before, "custom": {}}, agent_id, {})
        self.webhooks.ring(ticket, self.webhook_headers)
        return ticket

    def archive(self, ticket_id: int) -> None:
        """Old closed tickets leave every list; only GET by id still finds them."""
        with self.changing():
            self.state["archived"].append(ticket_id)

    # -- others --------------------------------------------------------------------------------

    def reply(self, ticket_id: int, text: str = "Any news?") -> Row:
        """The requester answers by mail; what is solved or waits for them is open again."""
        ticket = self._row(ticket_id)
        changes: Row = {"comment": {"body": text, "public": True}}
        if ticket["status"] in ("solved", "pending"):
            changes["status"] = "open"
        return self._changed(ticket_id, ticket["requester_id"], "email", changes)

    def automation(self, ticket_id: int, **changes: Any) -> Row:
        """Time has passed, and a rule of the account acts on its own."""
        return self._changed(ticket_id, NOBODY, "rule", changes)

    def close(self, ticket_id: int) -> Row:
        """As Zendesk's automation does some days after a ticket was solved."""
        return self.automation(ticket_id, status="closed")

    def trigger(self, **changes: Any) -> None:
        """From now on a trigger makes these changes as well, whenever somebody changes a ticket."""
        with self.changing():
            self.state["trigger"] = changes

    # -- webhooks ------------------------------------------------------------------------------

    def call_webhook(self, url: str, form: str = "trigger", mood: Mood = "prompt") -> None:
        """Call this address on each change by a person: with a trigger's own body, or with the
        body of an `event` subscription. See `Webhooks` for the moods."""
        with self.changing():
            self.state["webhook"] = {"url": url, "form": form, "mood": mood}

    def deliver_late(self, newest_first: bool = False) -> int:
        """Send the webhooks that were held back; how many."""
        return self.webhooks.deliver_late(self.webhook_headers, newest_first)

    def webhook_headers(self, body: bytes) -> dict[str, str]:
        """The signature headers with which Zendesk would deliver this body."""
        at = stamp(self.clock.now())
        secret = self.state["settings"]["webhook_secret"].encode()
        mac = hmac.new(secret, at.encode() + body, hashlib.sha256).digest()
        return {
            "X-Zendesk-Webhook-Signature": base64.b64encode(mac).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": at,
            "Content-Type": "application/json",
        }

    # -- how -----------------------------------------------------------------------------------

    def tickets(self) -> list[Row]:
        """Every ticket that is not deleted, oldest first."""
        with self.lock:
            return [t for t in self.state["tickets"].values() if t["status"] != "deleted"]

    def _row(self, ticket_id: int) -> Row:
        found: Row | None = self.state["tickets"].get(str(ticket_id))
        if found is None:
            raise Refusal(404, {"error": "RecordNotFound", "description": "Not found"})
        return found

    def _changed(
        self, ticket_id: int, author_id: int, channel: str, changes: Row, rel: str | None = None
    ) -> Row:
        with self.changing():
            ticket = self._row(ticket_id)
            if ticket["status"] in ("closed", "deleted"):
                text = f"Status: {ticket['status']} prevents ticket update"
                raise record_invalid({"status": [{"description": text, "error": "InvalidValue"}]})
            fields = clean(self.desk, changes, ticket, author_id)
            if fields.get("status") == "new" != ticket["status"]:
                raise Refusal(422, {"error": "RecordInvalid", "description": "Status: not new"})
            audit = self.desk.update(ticket, fields, author_id, {}, channel, rel)
            if (more := self.state["trigger"]) and author_id != NOBODY:
                self._run_trigger(ticket, audit, more)
        if author_id != NOBODY:
            self.webhooks.ring(ticket, self.webhook_headers)
        return ticket

    def _run_trigger(self, ticket: Row, audit: Row, changes: Row) -> None:
        """Zendesk writes what a trigger does into the audit of whoever set it off."""
        fields = clean(self.desk, changes, ticket, audit["author_id"])
        audit["events"] += [
            {**event, "via": {"channel": "rule"}} for event in self.desk.apply(ticket, fields)
        ]
