"""Is this task acceptable, and what becomes of it: insert, update, upsert by external id.

Two kinds of fault: a body that cannot be read refuses the whole request (`Refusal`); a record
that breaks a rule is refused alone (`RecordError`), as one item of a batch or as a 400.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from connector.sandbox.core import Clock
from connector.sandbox.salesforce.schema import (
    API_USER,
    MARKER,
    OBJECTS,
    TASK_DEFAULTS,
    Field,
    Row,
    record_id,
    with_checksum,
)
from connector.sandbox.salesforce.soql import refused


class RecordError(Exception):
    """One record is refused; `error` is the item that goes into `errors`."""

    def __init__(self, code: str, message: str, fields: list[str] | None = None) -> None:
        super().__init__(code)
        self.error: Row = {"statusCode": code, "message": message, "fields": fields or []}


def stamp(clock: Clock) -> str:
    """Salesforce's form of a time, to the millisecond."""
    return clock.now().isoformat(timespec="milliseconds").replace("+00:00", "+0000")


class Tasks:
    def __init__(self, state: Row, clock: Clock) -> None:
        self.state = state
        self.clock = clock

    @property
    def rows(self) -> dict[str, Row]:
        found: dict[str, Row] = self.state["records"]["Task"]
        return found

    def find(self, value: str) -> Row | None:
        """By external id; the index does not look at case."""
        row = self.rows.get(self.state["task_by_marker"].get(value.casefold(), ""))
        return row if row and not row["IsDeleted"] else None

    def parse(self, sent: Any) -> Row:
        """Field values without `attributes`; raises `Refusal` for what JSON parsing refuses."""
        if not isinstance(sent, dict):
            raise refused("JSON_PARSER_ERROR", "The HTTP entity body must be an object")
        fields = {name: value for name, value in sent.items() if name != "attributes"}
        has_marker = self.state["settings"]["has_marker_field"]
        for name, value in fields.items():
            field = OBJECTS["Task"].get(name)
            if field is None or (field.marker and not has_marker):
                raise refused("INVALID_FIELD", f"No such column '{name}' on sobject of type Task")
            if value is not None and not _readable(field, value):
                raise refused("JSON_PARSER_ERROR", f"Cannot deserialize instance of {field.kind}")
        return fields

    def insert(self, fields: Row, by_api: bool = True) -> Row:
        """A new task; `by_api` False for seeds, which are not counted."""
        self.check(fields, None)
        number = self.state["next_number"]
        self.state["next_number"] = number + 1
        now = stamp(self.clock)
        row: Row = dict.fromkeys(OBJECTS["Task"])
        row |= TASK_DEFAULTS | {"OwnerId": with_checksum(API_USER), "TaskSubtype": "Task"} | fields
        row |= {
            "Id": record_id("Task", number),
            "IsDeleted": False,
            "CreatedDate": now,
            "CreatedById": with_checksum(API_USER),
        }
        self.rows[row["Id"]] = row
        self._settle(row, with_checksum(API_USER), now)
        self.state["made"]["task"] += by_api
        return row

    def update(self, row: Row, fields: Row, user_id: str | None = None) -> None:
        self.check(fields, row)
        row |= fields
        self._settle(row, user_id or with_checksum(API_USER), stamp(self.clock))

    def delete(self, row: Row, user_id: str | None = None) -> None:
        """Into the recycle bin, where `queryAll` still sees it."""
        by, now = user_id or with_checksum(API_USER), stamp(self.clock)
        row |= {"IsDeleted": True, "SystemModstamp": now}
        row |= {"LastModifiedDate": now, "LastModifiedById": by}

    def _settle(self, row: Row, user_id: str, now: str) -> None:
        """Derived fields; ids are always kept with 18 characters."""
        for name in ("WhoId", "WhatId", "OwnerId"):
            if row[name]:
                row[name] = with_checksum(row[name][:15])
        contact = self.state["records"]["Contact"].get(row["WhoId"])
        row["AccountId"] = row["WhatId"] or (contact or {}).get("AccountId")
        row["IsClosed"] = row["Status"] == "Completed"
        row["CompletedDateTime"] = (row["CompletedDateTime"] or now) if row["IsClosed"] else None
        if row[MARKER]:
            self.state["task_by_marker"][row[MARKER].casefold()] = row["Id"]
        row |= {"LastModifiedDate": now, "LastModifiedById": user_id, "SystemModstamp": now}

    def check(self, fields: Row, row: Row | None) -> None:
        """Raises `RecordError` for the first rule that is broken."""
        for name, value in fields.items():
            field = OBJECTS["Task"][name]
            if not field.writable:
                raise RecordError(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {name}.",
                    [name],
                )
            if value is None:
                continue
            if field.length and field.kind != "reference" and len(value) > field.length:
                text = f"{name}: data value too large (max length={field.length})"
                raise RecordError("STRING_TOO_LONG", text, [name])
            if field.values and value not in field.values:
                text = f"{name}: bad value for restricted picklist field"
                raise RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, [name])
            if field.kind == "reference":
                self._check_reference(name, field, value)
        self._check_together(fields, row)

    def _check_reference(self, name: str, field: Field, value: str) -> None:
        records = self.state["records"]
        if len(value) not in (15, 18) or not value.isalnum():
            raise RecordError("MALFORMED_ID", f"{name}: id value of incorrect type", [name])
        whole = with_checksum(value[:15])
        target = next((records[k][whole] for k in field.refers_to if whole in records[k]), None)
        if target is None or target.get("IsDeleted"):
            raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if target.get("IsActive") is False:
            text = "operation performed with inactive user as owner of task"
            raise RecordError("INACTIVE_OWNER_OR_USER", text, [name])

    def _check_together(self, fields: Row, row: Row | None) -> None:
        whole = (row or {}) | fields
        if whole.get("WhatId") and str(whole.get("WhoId")).startswith("00Q"):
            text = "You cannot relate a task to a lead and to another record"
            raise RecordError("FIELD_INTEGRITY_EXCEPTION", text, ["WhatId"])
        marker = fields.get(MARKER)
        other = self.find(marker) if marker else None
        if other is not None and other is not row:
            raise duplicate(other)


def duplicate(other: Row) -> RecordError:
    """The unique index refused it: somebody made that record first."""
    return RecordError(
        "DUPLICATE_VALUE",
        f"duplicate value found: {MARKER} duplicates value on record with id: {other['Id']}",
        [MARKER],
    )


def _readable(field: Field, value: Any) -> bool:
    if field.kind == "boolean":
        return isinstance(value, bool)
    if not isinstance(value, str):
        return False
    try:
        if field.kind == "date":
            # A time behind the date is accepted and cut off.
            date.fromisoformat(value[:10])
        if field.kind == "datetime":
            datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
