"""Salesforce's REST routes over the organisation's records."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from connector.sandbox.core import Call, Clock, Refusal, Reply, Route
from connector.sandbox.salesforce import soql
from connector.sandbox.salesforce.hands import Staffed
from connector.sandbox.salesforce.oauth import Tokens
from connector.sandbox.salesforce.schema import (
    MARKER,
    OBJECTS,
    Row,
    describe,
    person,
    seeds,
    with_checksum,
)
from connector.sandbox.salesforce.soql import refused
from connector.sandbox.salesforce.tasks import RecordError, Tasks, duplicate

MOST_RECORDS = 200
LONGEST_REQUEST = 16_384  # bytes of URI and headers together
PAGE = 2000
DAY_SECONDS = 86_400
T = TypeVar("T")


class Salesforce(Staffed):
    """Any API version. Own faults, acted out by the batch upsert:

    lock_row        every item answers UNABLE_TO_LOCK_ROW, nothing is written
    half_locked     every second item does
    half_batch      every second item breaks a validation rule
    duplicate_value another worker commits the same records first: made once, all DUPLICATE_VALUE
    """

    name = "salesforce"
    own_faults = frozenset({"lock_row", "half_locked", "half_batch", "duplicate_value"})

    def __init__(self, clock: Clock, state: Row) -> None:
        super().__init__(clock, state or seeds())
        self.tokens = Tokens(self.state, clock)
        self.tasks = Tasks(self.state, clock)
        self.instance_url = "https://sandbox.my.salesforce.com"

    def routes(self) -> list[Route]:
        data = "/services/data/{version}"
        task = f"{data}/sobjects/Task"
        return [
            ("POST", "/services/oauth2/token", self._token),
            ("GET", f"{data}/query", lambda call: self._query(call, deleted=False)),
            ("GET", f"{data}/queryAll", lambda call: self._query(call, deleted=True)),
            ("GET", f"{data}/query/{{locator}}", self._more),
            ("GET", f"{data}/limits", self._limits),
            ("PATCH", f"{data}/composite/sobjects/Task/{{field}}", self._upsert_many),
            ("GET", f"{data}/sobjects/{{kind}}/describe", self._describe),
            ("POST", task, self._create),
            ("GET", f"{data}/sobjects/{{kind}}/{{id}}", self._get),
            ("PATCH", f"{task}/{{id}}", self._update),
            ("DELETE", f"{task}/{{id}}", self._delete),
            ("GET", f"{task}/{{field}}/{{value}}", self._get_by_marker),
            ("PATCH", f"{task}/{{field}}/{{value}}", self._upsert),
        ]

    def route_path(self, raw_path: str) -> str:
        return raw_path.rstrip("/")

    def counts(self) -> dict[str, int]:
        return {"salesforce.task": self.state["made"]["task"]}

    def guard(self, call: Call) -> None:
        if call.path.startswith("/services/oauth2/"):
            return
        if not self.tokens.valid(call.headers.get("authorization", "")):
            raise refused("INVALID_SESSION_ID", "Session expired or invalid", 401)
        size = len(call.path) + sum(len(a) + len(b) for a, b in call.query)
        if size + sum(len(a) + len(b) for a, b in call.headers.items()) > LONGEST_REQUEST:
            raise refused("URI_TOO_LONG", "The URI and headers are too long", 414)
        version = call.params["version"]
        if not (version[0] == "v" and version[1:-2].isdigit() and version[-2:] == ".0"):
            raise _not_found()
        limit = self.state["settings"]["requests_per_day"]
        if self._used() >= limit:
            raise refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)
        self.state["usage"] = [int(self.clock.timestamp() // DAY_SECONDS), self._used() + 1]

    def _used(self) -> int:
        day, used = self.state["usage"]
        return int(used) if day == int(self.clock.timestamp() // DAY_SECONDS) else 0

    def rate_headers(self, call: Call) -> dict[str, str]:
        limit = self.state["settings"]["requests_per_day"]
        return {"Sforce-Limit-Info": f"api-usage={self._used()}/{limit}"}

    def unknown(self, call: Call) -> Reply:
        return _not_found().reply

    def malformed(self, call: Call) -> Reply:
        return refused("JSON_PARSER_ERROR", "The HTTP entity body is not valid JSON").reply

    # -- reading -------------------------------------------------------------------------------

    def _token(self, call: Call) -> Reply:
        return self.tokens.grant(call, self.instance_url)

    def _limits(self, call: Call) -> Reply:
        limit = self.state["settings"]["requests_per_day"]
        left = {"Max": limit, "Remaining": limit - self._used()}
        return Reply(200, {"DailyApiRequests": left})

    def _query(self, call: Call, deleted: bool) -> Reply:
        return Reply(200, self._page(call.q("q") or "", deleted, 0, call.params["version"]))

    def _more(self, call: Call) -> Reply:
        try:
            plain = base64.urlsafe_b64decode(call.params["locator"]).decode()
            start, deleted, text = plain.split("|", 2)
        except ValueError:
            raise refused("INVALID_QUERY_LOCATOR", "invalid query locator") from None
        return Reply(200, self._page(text, deleted == "1", int(start), call.params["version"]))

    def _page(self, text: str, deleted: bool, start: int, version: str) -> Row:
        records = self.state["records"]
        query = soql.Parser(text, records, self._hidden()).query()
        rows = soql.run(query, records, deleted)
        shown = [_selected(records, query, row, version) for row in rows[start : start + PAGE]]
        done = start + PAGE >= len(rows)
        page: Row = {"totalSize": len(rows), "done": done, "records": shown}
        if not done:
            plain = f"{start + PAGE}|{int(deleted)}|{text}"
            locator = base64.urlsafe_b64encode(plain.encode()).decode()
            page["nextRecordsUrl"] = f"/services/data/{version}/query/{locator}"
        return page

    def _describe(self, call: Call) -> Reply:
        if call.params["kind"] not in OBJECTS:
            raise _not_found()
        shown = describe(call.params["kind"])
        hidden = self._hidden() if call.params["kind"] == "Task" else ()
        shown["fields"] = [one for one in shown["fields"] if one["name"] not in hidden]
        return Reply(200, shown)

    def _hidden(self) -> frozenset[str]:
        """Fields of Task that this organisation does not have, or does not show us."""
        settings = self.state["settings"]
        marker = () if settings["has_marker_field"] else (MARKER,)
        return frozenset((*settings.get("hidden_fields", ()), *marker))

    def _get(self, call: Call) -> Reply:
        rows = self.state["records"].get(call.params["kind"], {})
        row = rows.get(with_checksum(call.params["id"][:15]))
        if row is None or row.get("IsDeleted"):
            raise _not_found()
        return Reply(200, _shown(call.params["kind"], row, call.params["version"]))

    def _get_by_marker(self, call: Call) -> Reply:
        self._check_marker(call)
        if (row := self.tasks.find(call.params["value"])) is None:
            raise _not_found()
        return Reply(200, _shown("Task", row, call.params["version"]))

    # -- writing -------------------------------------------------------------------------------

    def _check_marker(self, call: Call) -> None:
        known = call.params["field"] == MARKER and self.state["settings"]["has_marker_field"]
        if not known:
            text = "Provided external ID field does not exist or is not accessible"
            raise refused("NOT_FOUND", f"{text}: {call.params['field']}", 404)

    def _create(self, call: Call) -> Reply:
        fields = self.tasks.parse(call.json())
        row = _alone(lambda: self.tasks.insert(fields))
        return Reply(201, {"id": row["Id"], "success": True, "errors": []})

    def _task(self, call: Call) -> Row:
        row = self.tasks.rows.get(with_checksum(call.params["id"][:15]))
        if row is None:
            raise _not_found()
        if row["IsDeleted"]:
            raise refused("ENTITY_IS_DELETED", "entity is deleted", 404)
        return row

    def _update(self, call: Call) -> Reply:
        row, fields = self._task(call), self.tasks.parse(call.json())
        _alone(lambda: self.tasks.update(row, fields))
        return Reply(204)

    def _delete(self, call: Call) -> Reply:
        self.tasks.delete(self._task(call))
        return Reply(204)

    def _upsert(self, call: Call) -> Reply:
        self._check_marker(call)
        fields = self.tasks.parse(call.json())
        if MARKER in fields:
            text = f"The {MARKER} field should not be specified in the sobject data."
            raise refused("INVALID_FIELD", text)
        fields[MARKER] = call.params["value"]
        if call.q("updateOnly") == "true" and self.tasks.find(fields[MARKER]) is None:
            raise _not_found()
        item = _alone(lambda: self._put(fields))
        return Reply(201 if item["created"] else 200, item)

    def _put(self, fields: Row) -> Row:
        row = self.tasks.find(fields[MARKER])
        if row is None:
            made = self.tasks.insert(fields)
            return {"id": made["Id"], "success": True, "errors": [], "created": True}
        self.tasks.update(row, {k: v for k, v in fields.items() if k != MARKER})
        return {"id": row["Id"], "success": True, "errors": [], "created": False}

    def _upsert_many(self, call: Call) -> Reply:
        self._check_marker(call)
        body = call.object()
        sent = body.get("records")
        if not isinstance(sent, list) or not sent:
            raise refused("JSON_PARSER_ERROR", "records must be a list")
        if len(sent) > MOST_RECORDS:
            text = f"sObject collections take at most {MOST_RECORDS} records"
            raise refused("EXCEEDED_MAX_SIZE_REQUEST", text)
        if body.get("allOrNone"):
            raise refused("NOT_SUPPORTED", "The sandbox has no allOrNone: one bad row undoes all")
        for one in sent:
            if not isinstance(one, dict) or _type_of(one) != "Task":
                raise refused("INVALID_FIELD", "Each record needs attributes with the type Task")
        records = [self.tasks.parse(one) for one in sent]
        seen: set[str] = set()
        return Reply(200, [self._item(i, one, seen, call.fault) for i, one in enumerate(records)])

    def _item(self, index: int, fields: Row, seen: set[str], fault: str | None) -> Row:
        try:
            marker = fields.get(MARKER)
            if not marker:
                raise RecordError("MISSING_ARGUMENT", f"{MARKER} not specified", [MARKER])
            if marker.casefold() in seen:
                text = f"Duplicate external id specified: {marker}"
                raise RecordError("DUPLICATE_VALUE", text, [MARKER])
            seen.add(marker.casefold())
            second = index % 2 == 1
            if fault == "lock_row" or (fault == "half_locked" and second):
                raise RecordError("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access")
            if fault == "half_batch" and second:
                text = "Sandbox: a validation rule says no"
                raise RecordError("FIELD_CUSTOM_VALIDATION_EXCEPTION", text, ["Subject"])
            if fault == "duplicate_value":
                raise duplicate(self.tasks.find(marker) or self.tasks.insert(fields))
            return self._put(fields)
        except RecordError as refusal:
            return {"success": False, "errors": [refusal.error]}

    # -- what tests and the demo see and add ---------------------------------------------------

    def all_tasks(self) -> list[Row]:
        """Every task that is not deleted, oldest first."""
        with self.lock:
            return [row for row in self.tasks.rows.values() if not row["IsDeleted"]]

    def add_contact(self, email: str, first: str = "Casey", last: str = "Contact") -> Row:
        return self._add_person("Contact", email, first, last)

    def add_lead(self, email: str, first: str = "Lou", last: str = "Lead") -> Row:
        return self._add_person("Lead", email, first, last)

    def _add_person(self, kind: str, email: str, first: str, last: str) -> Row:
        with self.changing():
            number = self.state["next_number"]
            self.state["next_number"] = number + 1
            row = person(kind, number, first, last, email)
            row |= {"Company": "Example", "IsConverted": False} if kind == "Lead" else {}
            self.state["records"][kind][row["Id"]] = row
            return row


def _not_found() -> Refusal:
    return refused("NOT_FOUND", "The requested resource does not exist", 404)


def _alone(work: Callable[[], T]) -> T:
    """A record on its own: its error is the whole answer."""
    try:
        return work()
    except RecordError as refusal:
        error = refusal.error
        shown = {"message": error["message"], "errorCode": error["statusCode"]}
        raise Refusal(400, [shown | {"fields": error["fields"]}]) from None


def _type_of(record: Row) -> Any:
    attributes = record.get("attributes")
    return attributes.get("type") if isinstance(attributes, dict) else None


def _shown(kind: str, row: Row, version: str) -> Row:
    url = f"/services/data/{version}/sobjects/{kind}/{row['Id']}"
    return {"attributes": {"type": kind, "url": url}, **row}


def _selected(records: dict[str, Any], query: soql.Query, row: Row, version: str) -> Row:
    found = _shown(query.kind, {"Id": row["Id"]}, version)
    del found["Id"]
    for name in query.fields:
        head, _, tail = name.rpartition(".")
        value = soql.raw(records, query.kind, row, name)
        if head:
            inner = found.setdefault(head, {"attributes": {"type": head}})
            inner[tail] = value
        else:
            found[name] = value
    return found
