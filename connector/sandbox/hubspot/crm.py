"""The records: validation of properties and associations, unique values, changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connector.sandbox.core import Clock
from connector.sandbox.hubspot.answers import ItemError, Row, invalid, stamp
from connector.sandbox.hubspot.schema import ASSOCIATIONS, REQUIRED

WITH_HISTORY = frozenset({"hs_task_status", "hubspot_owner_id"})  # all that anybody asks for
CATEGORIES = ("HUBSPOT_DEFINED", "USER_DEFINED", "INTEGRATOR_DEFINED")


class Crm:
    def __init__(self, state: Row, clock: Clock) -> None:
        self.state = state
        self.clock = clock

    def _holder(self, kind: str, name: str, value: str) -> str | None:
        """The id of the record that has this unique value."""
        number: str | None = self.state["unique"].get(f"{kind} {name} {value.lower()}")
        return number

    def rows(self, kind: str) -> dict[str, Row]:
        found: dict[str, Row] = self.state["objects"][kind]
        return found

    def unique_properties(self, kind: str) -> list[str]:
        properties = self.state["properties"][kind].values()
        return [one["name"] for one in properties if one["hasUniqueValue"]]

    def find(
        self, kind: str, value: str, id_property: str | None, archived: bool = False
    ) -> Row | None:
        """By id, or by a property that is unique; raises `Refusal` 400 when it is not."""
        if id_property in (None, "hs_object_id"):
            number: str | None = value
        elif id_property not in self.unique_properties(kind):
            raise invalid(f"{id_property} is not a unique property of {kind}")
        else:
            number = self._holder(kind, str(id_property), value)
        row = self.rows(kind).get(number or "")
        return row if row and row["archived"] == archived else None

    def create(self, kind: str, properties: Row, targets: list[tuple[str, int]]) -> Row:
        number, now = str(self.state["next_id"]), stamp(self.clock.now())
        self.state["next_id"] += 1
        prefix = "hs_" if kind == "tasks" else ""
        defaults = {"hs_task_status": "NOT_STARTED"} if kind == "tasks" else {}
        row: Row = {
            "id": number,
            "properties": {
                **defaults,
                **properties,
                "hs_object_id": number,
                f"{prefix}createdate": now,
                f"{prefix}lastmodifieddate": now,
            },
            "createdAt": now,
            "updatedAt": now,
            "archived": False,
        }
        self.rows(kind)[number] = row
        self.state["associations"] += [[number, to, type_id] for to, type_id in targets]
        self.state["made"][kind.removesuffix("s")] += 1
        self._remember(kind, row, row["properties"], now, None)
        self._settle(kind, row)
        return row

    def archive(self, row: Row) -> None:
        row |= {"archived": True, "archivedAt": stamp(self.clock.now())}

    def history(self, number: str, name: str) -> list[Row]:
        """What a property of a task has been, the newest first."""
        found: list[Row] = self.state.get("history", {}).get(number, {}).get(name, [])
        return found

    def _remember(self, kind: str, row: Row, changes: Row, now: str, user: int | None) -> None:
        if kind != "tasks":
            return
        kept = self.state.setdefault("history", {}).setdefault(row["id"], {})
        for name in WITH_HISTORY & changes.keys():
            entry = {"value": changes[name], "timestamp": now}
            entry |= {"sourceType": "CRM_UI" if user else "INTEGRATION", "sourceId": str(user or 1)}
            kept[name] = [entry | ({"updatedByUserId": user} if user else {}), *kept.get(name, [])]

    def update(self, kind: str, row: Row, properties: Row, user: int | None = None) -> None:
        """`user`: the person who does it by hand; None for this API."""
        now = stamp(self.clock.now())
        row["updatedAt"] = now
        prefix = "hs_" if kind == "tasks" else ""
        old = row["properties"]
        changed = {name: value for name, value in properties.items() if old.get(name) != value}
        self._remember(kind, row, changed, now, user)
        row["properties"] |= {**properties, f"{prefix}lastmodifieddate": now}
        self._settle(kind, row)

    def _settle(self, kind: str, row: Row) -> None:
        properties = row["properties"]
        if kind == "tasks":
            done = properties["hs_task_status"] == "COMPLETED"
            known = properties.get("hs_task_completion_date")
            properties["hs_task_completion_date"] = (known or row["updatedAt"]) if done else None
        if properties.get("email"):
            properties["email"] = properties["email"].lower()
        self._index(kind, row)

    def _index(self, kind: str, row: Row) -> None:
        for name in self.unique_properties(kind):
            if value := row["properties"].get(name):
                self.state["unique"][f"{kind} {name} {value.lower()}"] = row["id"]

    # -- judging -------------------------------------------------------------------------------

    def read_properties(self, sent: Any) -> Row:
        """Raises `Refusal` 400 for what the vendor's JSON reader refuses: values are strings."""
        if not isinstance(sent, dict):
            raise invalid("Invalid input JSON: properties must be an object")
        for name, value in sent.items():
            if not isinstance(value, str):
                raise invalid(f"Invalid input JSON: the value of {name} is not a string")
        return sent

    def check(self, kind: str, properties: Row, row: Row | None) -> None:
        """Raises `ItemError` for the first property that is wrong."""
        known = self.state["properties"][kind]
        for name in REQUIRED[kind]:
            if not (properties.get(name) or row):
                raise _wrong(f"{name} is required", "REQUIRED_FIELD", name)
        for name, value in properties.items():
            if name not in known:
                raise _wrong(f'Property "{name}" does not exist', "PROPERTY_DOESNT_EXIST", name)
            self._check_value(name, value, known[name])
        for name in self.unique_properties(kind):
            other = self._holder(kind, name, properties.get(name, ""))
            taken = other and not self.rows(kind)[other]["archived"]
            if taken and (row is None or row["id"] != other):
                raise ItemError(
                    409,
                    "VALIDATION_ERROR",
                    f"Cannot set {name}: record {other} already has that value",
                    "CONFLICTING_UNIQUE_VALUE",
                    propertyName=name,
                )

    def _check_value(self, name: str, value: str, definition: Row) -> None:
        options = [option["value"] for option in definition["options"]]
        if options and value and value not in options:
            raise _wrong(f"{name}: not one of the allowed options", "INVALID_OPTION", name)
        if definition["type"] == "datetime" and value and not _is_time(value):
            raise _wrong(f"{name}: not a date", "INVALID_DATE", name)
        if definition["type"] == "number" and value and not value.lstrip("-").isdigit():
            raise _wrong(f"{name}: not a number", "INVALID_INTEGER", name)
        owners = [owner["id"] for owner in self.state["owners"] if not owner["archived"]]
        if name == "hubspot_owner_id" and value and value not in owners:
            raise _wrong(f"{name}: the owner does not exist", "INVALID_OWNER_ID", name)

    def read_associations(self, sent: Any) -> list[tuple[str, int]]:
        """(record id, association type id) of each; may be empty. Raises `Refusal` 400."""
        if not isinstance(sent, list):
            raise invalid("Invalid input JSON: associations is required")
        found: list[tuple[str, int]] = []
        for one in sent:
            try:
                to = str(one["to"]["id"])
                types = [(t["associationCategory"], t["associationTypeId"]) for t in one["types"]]
            except (KeyError, TypeError):
                raise invalid("Invalid input JSON: an association has to and types") from None
            for category, type_id in types:
                if category not in CATEGORIES or not isinstance(type_id, int):
                    raise invalid("Invalid input JSON: no association category or type")
                found.append((to, type_id))
        return found

    def check_targets(self, targets: list[tuple[str, int]]) -> None:
        """Raises `ItemError` for a wrong type or an unknown record."""
        for to, type_id in targets:
            kind = ASSOCIATIONS.get(type_id)
            if kind is None:
                text = f"No association type {type_id} from tasks exists"
                raise _wrong(text, "INVALID_ASSOCIATION_TYPE", "associations")
            if self.find(kind, to, None) is None:
                text = f"The {kind} record {to} does not exist"
                raise ItemError(400, "OBJECT_NOT_FOUND", text, "INVALID_OBJECT_IDS", id=to)


def _wrong(message: str, code: str, name: str) -> ItemError:
    return ItemError(400, "VALIDATION_ERROR", message, code, propertyName=name)


def _is_time(value: str) -> bool:
    """Milliseconds since 1970, or ISO 8601 with a zone."""
    if value.isdigit():
        return len(value) == 13
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
