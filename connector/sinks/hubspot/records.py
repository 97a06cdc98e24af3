"""An order as HubSpot's JSON: a new task, or what a revised answer changes in an open one.

https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connector.domain import Order
from connector.errors import Refused
from connector.sinks.crm import (
    Frozen,
    Remarks,
    appended,
    cut,
    is_told,
    marker,
    reopens,
    subject_line,
    units,
    why,
)
from connector.sinks.hubspot.people import Contact
from connector.sinks.hubspot.settings import TaskParams
from connector.sinks.summary import as_html, escaped, moment, score_words

SUBJECT_LIMIT = 250
BODY_LIMIT = 65_000
FIRST_BODY = 40_000  # the rest is kept free for notes about revisions
NOTE_LIMITS = (10_000, 3_000)
TASK_TO_CONTACT = 204
NOT_STARTED, COMPLETED = "NOT_STARTED", "COMPLETED"
RANKS = {"NONE": 0, "LOW": 1, "MEDIUM": 2, "HIGH": 3}
READ_PROPERTIES = (
    "hs_task_status",
    "hs_task_priority",
    "hs_task_body",
    "hs_timestamp",
    "hubspot_owner_id",
)


def new_task(
    order: Order,
    params: TaskParams,
    marker_property: str | None,
    contact: Contact | None,
    owner: str | None,
    remarks: Remarks,
    now: datetime,
) -> Frozen:
    """One input of the batch. The trace id says later which result or error belongs to it."""
    properties = {
        "hs_timestamp": _stamp(order.due_at or now),
        "hs_task_subject": cut(subject_line(params.subject, order), SUBJECT_LIMIT),
        "hs_task_body": as_html(order, FIRST_BODY, notes=remarks.said, size=units),
        "hs_task_status": NOT_STARTED,
        "hs_task_priority": params.priority,
        "hs_task_type": params.task_type,
    }
    if owner:
        properties["hubspot_owner_id"] = owner
    if marker_property:
        properties[marker_property] = order.key
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TASK_TO_CONTACT}]
    associations = [{"to": {"id": contact.id}, "types": types}] if contact else []
    request = {
        "objectWriteTraceId": order.key,
        "properties": properties,
        "associations": associations,
    }
    return Frozen(request, remarks.text, remarks.needs_attention)


def amendment(order: Order, params: TaskParams, owner: str | None, now: datetime) -> Frozen:
    """What is wished of an open task. The note is frozen; it is joined to the body as it stands
    when it is sent, so that a resend hours later does not undo what a rep wrote meanwhile.
    """
    head = f"<p><b>{escaped(why(order))}</b> Noted {moment(now)} {marker(order)}</p>"
    bodies = [as_html(order, limit, size=units) for limit in NOTE_LIMITS] if is_told(order) else []
    score = f"<p>Score: {escaped(score_words(order.facts))}</p>"
    wish: dict[str, Any] = {
        "notes": [*(head + body for body in bodies), head + score],
        "hs_task_priority": params.priority,
    }
    if order.due_at:
        wish["hs_timestamp"] = _stamp(order.due_at)
    if owner:
        wish["hubspot_owner_id"] = owner
    if order.about and order.about.moves:
        wish["moves"] = True
    elif not is_told(order):
        wish["moves_unbegun"] = True
    if reopens(order):
        wish["hs_task_status"] = NOT_STARTED
    return Frozen(wish)


def refuse_unless_open(task: Mapping[str, Any] | None, again: bool) -> Mapping[str, Any]:
    """The task's properties; raises `Refused` where nobody works on it any more, unless it is
    opened `again`."""
    if task is None:
        raise Refused("the task was deleted in HubSpot; nothing was written")
    properties: Mapping[str, Any] = task["properties"]
    if properties.get("hs_task_status") == COMPLETED and not again:
        raise Refused("the task was completed in HubSpot; nothing was written")
    return properties


def changes(task: Mapping[str, Any], wish: Mapping[str, Any]) -> dict[str, str]:
    """The properties to write: the note behind the body; priority and due time only rise, and an
    owner is set only where there is none: HubSpot does not say whether a person chose the present
    one.

    Raises:
        Refused: the body is full.
    """
    body = appended(task.get("hs_task_body") or "", "", wish["notes"], BODY_LIMIT, units)
    found = {"hs_task_body": body}
    priority = task.get("hs_task_priority") or "NONE"
    if RANKS[wish["hs_task_priority"]] > RANKS.get(priority, len(RANKS)):
        found["hs_task_priority"] = wish["hs_task_priority"]
    present, wanted = as_moment(task.get("hs_timestamp")), as_moment(wish.get("hs_timestamp"))
    again = task.get("hs_task_status") == COMPLETED and "hs_task_status" in wish
    if again:
        found["hs_task_status"] = wish["hs_task_status"]
    if wanted and (again or present is None or wanted < present):
        found["hs_timestamp"] = wish["hs_timestamp"]
    unbegun = wish.get("moves_unbegun") and task.get("hs_task_status") == NOT_STARTED
    may_move = wish.get("moves") or unbegun or not task.get("hubspot_owner_id")
    if wish.get("hubspot_owner_id") and may_move:
        found["hubspot_owner_id"] = wish["hubspot_owner_id"]
    return found


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_moment(text: str | None) -> datetime | None:
    """HubSpot shows a time as ISO 8601 or as milliseconds since 1970."""
    if not text:
        return None
    if text.isdecimal():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
