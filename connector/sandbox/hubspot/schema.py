"""The portal as it starts: properties, owners, contacts, companies."""

from __future__ import annotations

from typing import Any

from connector.sandbox.credentials import SECRETS

Row = dict[str, Any]

MARKER = "nps_action_id"
OLD = "2025-01-15T09:00:00.000Z"
ASSOCIATIONS = {  # from tasks: type id -> what it points to
    204: "contacts",
    192: "companies",
}
REQUIRED = {"tasks": ("hs_timestamp",), "contacts": (), "companies": ()}


def _property(name: str, kind: str = "string", *options: str, unique: bool = False) -> Row:
    field = {"string": "text", "enumeration": "select", "datetime": "date", "number": "number"}
    return {
        "name": name,
        "label": name.replace("_", " "),
        "groupName": "information",
        "type": kind,
        "fieldType": field[kind],
        "description": "",
        "hasUniqueValue": unique,
        "options": [{"label": o, "value": o, "hidden": False, "displayOrder": -1} for o in options],
        "createdAt": OLD,
        "updatedAt": OLD,
        "archived": False,
    }


def _record(number: str, **properties: str) -> Row:
    return {
        "id": number,
        "properties": {"hs_object_id": number, **properties},
        "createdAt": OLD,
        "updatedAt": OLD,
        "archived": False,
    }


def _owner(number: str, email: str, first: str, last: str) -> Row:
    return {
        "id": number,
        "email": email,
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        "userId": int(number) + 1,
        "userIdIncludingInactive": int(number) + 1,
        "createdAt": OLD,
        "updatedAt": OLD,
        "archived": False,
        "teams": [],
    }


def seeds() -> Row:
    tasks = (
        _property("hs_timestamp", "datetime"),
        _property("hs_task_subject"),
        _property("hs_task_body"),
        _property(
            "hs_task_status",
            "enumeration",
            *("NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED"),
        ),
        _property("hs_task_priority", "enumeration", "NONE", "LOW", "MEDIUM", "HIGH"),
        _property("hs_task_type", "enumeration", "TODO", "CALL", "EMAIL"),
        _property("hs_task_reminders", "number"),
        _property("hs_task_completion_date", "datetime"),
        _property("hubspot_owner_id"),
        _property("hs_object_id"),
        _property("hs_createdate", "datetime"),
        _property("hs_lastmodifieddate", "datetime"),
        _property(MARKER, unique=True),
        _property("nps_cause"),
        _property("nps_action_taken"),
    )
    people = (
        _property("email", unique=True),
        *(_property(name) for name in ("firstname", "lastname", "phone", "company")),
        _property("hubspot_owner_id"),
        _property("hs_object_id"),
        _property("createdate", "datetime"),
        _property("lastmodifieddate", "datetime"),
    )
    companies = (_property("name"), _property("domain"), _property("hubspot_owner_id"))
    owner = "64492917"
    contacts = (
        _record("101", email="dora@example.com", firstname="Dora", hubspot_owner_id=owner),
        _record("102", email="pablo@example.org", firstname="Pablo"),
        _record("103", email="lena@example.org", firstname="Lena"),
    )
    return {
        "settings": {
            "token": SECRETS["HUBSPOT_TOKEN"],
            "time_zone": "Europe/Madrid",
            "requests_per_10_seconds": 100_000,
            "requests_per_day": 1_000_000,
            "searches_per_second": 5,
            "search_lag_seconds": 60,
            "tasks_allow_unique": True,
        },
        "next_id": 5000,
        "properties": {
            "tasks": {one["name"]: one for one in tasks},
            "contacts": {one["name"]: one for one in people},
            "companies": {one["name"]: one for one in companies},
        },
        "owners": [
            _owner(owner, "sonia@example.com", "Sonia", "Sales"),
            _owner("64492918", "casper@example.com", "Casper", "Care"),
        ],
        "objects": {
            "contacts": {contact["id"]: contact for contact in contacts},
            "companies": {"201": _record("201", name="Acme Example", domain="example.com")},
            "tasks": {},
        },
        "unique": {f"contacts email {c['properties']['email']}": c["id"] for c in contacts},
        "associations": [],
        "made": {"task": 0, "contact": 0},
        "windows": {},
    }
