"""Answers of Zendesk -> records: objects of zenpy, and plain JSON of what is followed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from connector.sinks.zendesk.records import (
    Agent,
    Audit,
    Event,
    Field,
    Followed,
    Listed,
    Person,
    Ticket,
)

T = TypeVar("T")

STAFF = ("agent", "admin")

log = logging.getLogger(__name__)


def ticket(found: Any) -> Ticket:
    return Ticket(
        id=int(found.id),
        status=str(found.status),
        priority=found.priority,
        type=found.type,
        due_at=datetime.fromisoformat(found.due_at) if found.due_at else None,
        group_id=found.group_id,
        assignee_id=found.assignee_id,
        tags=tuple(found.tags or ()),
        updated_at=str(found.updated_at),
    )


def listed(found: Any) -> Listed:
    return Listed(
        id=int(found.id),
        external_id=str(found.external_id),
        status=str(found.status),
        created_at=datetime.fromisoformat(found.created_at),
    )


def agent(found: Any) -> Agent | None:
    """None for the anonymous user: without valid credentials Zendesk may answer 200."""
    if found.id is None or found.role == "end-user":
        return None
    return Agent(int(found.id), str(found.name), str(found.email))


def field(found: Any) -> Field:
    """Agents see the levels of a menu that stand in one name as `Billing::Refund`."""
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    for option in getattr(found, "custom_field_options", None) or ():
        plain = option if isinstance(option, dict) else vars(option)
        name, value = str(plain.get("name")), str(plain.get("value"))
        options[name.casefold()] = options[value.casefold()] = value
        labels[value] = name.replace("::", " > ")
    return Field(int(found.id), str(found.title), str(found.type), options, labels)


# -- plain JSON ----------------------------------------------------------------------------------


def each(rows: Any, read: Callable[[Any], T]) -> list[T]:
    """What can be understood of a list: one odd record never hides the others."""
    found = []
    for row in _list(rows):
        try:
            found.append(read(row))
        except (AttributeError, KeyError, TypeError, ValueError):
            log.warning("one record in an answer of Zendesk could not be understood")
    return found


def followed(answer: dict[str, Any], alone: str = "") -> list[Followed]:
    """The tickets of an answer. Where they were asked for, an export puts the metric sets into the
    tickets, a list beside them; `alone`: under which name it holds one ticket.

    https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/side_loading/
    """
    beside = {one.get("ticket_id"): one for one in _list(answer.get("metric_sets") or [])}

    def read(row: Any) -> Followed:
        metrics = row.get("metric_set") or beside.get(row["id"]) or {}
        changed_at = _time(row["updated_at"])
        if row["status"] == "deleted" and (seen := row.get("generated_timestamp")):
            changed_at = max(changed_at, datetime.fromtimestamp(int(seen), UTC))
        return Followed(
            id=int(row["id"]),
            external_id=str(row.get("external_id") or ""),
            status=str(row["status"]),
            created_at=_time(row["created_at"]),
            changed_at=changed_at,
            solved_at=_time(metrics["solved_at"]) if metrics.get("solved_at") else None,
            requester_id=row.get("requester_id"),
            assignee_id=row.get("assignee_id"),
            group_id=row.get("group_id"),
            tags=tuple(row.get("tags") or ()),
            fields={one["id"]: one.get("value") for one in row.get("custom_fields") or ()},
        )

    return each([answer[alone]] if alone else answer["tickets"], read)


def audit(row: Any) -> Audit:
    return Audit(
        author_id=row.get("author_id"),
        channel=_channel(row),
        at=_time(row["created_at"]),
        events=tuple(each(row.get("events") or [], _event)),
    )


def _event(row: Any) -> Event:
    return Event(
        type=str(row["type"]),
        field=str(row.get("field_name") or ""),
        value=str(row.get("value") if row.get("value") is not None else ""),
        by_rule=_channel(row) == "rule",
    )


def person(row: Any) -> tuple[int, Person]:
    return int(row["id"]), Person(str(row.get("name") or ""), row.get("role") in STAFF)


def _channel(row: Any) -> str:
    return str((row.get("via") or {}).get("channel") or "")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _list(rows: Any) -> Iterable[Any]:
    if not isinstance(rows, list):
        raise TypeError("no list")
    return rows
