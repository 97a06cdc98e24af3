"""Zendesk's routes, authentication, idempotency keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from connector.sandbox.core import Call, Clock, Refusal, Reply, Route
from connector.sandbox.zendesk import lists
from connector.sandbox.zendesk.desk import AGENT_ID, Row
from connector.sandbox.zendesk.jobs import Jobs
from connector.sandbox.zendesk.reads import Lists
from connector.sandbox.zendesk.tickets import clean, record_invalid

KEY_SECONDS = 7200  # an Idempotency-Key is forgotten after two hours
KEY_LENGTH = 255
MOST_COMMENTS = 5000
MOST_TICKETS = 100
_JSON = {"content-type": "application/json; charset=utf-8"}


class Zendesk(Lists):
    """Own fault: half_batch (every second item of a job fails). Paths may end in `.json`."""

    name = "zendesk"
    own_faults = frozenset({"half_batch"})

    def __init__(self, clock: Clock, state: Row) -> None:
        super().__init__(clock, state)
        self.jobs = Jobs(self.state, clock)

    def routes(self) -> list[Route]:
        v2 = "/api/v2"
        return [
            ("POST", f"{v2}/tickets", self._create),
            ("GET", f"{v2}/tickets", self._list),
            ("POST", f"{v2}/tickets/create_many", self._create_many),
            ("PUT", f"{v2}/tickets/update_many", self._update_many),
            ("GET", f"{v2}/tickets/show_many", self._show_many),
            ("GET", f"{v2}/tickets/{{id}}", self._show),
            ("PUT", f"{v2}/tickets/{{id}}", self._update),
            ("DELETE", f"{v2}/tickets/{{id}}", self._delete),
            ("PUT", f"{v2}/tickets/{{id}}/tags", self._add_tags),
            ("GET", f"{v2}/tickets/{{id}}/comments", self._comments),
            ("GET", f"{v2}/tickets/{{id}}/audits", self._audits),
            ("GET", f"{v2}/incremental/tickets/cursor", self._incremental),
            ("GET", f"{v2}/search", self._search),
            ("GET", f"{v2}/job_statuses/show_many", self._show_jobs),
            ("GET", f"{v2}/job_statuses/{{id}}", self._show_job),
            ("GET", f"{v2}/groups", lambda c: self._listed(c, "groups")),
            ("GET", f"{v2}/brands", lambda c: self._listed(c, "brands")),
            ("GET", f"{v2}/ticket_fields", lambda c: self._listed(c, "ticket_fields")),
            ("GET", f"{v2}/locales", self._locales),
            ("GET", f"{v2}/users/me", self._me),
            ("GET", f"{v2}/users/show_many", self._show_users),
            ("GET", f"{v2}/users/search", self._search_users),
            ("GET", f"{v2}/users/{{id}}", self._show_user),
            ("GET", f"{v2}/users/{{id}}/groups", self._groups_of),
        ]

    def route_path(self, raw_path: str) -> str:
        return raw_path.removesuffix(".json")

    def counts(self) -> dict[str, int]:
        made = self.state["made"]
        return {
            "zendesk.ticket": made["ticket"],
            "zendesk.note": made["note"],
            "zendesk.public_comment": made["public_comment"],
        }

    def guard(self, call: Call) -> None:
        settings = self.state["settings"]
        pair = f"{settings['email']}/token:{settings['api_token']}"
        wanted = "Basic " + base64.b64encode(pair.encode()).decode()
        if not hmac.compare_digest(call.headers.get("authorization", "").encode(), wanted.encode()):
            raise Refusal(401, {"error": "Couldn't authenticate you"})
        self.limits.take("account", settings["requests_per_minute"])

    def rate_headers(self, call: Call) -> dict[str, str]:
        return self.limits.headers()

    def unknown(self, call: Call) -> Reply:
        return Reply(404, {"error": "InvalidEndpoint", "description": "Not found"})

    def malformed(self, call: Call) -> Reply:
        return Reply(
            422, {"error": "Unprocessable Entity", "message": "Server could not parse JSON"}
        )

    # -- one ticket ----------------------------------------------------------------------------

    def _create(self, call: Call) -> Reply:
        key = call.headers.get("idempotency-key")
        if key is None:
            return Reply(201, self._make(_wrapped(call.json(), "ticket")))
        if len(key) > KEY_LENGTH:
            raise _idempotency_error("The idempotency key is longer than 255 characters")
        digest = hashlib.sha256(call.body).hexdigest()
        if kept := self._known_keys().get(key):
            if kept["digest"] != digest:
                raise _idempotency_error("Request parameters don't match the given idempotency key")
            return Reply(201, kept["body"], {**_JSON, "x-idempotency-lookup": "hit"})
        # Only a 201 is remembered: whether the vendor keeps failures is not documented.
        body = json.dumps(self._make(_wrapped(call.json(), "ticket")))
        at = self.clock.timestamp()
        self.state["idempotency"][key] = {"at": at, "digest": digest, "body": body}
        return Reply(201, body, {**_JSON, "x-idempotency-lookup": "miss"})

    def _known_keys(self) -> dict[str, Row]:
        """Without those older than two hours; they were added in the order of time."""
        keys: dict[str, Row] = self.state["idempotency"]
        while keys and self.clock.timestamp() - next(iter(keys.values()))["at"] >= KEY_SECONDS:
            del keys[next(iter(keys))]
        return keys

    def _make(self, sent: Any) -> Row:
        fields = clean(self.desk, sent, None, AGENT_ID)
        ticket, audit = self.desk.create(fields, AGENT_ID, sent.get("metadata", {}))
        self.state["made"]["ticket"] += 1
        return {"ticket": ticket, "audit": audit}

    def _found(self, call: Call) -> Row:
        if (ticket := self.desk.ticket(call.params["id"])) is None:
            raise Refusal(404, {"error": "RecordNotFound", "description": "Not found"})
        return ticket

    def _show(self, call: Call) -> Reply:
        return Reply(200, {"ticket": self._found(call)})

    def _update(self, call: Call) -> Reply:
        ticket = self._found(call)
        settings = self.state["settings"]
        self.limits.take("updates", settings["updates_per_minute"])
        per_ticket = settings["updates_per_ticket_per_10_minutes"]
        self.limits.take(f"ticket {ticket['id']}", per_ticket, seconds=600)
        audit = self._change(ticket, _wrapped(call.json(), "ticket"))
        return Reply(200, {"ticket": ticket, "audit": audit})

    def _change(self, ticket: Row, sent: Any) -> Row:
        if ticket["status"] == "closed":
            text = "Status: closed prevents ticket update"
            raise record_invalid({"status": [{"description": text, "error": "InvalidValue"}]})
        fields = clean(self.desk, sent, ticket, AGENT_ID)
        if sent.get("safe_update") and str(sent.get("updated_stamp")) < ticket["updated_at"]:
            text = "Safe Update prevented update: the ticket was changed after updated_stamp"
            raise Refusal(409, {"error": "UpdateConflict", "description": text})
        if "comment" in fields:
            if len(self.state["comments"][str(ticket["id"])]) >= MOST_COMMENTS:
                text = "Comment: the ticket has reached 5000 comments"
                raise record_invalid({"comment": [{"description": text, "error": "TooManyValues"}]})
            public = fields["comment"]["public"]
            self.state["made"]["public_comment" if public else "note"] += 1
        return self.desk.update(ticket, fields, AGENT_ID, sent.get("metadata", {}))

    def _delete(self, call: Call) -> Reply:
        self.desk.update(self._found(call), {"status": "deleted", "custom": {}}, AGENT_ID, {})
        return Reply(204)

    def _add_tags(self, call: Call) -> Reply:
        ticket = self._found(call)
        tags = call.object().get("tags")
        if isinstance(tags, list):
            tags = [*ticket["tags"], *tags]
        self._change(ticket, {"tags": tags})
        return Reply(200, {"tags": ticket["tags"]})

    def _comments(self, call: Call) -> Reply:
        number = self._found(call)["id"]
        return Reply(200, lists.page(call, "comments", self.state["comments"][str(number)]))

    def _audits(self, call: Call) -> Reply:
        number = self._found(call)["id"]
        return Reply(200, lists.page(call, "audits", self.state["audits"][str(number)]))

    # -- many tickets --------------------------------------------------------------------------

    def _create_many(self, call: Call) -> Reply:
        sent = _batch(call)
        self.jobs.check_room()
        results: list[Row] = []
        for index, one in enumerate(sent):
            try:
                if call.fault == "half_batch" and index % 2:
                    raise record_invalid({"base": [{"description": "Sandbox: half_batch"}]})
                made = self._make(one)["ticket"]["id"]
                results.append({"index": index, "id": made})
            except Refusal as refusal:
                error = {"error": "TicketCreateFailed", "details": _reason(refusal)}
                results.append({"index": index, **error})
        return Reply(200, {"job_status": self.jobs.add(results)})

    def _update_many(self, call: Call) -> Reply:
        sent = _batch(call)
        self.jobs.check_room()
        results: list[Row] = []
        for one in sent:
            number = one.get("id") if isinstance(one, dict) else None
            done = {"id": number, "action": "update"}
            try:
                ticket = self.desk.ticket(str(number))
                if ticket is None:
                    raise record_invalid({"base": [{"description": "Ticket: not found"}]})
                self._change(ticket, one)
                results.append({**done, "success": True, "status": "Updated"})
            except Refusal as refusal:
                error = {"error": "TicketUpdateFailed", "details": _reason(refusal)}
                results.append({**done, "success": False, **error})
        return Reply(200, {"job_status": self.jobs.add(results)})

    def _show_job(self, call: Call) -> Reply:
        if (job := self.jobs.find(call.params["id"])) is None:
            raise Refusal(404, {"error": "RecordNotFound", "description": "Not found"})
        return Reply(200, {"job_status": job})

    def _show_jobs(self, call: Call) -> Reply:
        numbers = (call.q("ids") or "").split(",")
        found = [job for number in numbers if (job := self.jobs.find(number))]
        return Reply(200, {"job_statuses": found})


def _wrapped(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None


def _batch(call: Call) -> list[Any]:
    sent = _wrapped(call.json(), "tickets")
    if not isinstance(sent, list) or not 1 <= len(sent) <= MOST_TICKETS:
        text = "Tickets: must be a list of 1 to 100 tickets"
        raise record_invalid({"tickets": [{"description": text, "error": "InvalidValue"}]})
    return sent


def _reason(refusal: Refusal) -> str:
    details = refusal.reply.body.get("details", {})
    return "; ".join(one["description"] for problems in details.values() for one in problems)


def _idempotency_error(text: str) -> Refusal:
    return Refusal(400, {"error": "IdempotentRequestError", "description": text})
