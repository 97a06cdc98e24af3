"""HubSpot's routes: contacts, tasks, owners, properties."""

from __future__ import annotations

import hmac
from datetime import timedelta

from connector.sandbox.core import Call, Clock, Refusal, Reply, Route
from connector.sandbox.hubspot.answers import (
    ItemError,
    Row,
    error_body,
    invalid,
    refused,
    shown,
    stamp,
)
from connector.sandbox.hubspot.batches import Batches, Input, names_in
from connector.sandbox.hubspot.crm import Crm
from connector.sandbox.hubspot.hands import Staffed
from connector.sandbox.hubspot.limits import Limits
from connector.sandbox.hubspot.schema import MARKER, seeds
from connector.sandbox.hubspot.search import search

KINDS = ("contacts", "companies", "tasks")


class HubSpot(Staffed):
    """Own fault: half_batch (every second item of a write is refused with a validation error)."""

    name = "hubspot"
    own_faults = frozenset({"half_batch"})

    def __init__(self, clock: Clock, state: Row) -> None:
        super().__init__(clock, state or seeds())
        self.crm = Crm(self.state, clock)
        self.batches = Batches(self.crm, clock)
        self.limits = Limits(self.state, clock)

    def routes(self) -> list[Route]:
        objects = "/crm/v3/objects/{kind}"
        return [
            ("POST", f"{objects}/batch/read", self.batches.read),
            ("POST", f"{objects}/batch/create", self.batches.create),
            ("POST", f"{objects}/batch/update", self.batches.update),
            ("POST", f"{objects}/batch/upsert", self.batches.upsert),
            ("POST", f"{objects}/search", self._search),
            ("POST", objects, self._create),
            ("GET", f"{objects}/{{id}}", self._get),
            ("PATCH", f"{objects}/{{id}}", self._update),
            ("DELETE", f"{objects}/{{id}}", self._archive),
            ("GET", "/crm/v3/owners", self._owners),
            ("GET", "/crm/v3/properties/{kind}", self._properties),
            ("POST", "/crm/v3/properties/{kind}", self._create_property),
            ("GET", "/crm/v3/properties/{kind}/{name}", self._property),
            ("GET", "/account-info/v3/details", self._account),
        ]

    def route_path(self, raw_path: str) -> str:
        return raw_path.rstrip("/")

    def counts(self) -> dict[str, int]:
        return {"hubspot.task": self.state["made"]["task"]}

    def guard(self, call: Call) -> None:
        settings = self.state["settings"]
        wanted = f"Bearer {settings['token']}"
        if not hmac.compare_digest(call.headers.get("authorization", "").encode(), wanted.encode()):
            text = "Authentication credentials not found. See https://developers.hubspot.com"
            raise refused(401, "INVALID_AUTHENTICATION", text)
        if call.params.get("kind", "tasks") not in KINDS:
            raise Refusal(404, self.unknown(call).body)
        self.limits.take("DAILY", settings["requests_per_day"])
        if call.path.endswith("/search"):
            self.limits.take("SECONDLY", settings["searches_per_second"])
        else:
            self.limits.take("TEN_SECONDLY_ROLLING", settings["requests_per_10_seconds"])

    def rate_headers(self, call: Call) -> dict[str, str]:
        return {} if call.path.endswith("/search") else self.limits.headers()

    def unknown(self, call: Call) -> Reply:
        return Reply(404, error_body("OBJECT_NOT_FOUND", "resource not found"))

    def malformed(self, call: Call) -> Reply:
        return invalid("Invalid input JSON").reply

    # -- one record ----------------------------------------------------------------------------

    def _found(self, call: Call) -> Row:
        id_property = call.q("idProperty")
        row = self.crm.find(call.params["kind"], call.params["id"], id_property)
        if row is None:
            raise Refusal(404, self.unknown(call).body)
        return row

    def _get(self, call: Call) -> Reply:
        names = (call.q("properties") or "").split(",")
        return Reply(200, shown(self._found(call), names))

    def _create(self, call: Call) -> Reply:
        try:
            row = self.batches.make(Input.read(self.crm, call.params["kind"], call.json()))
        except ItemError as error:
            raise _contact_conflict(self.crm, call, error) or error.refusal() from None
        return Reply(201, shown(row))

    def _update(self, call: Call) -> Reply:
        row, body = self._found(call), call.object()
        properties = self.crm.read_properties(body.get("properties"))
        try:
            self.crm.check(call.params["kind"], properties, row)
        except ItemError as error:
            raise error.refusal() from None
        self.crm.update(call.params["kind"], row, properties)
        return Reply(200, shown(row))

    def _archive(self, call: Call) -> Reply:
        self.crm.archive(self._found(call))
        return Reply(204)

    def _search(self, call: Call) -> Reply:
        kind, body = call.params["kind"], call.object()
        lag = timedelta(seconds=self.state["settings"]["search_lag_seconds"])
        known = set(self.state["properties"][kind])
        rows = list(self.crm.rows(kind).values())
        names = names_in(body)
        answer, page = search(rows, body, self.clock.now() - lag, known)
        return Reply(200, {**answer, "results": [shown(row, names) for row in page]})

    # -- owners, properties, the account -------------------------------------------------------

    def _owners(self, call: Call) -> Reply:
        email = call.q("email")
        owners = [
            one
            for one in self.state["owners"]
            if email in (None, one["email"]) and one["archived"] == (call.q("archived") == "true")
        ]
        start, limit = int(call.q("after") or 0), min(int(call.q("limit") or 100), 500)
        body: Row = {"results": owners[start : start + limit]}
        if start + limit < len(owners):
            body["paging"] = {"next": {"after": str(start + limit)}}
        return Reply(200, body)

    def _properties(self, call: Call) -> Reply:
        return Reply(200, {"results": list(self.state["properties"][call.params["kind"]].values())})

    def _property(self, call: Call) -> Reply:
        found = self.state["properties"][call.params["kind"]].get(call.params["name"])
        if found is None:
            raise Refusal(404, self.unknown(call).body)
        return Reply(200, found)

    def _create_property(self, call: Call) -> Reply:
        kind, sent = call.params["kind"], call.object()
        for name in ("name", "label", "groupName", "type", "fieldType"):
            if not isinstance(sent.get(name), str) or not sent[name]:
                raise invalid(f"{name} is required")
        if sent["name"] in self.state["properties"][kind]:
            text = f"A property named '{sent['name']}' already exists."
            raise refused(409, "OBJECT_ALREADY_EXISTS", text)
        unique = bool(sent.get("hasUniqueValue"))
        if unique and kind == "tasks" and not self.state["settings"]["tasks_allow_unique"]:
            raise invalid("hasUniqueValue is not supported for tasks")
        now = stamp(self.clock.now())
        made = {"options": [], "description": "", **sent, "hasUniqueValue": unique}
        made |= {"createdAt": now, "updatedAt": now, "archived": False}
        self.state["properties"][kind][sent["name"]] = made
        return Reply(201, made)

    def _account(self, call: Call) -> Reply:
        zone = self.state["settings"]["time_zone"]
        return Reply(200, {"portalId": 1, "accountType": "STANDARD", "timeZone": zone})

    # -- what tests and the demo do ------------------------------------------------------------

    def tasks(self) -> list[Row]:
        """Every task that is not deleted, oldest first."""
        with self.lock:
            return [row for row in self.crm.rows("tasks").values() if not row["archived"]]

    def associations(self, task_id: str) -> list[tuple[str, int]]:
        """(record id, association type id) of a task."""
        with self.lock:
            return [(to, kind) for one, to, kind in self.state["associations"] if one == task_id]

    def remove_marker(self) -> None:
        """As in a portal that was not set up, or that refuses unique properties on tasks."""
        with self.changing():
            del self.state["properties"]["tasks"][MARKER]

    def add_contact(self, email: str, **properties: str) -> Row:
        with self.changing():
            row = self.crm.create("contacts", {"email": email, **properties}, [])
            self.state["made"]["contact"] -= 1
            return row


def _contact_conflict(crm: Crm, call: Call, error: ItemError) -> Refusal | None:
    """A contact that exists is named in the message of the 409."""
    if call.params["kind"] != "contacts" or error.status != 409:
        return None
    email = call.json()["properties"]["email"]
    row = crm.find("contacts", email, "email") or {"id": ""}
    return refused(409, "CONFLICT", f"Contact already exists. Existing ID: {row['id']}")
