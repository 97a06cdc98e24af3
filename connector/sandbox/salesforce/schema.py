"""The objects of the organisation: their fields, record ids, and the records it starts with."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any

from connector.sandbox.credentials import SECRETS

Row = dict[str, Any]

MARKER = "NPS_Response_Id__c"
API_USER = "005Sx0000000001"
AUDIT_FIELDS = (
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
)


@dataclass(frozen=True)
class Field:
    """`kind` is the vendor's field type; `length` in characters; `values` of a picklist."""

    kind: str
    length: int = 0
    values: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()
    writable: bool = True
    marker: bool = False  # unique and external id


def _text(length: int = 255) -> Field:
    return Field("string", length)


def _refers(*objects: str) -> Field:
    return Field("reference", 18, refers_to=objects)


def _read_only(kind: str) -> Field:
    return Field(kind, writable=False)


_COMMON = {
    "Id": Field("id", 18, writable=False),
    "IsDeleted": _read_only("boolean"),
    "CreatedDate": _read_only("datetime"),
    "CreatedById": Field("reference", 18, refers_to=("User",), writable=False),
    "LastModifiedDate": _read_only("datetime"),
    "LastModifiedById": Field("reference", 18, refers_to=("User",), writable=False),
    "SystemModstamp": _read_only("datetime"),
}
_PERSON = {
    "FirstName": _text(40),
    "LastName": _text(80),
    "Name": Field("string", 121, writable=False),
    "Email": Field("email", 80),
    "Phone": Field("phone", 40),
    "OwnerId": _refers("User"),
    "LastActivityDate": _read_only("date"),
}
OBJECTS: dict[str, dict[str, Field]] = {
    "User": {
        "Id": _COMMON["Id"],
        "Name": _text(121),
        "Username": _text(80),
        "Email": Field("email", 128),
        "IsActive": Field("boolean"),
    },
    "Account": _COMMON | {"Name": _text(255), "OwnerId": _refers("User"), "Website": _text(255)},
    "Contact": _COMMON | _PERSON | {"AccountId": _refers("Account")},
    "Lead": _COMMON | _PERSON | {"Company": _text(255), "IsConverted": _read_only("boolean")},
    "Task": _COMMON
    | {
        "WhoId": _refers("Contact", "Lead"),
        "WhatId": _refers("Account"),
        "AccountId": Field("reference", 18, refers_to=("Account",), writable=False),
        "OwnerId": _refers("User"),
        "Subject": Field("combobox", 255),
        "ActivityDate": Field("date"),
        "Status": Field("picklist", values=("Not Started", "In Progress", "Completed")),
        "Priority": Field("picklist", values=("High", "Normal", "Low")),
        "Description": Field("textarea", 32_000),
        "IsReminderSet": Field("boolean"),
        "ReminderDateTime": Field("datetime"),
        "TaskSubtype": Field("picklist", values=("Task", "Call", "Email")),
        "IsClosed": _read_only("boolean"),
        "CompletedDateTime": _read_only("datetime"),
        "NPS_Cause__c": _text(255),
        "NPS_Action_Taken__c": _text(255),
        MARKER: Field("string", 255, marker=True),
    },
}
PREFIXES = {"User": "005", "Account": "001", "Contact": "003", "Lead": "00Q", "Task": "00T"}
TASK_DEFAULTS: Row = {"Status": "Not Started", "Priority": "Normal", "IsReminderSet": False}

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECK = string.ascii_uppercase + "012345"


def record_id(kind: str, number: int) -> str:
    """The 18-character id: 15 case-sensitive ones and a checksum of their upper case."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return with_checksum(f"{PREFIXES[kind]}Sx{digits:0>10}")


def with_checksum(short: str) -> str:
    """15 characters -> 18."""
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << i for i, c in enumerate(short[start : start + 5]) if c.isupper())
        suffix += _CHECK[bits]
    return short + suffix


def describe(kind: str) -> Row:
    """What GET /sobjects/{kind}/describe says, as far as integrations read it."""
    return {
        "name": kind,
        "createable": True,
        "updateable": True,
        "fields": [
            {
                "name": name,
                "label": name,
                "type": field.kind,
                "length": field.length,
                "createable": field.writable,
                "updateable": field.writable,
                "nillable": True,
                "unique": field.marker,
                "externalId": field.marker,
                "caseSensitive": False,
                "referenceTo": list(field.refers_to),
                "restrictedPicklist": field.kind == "picklist",
                "picklistValues": [
                    {"value": value, "label": value, "active": True, "defaultValue": False}
                    for value in field.values
                ],
            }
            for name, field in OBJECTS[kind].items()
        ],
    }


def seeds() -> Row:
    """Four users of whom one has left, two accounts, four contacts of whom two share an address,
    two leads."""
    state: Row = {
        "settings": {
            "consumer_key": SECRETS["SALESFORCE_CONSUMER_KEY"],
            "consumer_secret": SECRETS["SALESFORCE_CONSUMER_SECRET"],
            "username": "connector@example.com",
            "token_seconds": 7200,
            "requests_per_day": 100_000,
            "has_marker_field": True,
            "hidden_fields": [],
        },
        "tokens": {},
        "usage": [0, 0],
        "next_number": 100,
        "made": {"task": 0},
        "task_by_marker": {},
        "records": {kind: {} for kind in OBJECTS},
    }
    users, accounts = state["records"]["User"], state["records"]["Account"]
    people_here = ("Connector Integration", "Sonia Sales", "Xavier Left", "Marta Manager")
    for number, name in enumerate(people_here, 1):
        email = f"{name.split()[0].lower()}@example.com"
        row: Row = {"Id": record_id("User", number), "Name": name, "IsActive": number != 3}
        users[row["Id"]] = row | {"Username": email, "Email": email}
    for number, name in ((1, "Acme Example"), (2, "Globex Example")):
        row = {"Id": record_id("Account", number), "Name": name, "Website": None}
        accounts[row["Id"]] = _aged(row | {"OwnerId": record_id("User", 2)})
    people = (
        ("Contact", 1, "Dora", "Detractor", "dora@example.com", 1),
        ("Contact", 2, "Pablo", "Promoter", "pablo@example.org", 2),
        ("Contact", 3, "Sam", "Shared", "shared@example.com", 1),
        ("Contact", 4, "Tess", "Shared", "shared@example.com", 2),
        ("Lead", 1, "Lena", "Lead", "lena@example.org", 0),
        ("Lead", 2, "Carl", "Converted", "carl@example.org", 0),
    )
    for kind, number, first, last, email, account in people:
        row = person(kind, number, first, last, email)
        if account:
            row["AccountId"] = record_id("Account", account)
        if kind == "Lead":
            row |= {"Company": "Initech Example", "IsConverted": number == 2}
        state["records"][kind][row["Id"]] = row
    return state


def person(kind: str, number: int, first: str, last: str, email: str) -> Row:
    """A contact or lead owned by the sales user."""
    row = {
        "Id": record_id(kind, number),
        "FirstName": first,
        "LastName": last,
        "Name": f"{first} {last}".strip(),
        "Email": email,
        "Phone": None,
        "OwnerId": record_id("User", 2),
        "LastActivityDate": None,
    }
    return _aged(row)


def _aged(row: Row) -> Row:
    old, user = "2025-01-15T09:00:00.000+0000", record_id("User", 1)
    return row | {
        "IsDeleted": False,
        "CreatedDate": old,
        "CreatedById": user,
        "LastModifiedDate": old,
        "LastModifiedById": user,
        "SystemModstamp": old,
    }
