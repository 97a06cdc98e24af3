"""The help desk behind the API: seeds, and how tickets, comments and audits come to be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connector.sandbox.core import Clock
from connector.sandbox.credentials import SECRETS

Row = dict[str, Any]

AGENT_ID = 9001  # the agent whose token the connector uses
DONE = ("solved", "closed")
LOCALES = [(1, "en-US"), (2, "es"), (8, "de"), (16, "fr"), (19, "pt-BR"), (22, "it")]
CHANGEABLE = (
    "subject",
    "type",
    "priority",
    "status",
    "group_id",
    "assignee_id",
    "external_id",
    "due_at",
    "tags",
    "brand_id",
    "organization_id",
)


def stamp(moment: datetime) -> str:
    """Zendesk's form of a time: 2026-11-24T12:00:00Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def seeds() -> Row:
    """A new desk: three groups, three agents, two custom fields, nothing else."""
    return {
        "settings": {
            "email": SECRETS["ZENDESK_EMAIL"],
            "api_token": SECRETS["ZENDESK_API_TOKEN"],
            "webhook_secret": SECRETS["ZENDESK_WEBHOOK_SECRET"],
            "requests_per_minute": 100_000,
            "updates_per_minute": 100_000,
            "updates_per_ticket_per_10_minutes": 30,
            "incremental_per_minute": 10,
            "export_lag_seconds": 60,
            "search_lag_seconds": 120,
            "job_seconds": 0,
        },
        "next_id": 1,
        "groups": [
            {"id": 360001, "name": "Support", "deleted": False},
            {"id": 360002, "name": "Retention", "deleted": False},
            {"id": 360003, "name": "Customer Care", "deleted": False},
        ],
        "brands": [{"id": 370001, "name": "Sandbox", "active": True}],
        "users": {
            str(number): user(number, name, email, role)
            for number, name, email, role in (
                (AGENT_ID, "Connector Agent", SECRETS["ZENDESK_EMAIL"], "admin"),
                (9002, "Ana Soporte", "ana@example.com", "agent"),
                (9003, "Bruno Cuidado", "bruno@example.com", "agent"),
            )
        },
        "ticket_fields": [
            {"id": 360012345, "title": "NPS score", "type": "integer", "active": True},
            {
                "id": 360012346,
                "title": "NPS segment",
                "type": "tagger",
                "active": True,
                "custom_field_options": [
                    {"name": name.capitalize(), "value": name}
                    for name in ("promoter", "passive", "detractor")
                ],
            },
            {
                "id": 360012347,
                "title": "Root cause",
                "type": "tagger",
                "active": True,
                "custom_field_options": [
                    {"name": "Billing::Charged twice", "value": "cause_charged_twice"},
                    {"name": "Billing::Refund late", "value": "cause_refund_late"},
                    {"name": "Slow support", "value": "cause_slow_support"},
                    {"name": "Late delivery", "value": "cause_late_delivery"},
                    {"name": "Product fault", "value": "cause_product_fault"},
                ],
            },
            {"id": 360012348, "title": "Action taken", "type": "text", "active": True},
        ],
        "memberships": {str(number): [360001, 360002, 360003] for number in (AGENT_ID, 9002, 9003)},
        "tickets": {},
        "comments": {},
        "audits": {},
        "archived": [],
        "solved": {},  # ticket id -> when it was last solved, and how often it was reopened
        "trigger": {},
        "webhook": {"url": "", "form": "trigger", "mood": "prompt"},
        "unsent": [],  # bodies of webhooks that are held back
        "called": [],  # what each call of the webhook was answered; 0 for silence
        "idempotency": {},
        "jobs": {},
        "mailed": [],
        "ignored": [],
        "made": {"ticket": 0, "note": 0, "public_comment": 0},
        "windows": {},
    }


def user(number: int, name: str, email: str, role: str) -> Row:
    return {
        "id": number,
        "name": name,
        "email": email,
        "role": role,
        "active": True,
        "suspended": False,
    }


class Desk:
    """Reads and changes the state; no HTTP, no validation."""

    def __init__(self, state: Row, clock: Clock) -> None:
        self.state = state
        self.clock = clock

    def next_id(self) -> int:
        number: int = self.state["next_id"]
        self.state["next_id"] = number + 1
        return number

    def now(self) -> str:
        return stamp(self.clock.now())

    def ticket(self, number: int | str) -> Row | None:
        """The ticket unless it is deleted."""
        found: Row | None = self.state["tickets"].get(str(number))
        return found if found and found["status"] != "deleted" else None

    def user_by_email(self, email: str) -> Row | None:
        wanted = email.casefold()
        users: dict[str, Row] = self.state["users"]
        return next((u for u in users.values() if u["email"].casefold() == wanted), None)

    def end_user(self, name: str, email: str, locale_id: int | None) -> Row:
        """The user with that address, made on first sight as Zendesk does for `requester`."""
        found = self.user_by_email(email)
        if found is None:
            number = self.next_id() + 500_000
            found = user(number, name, email, "end-user")
            if locale_id is not None:
                found["locale_id"] = locale_id
            self.state["users"][str(number)] = found
        return found

    def create(self, fields: Row, author_id: int, metadata: Row) -> tuple[Row, Row]:
        """(ticket, audit). `fields` are validated ones, see `tickets.clean`."""
        number, now, comment = self.next_id(), self.now(), fields["comment"]
        custom = {field["id"]: None for field in self.state["ticket_fields"]} | fields["custom"]
        ticket: Row = {
            "id": number,
            "url": f"https://sandbox.zendesk.com/api/v2/tickets/{number}.json",
            "created_at": now,
            "updated_at": now,
            "generated_timestamp": int(self.clock.timestamp()),
            "raw_subject": fields.get("subject"),
            "description": comment["body"],
            "status": "new" if fields.get("assignee_id") is None else "open",
            "requester_id": fields["requester_id"],
            "submitter_id": fields.get("submitter_id", author_id),
            "custom_fields": [{"id": key, "value": value} for key, value in custom.items()],
            "is_public": comment["public"],
            "satisfaction_rating": None,
            "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}},
        }
        ticket |= {name: fields.get(name) for name in CHANGEABLE if name != "status"}
        ticket["tags"] = fields.get("tags", [])
        ticket["status"] = fields.get("status", ticket["status"])
        ticket["brand_id"] = fields.get("brand_id", self.state["brands"][0]["id"])
        self.state["tickets"][str(number)] = ticket
        self.state["comments"][str(number)] = []
        self.state["audits"][str(number)] = []
        events = [
            self._event("Create", field_name=name, value=ticket[name])
            for name in (*CHANGEABLE, "requester_id")
            if ticket[name] not in (None, [])
        ]
        events.insert(0, self._comment(ticket, comment, author_id))
        return ticket, self._audit(ticket, author_id, metadata, events)

    def update(
        self,
        ticket: Row,
        fields: Row,
        author_id: int,
        metadata: Row,
        channel: str = "",
        rel: str | None = None,
    ) -> Row:
        """The audit of the change. A new ticket that gets an assignee is open."""
        if ticket["status"] == "new" and fields.get("assignee_id") and "status" not in fields:
            fields = {**fields, "status": "open"}
        events = self.apply(ticket, fields)
        if comment := fields.get("comment"):
            events.insert(0, self._comment(ticket, comment, author_id))
        return self._audit(ticket, author_id, metadata, events, channel, rel)

    def apply(self, ticket: Row, fields: Row) -> list[Row]:
        """The events of the changes."""
        events: list[Row] = []
        before = ticket["status"]
        for name in CHANGEABLE:
            if name in fields and fields[name] != ticket[name]:
                events.append(self._change(name, fields[name], ticket[name]))
                ticket[name] = fields[name]
        for slot in ticket["custom_fields"]:
            new = fields["custom"].get(slot["id"], slot["value"])
            if new != slot["value"]:
                events.append(self._change(str(slot["id"]), new, slot["value"]))
                slot["value"] = new
        ticket["updated_at"] = self.now()
        ticket["generated_timestamp"] = int(self.clock.timestamp())
        self._count(ticket, before)
        return events

    def _count(self, ticket: Row, before: str) -> None:
        """Closed without being solved first counts as solved then."""
        known = self.state["solved"].setdefault(str(ticket["id"]), {"at": None, "reopens": 0})
        if before not in DONE and ticket["status"] in DONE:
            known["at"] = self.now()
        if before in DONE and ticket["status"] not in (*DONE, "deleted"):
            known["reopens"] += 1

    def metrics(self, ticket: Row) -> Row:
        """The part of the ticket's metric set that was asked for by somebody yet."""
        known = self.state["solved"].get(str(ticket["id"]), {"at": None, "reopens": 0})
        return {
            "ticket_id": ticket["id"],
            "created_at": ticket["created_at"],
            "updated_at": ticket["updated_at"],
            "solved_at": known["at"],
            "reopens": known["reopens"],
        }

    def _comment(self, ticket: Row, comment: Row, author_id: int) -> Row:
        author = comment.get("author_id", author_id)
        event = self._event(
            "Comment",
            author_id=author,
            body=comment["body"],
            html_body=comment["html_body"],
            plain_body=comment["body"],
            public=comment["public"],
            attachments=[],
        )
        self.state["comments"][str(ticket["id"])].append({**event, "created_at": self.now()})
        requester = self.state["users"][str(ticket["requester_id"])]
        if comment["public"] and requester["role"] == "end-user":
            self.state["mailed"].append(
                {"ticket_id": ticket["id"], "to": requester["email"], "body": comment["body"]}
            )
        return event

    def _change(self, name: str, value: Any, previous: Any) -> Row:
        return self._event("Change", field_name=name, value=value, previous_value=previous)

    def _event(self, kind: str, **values: Any) -> Row:
        return {"id": self.next_id(), "type": kind, **values}

    def _audit(
        self,
        ticket: Row,
        author_id: int,
        metadata: Row,
        events: list[Row],
        channel: str = "",
        rel: str | None = None,
    ) -> Row:
        audit = {
            "id": self.next_id(),
            "ticket_id": ticket["id"],
            "created_at": self.now(),
            "author_id": author_id,
            "metadata": {"system": {}, "custom": metadata},
            "via": {
                "channel": channel or ("api" if author_id == AGENT_ID else "web"),
                "source": {"from": {}, "to": {}, "rel": rel},
            },
            "events": events,
        }
        self.state["audits"][str(ticket["id"])].append(audit)
        return audit
