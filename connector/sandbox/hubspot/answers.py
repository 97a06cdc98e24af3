"""HubSpot's error bodies and batch envelopes.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from connector.sandbox.core import Refusal, Reply

Row = dict[str, Any]


def stamp(moment: datetime) -> str:
    """HubSpot's form of a time: 2026-11-24T12:00:00.123Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error_body(category: str, message: str, **more: Any) -> Row:
    seed = f"{category}{message}"
    return {
        "status": "error",
        "message": message,
        "correlationId": str(uuid.uuid5(uuid.NAMESPACE_URL, seed)),
        "category": category,
        **more,
    }


def refused(status: int, category: str, message: str, **more: Any) -> Refusal:
    return Refusal(status, error_body(category, message, **more))


def invalid(message: str) -> Refusal:
    return refused(400, "VALIDATION_ERROR", message)


class ItemError(Exception):
    """One item is refused; alone it is the whole answer, in a batch one of `errors`."""

    def __init__(self, status: int, category: str, message: str, code: str, **context: str) -> None:
        super().__init__(code)
        self.status = status
        self.category = category
        self.message = message
        self.detail: Row = {
            "message": message,
            "code": code,
            "context": {key: [value] for key, value in context.items()},
        }

    def refusal(self) -> Refusal:
        return refused(self.status, self.category, self.message, errors=[self.detail])

    def in_batch(self, trace: str | None) -> Row:
        """The item of `errors` in a 207; the trace id in `context` says which input it was."""
        return {
            "status": "error",
            "category": self.category,
            "message": self.message,
            "context": {"objectWriteTraceId": [trace]} if trace else {},
            "errors": [self.detail],
            "links": {},
        }


def missing(kind: str, ids: list[str]) -> Row:
    """The one error of a batch read in which some records were not found."""
    name = kind.removesuffix("s").upper()
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {name} objects, they may be deleted or not exist. "
        "Check that ids are valid.",
        "context": {"ids": ids},
        "errors": [],
        "links": {},
    }


def batch(status: int, results: list[Row], errors: list[Row], now: datetime) -> Reply:
    """`status` when all went well, 207 when some items did not."""
    body: Row = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": stamp(now),
        "completedAt": stamp(now),
    }
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return Reply(207 if errors else status, body)


def shown(row: Row, names: list[str] | None = None) -> Row:
    """A record with all its properties, or with those asked for and those always added."""
    properties = row["properties"]
    if names is not None:
        always = ("createdate", "lastmodifieddate")
        wanted = [name for name in properties if name.removeprefix("hs_") in always]
        wanted += ["hs_object_id", *(name for name in names if name)]
        properties = {name: properties.get(name) for name in wanted}
    return {**row, "properties": properties}
