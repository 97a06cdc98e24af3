"""An order as Salesforce's JSON: a new task, or what a revised answer changes in an open one.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_task.htm
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

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
from connector.sinks.salesforce.people import Person
from connector.sinks.salesforce.settings import TaskParams
from connector.sinks.summary import as_text, moment, score_words

SUBJECT_LIMIT = 255
DESCRIPTION_LIMIT = 32_000
FIRST_DESCRIPTION = 20_000  # the rest is kept free for notes about revisions
NOTE_LIMITS = (6_000, 1_500)
RANKS = {"Low": 0, "Normal": 1, "High": 2}
NUMBERS = frozenset({"double", "currency", "percent", "int"})
READ_FIELDS = (
    "Id, IsDeleted, IsClosed, Priority, ActivityDate, Description, OwnerId, CreatedById, "
    "LastModifiedById, LastModifiedDate"
)


def choose_person(
    people: Sequence[Person], policy: Literal["most_recent", "none"], remarks: Remarks
) -> Person | None:
    """The one person of an address; which one was taken of several is said in the task."""
    if len(people) < 2:
        return people[0] if people else None
    kind = people[0].kind.lower()
    if policy == "none":
        remarks.alarm(
            f"{len(people)} {kind}s have this address, and on_ambiguous is none: "
            "link the task to the right one."
        )
        return None
    chosen = people[0]
    remarks.note(
        f"{len(people)} {kind}s have this address; {chosen.id} was taken: it was active last."
    )
    return chosen


def new_task(
    order: Order,
    params: TaskParams,
    key_field: str,
    person: Person | None,
    owner: str | None,
    custom: Mapping[str, Any],
    remarks: Remarks,
) -> Frozen:
    """The record for the upsert."""
    record: dict[str, Any] = {
        "attributes": {"type": "Task"},
        key_field: order.key,
        "Subject": cut(subject_line(params.subject, order), SUBJECT_LIMIT),
        "Status": params.status,
        "Priority": params.priority,
        "Description": as_text(order, FIRST_DESCRIPTION, notes=remarks.said, size=units),
        **custom,
    }
    if order.due_at:
        record["ActivityDate"] = _day(order.due_at)
    if person:
        record["WhoId"] = person.id
        if person.account:  # a lead has none, and Salesforce refuses a WhatId beside a lead
            record["WhatId"] = person.account
    if owner:
        record["OwnerId"] = owner
    return Frozen(record, remarks.text, remarks.needs_attention)


def amendment(order: Order, params: TaskParams, owner: str | None, now: datetime) -> Frozen:
    """What is wished of an open task. The note is frozen; it is joined to the description as it
    stands when it is sent, so that a resend hours later does not undo what a rep wrote meanwhile.
    """
    head = f"--- {why(order)} Noted {moment(now)} {marker(order)}"
    bodies = [as_text(order, limit, size=units) for limit in NOTE_LIMITS] if is_told(order) else []
    shortest = f"{head}\nScore: {score_words(order.facts)}"
    wish: dict[str, Any] = {
        "notes": [*(f"{head}\n{body}" for body in bodies), shortest],
        "Priority": params.priority,
    }
    if order.due_at:
        wish["ActivityDate"] = _day(order.due_at)
    if owner:
        wish["OwnerId"] = owner
    if order.about and order.about.moves:
        wish["moves"] = True
    if reopens(order):
        wish["Status"] = params.status
    return Frozen(wish)


def refuse_unless_open(task: Mapping[str, Any] | None, again: bool) -> Mapping[str, Any]:
    """The task; raises `Refused` where nobody works on it any more, unless it is opened `again`."""
    if task is None or task["IsDeleted"]:
        raise Refused("the task was deleted in Salesforce (or archived); nothing was written")
    if task["IsClosed"] and not again:
        raise Refused("the task was closed in Salesforce; nothing was written")
    return task


def changes(task: Mapping[str, Any], wish: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to write: the note behind the description; priority and due date only rise, and
    the owner changes only while nobody but the connector has touched the task.

    Raises:
        Refused: the description is full.
    """
    found: dict[str, Any] = {
        "Description": appended(
            task["Description"] or "", "\n\n", wish["notes"], DESCRIPTION_LIMIT, units
        )
    }
    # A priority of the organisation's own making has no rank that we know: it is left alone.
    if RANKS[wish["Priority"]] > RANKS.get(task["Priority"] or "Low", math.inf):
        found["Priority"] = wish["Priority"]
    due = wish.get("ActivityDate")
    again = task["IsClosed"] and "Status" in wish
    if again:
        found["Status"] = wish["Status"]
    if due and (again or not task["ActivityDate"] or due < task["ActivityDate"]):
        found["ActivityDate"] = due
    may_move = wish.get("moves") or task["LastModifiedById"] == task["CreatedById"]
    if may_move and wish.get("OwnerId", task["OwnerId"]) != task["OwnerId"]:
        found["OwnerId"] = wish["OwnerId"]
    return found


def custom_fields(
    wanted: Mapping[str, str], described: Mapping[str, Mapping[str, Any]], remarks: Remarks
) -> dict[str, Any]:
    """Texts as the types that Task's fields have. One field that is not there, or a value that is
    none, is left out and said: otherwise Salesforce would refuse the whole batch.
    """
    found: dict[str, Any] = {}
    for name, text in wanted.items():
        about = described.get(name.casefold())
        if about is None or not about["createable"]:
            remarks.alarm(f"The field {name} was left out: Task has none that can be written.")
        elif text.strip():
            try:
                found[about["name"]] = _typed(text.strip(), about)
            except ValueError:
                remarks.alarm(f"The field {name} was left out: its value is no {about['type']}.")
    return found


def _typed(text: str, about: Mapping[str, Any]) -> Any:
    kind = about["type"]
    if kind == "boolean":
        folded = text.casefold()
        if folded not in ("true", "false", "yes", "no", "1", "0"):
            raise ValueError(kind)
        return folded in ("true", "yes", "1")
    if kind in NUMBERS:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(kind)
        return int(number) if number.is_integer() else number
    if kind == "date":
        return date.fromisoformat(text[:10]).isoformat()
    if kind == "datetime":
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).isoformat()
    return cut(text, about["length"]) if about["length"] else text


def _day(when: datetime) -> str:
    """A task is due on a day without a zone; the exact time stands in the description."""
    return when.astimezone(UTC).date().isoformat()
