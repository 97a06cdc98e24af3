"""The JSON Schema of `calendars`, and of what actions say about their time."""

from __future__ import annotations

from typing import Any

from connector.rules.calendar_file import CalendarText
from connector.rules.calendars import WEEKDAYS
from connector.rules.model import ActionKind
from connector.rules.schema import words
from connector.rules.schema.models import object_of
from connector.rules.written import SEND_HOURS

Schema = dict[str, Any]

_CLOCK = r"([01]?\d|2[0-4]):[0-5]\d"
_DAY = r"20\d\d-\d\d-\d\d"
_SPAN: Schema = {
    "type": "string",
    "pattern": rf"^\s*{_CLOCK}\s*[-–]\s*{_CLOCK}\s*$",  # noqa: RUF001 - people type it
    "patternErrorMessage": 'write "09:00-14:00", in quotes',
    "examples": ["09:00-14:00", "09:00-18:00"],
}
_SPANS: Schema = {**_SPAN, "type": ["string", "array"], "items": _SPAN, "minItems": 1}
_WEEKDAY = "|".join(WEEKDAYS)
_DIGEST: Schema = {
    "type": "string",
    "pattern": r"^\s*(([01]?\d|2[0-3]):[0-5]\d|\d+\s*[smhdSMHD])\s*$",
    "patternErrorMessage": 'write how long to gather, such as 1h, or a time such as "09:00"',
    "examples": ["1h", "4h", "09:00"],
}


def calendars() -> Schema:
    """The whole section."""
    return {
        "title": "Calendars",
        "description": words.CALENDARS,
        "type": "object",
        "patternProperties": {r"^[a-z0-9][a-z0-9-]{0,59}$": {"$ref": "#/definitions/calendar"}},
        "additionalProperties": False,
    }


def calendar() -> Schema:
    """One calendar."""
    hours = {
        "title": "Hours",
        "description": words.HOURS,
        "type": "object",
        "minProperties": 1,
        "properties": dict.fromkeys(("mon-fri", "mon-thu", *WEEKDAYS), _SPANS),
        "patternProperties": {rf"^({_WEEKDAY})\s*-\s*({_WEEKDAY})$": _SPANS},
        "additionalProperties": False,
    }
    schema = object_of(CalendarText, {"hours": hours})
    day = {"type": "string", "pattern": rf"^{_DAY}$", "examples": ["2026-12-24"]}
    properties = schema["properties"]
    properties["closed"] |= {"items": day}
    about = {key: properties["open"][key] for key in ("title", "description")}
    properties["open"] = {
        **about,
        "type": "object",
        "patternProperties": {rf"^{_DAY}$": _SPANS},
        "additionalProperties": False,
    }
    return {**schema, "title": "Calendar", "description": words.CALENDAR}


def of_action(of: ActionKind) -> Schema:
    """What this kind may say about when it goes out."""
    found: Schema = {}
    if not of.opens_case:
        about = SEND_HOURS if of.to_customer else words.ALERT_HOURS
        examples = ["daytime", "always"]
        found["send_hours"] = {"title": "Send Hours", "description": about, "type": "string"}
        found["send_hours"]["examples"] = examples
    if of.digest_by:
        found["digest"] = {"title": "Digest", "description": words.DIGEST, **_DIGEST}
    return found
