"""The request bodies: a new ticket, and what a newer answer adds to an open one. Reads only.

HTML is sent, escaped, not plain `body`: Zendesk drops what looks like a tag from `body` and may
read it as Markdown, in which a customer could hide a link or an image.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector.domain import Facts, Order
from connector.sinks import summary
from connector.sinks.zendesk.desk import Desk
from connector.sinks.zendesk.history import audits, is_automatic, is_ours
from connector.sinks.zendesk.model import TicketParams
from connector.sinks.zendesk.names import Names, field_value
from connector.sinks.zendesk.records import Ticket
from connector.text import one_line

SUBJECT = 150  # characters
COMMENT_BYTES = 60_000  # of the 64 kB that Zendesk takes
NAME = 100
TAG = 80
SEGMENT_TAGS = frozenset({"nps_promoter", "nps_passive", "nps_detractor"})
RANKS = {None: -1, "low": 0, "normal": 1, "high": 2, "urgent": 3}

# Stricter than the standard: an address that Zendesk refuses would cost the whole ticket.
_MAILBOX = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}"
)


@dataclass
class Draft:
    """A body in the making. `remarks` need attention and come back in the receipt; they are sent
    along as metadata, so that they survive until the receipt whatever happens to this process."""

    ticket: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def body(self, key: str) -> bytes:
        metadata: dict[str, Any] = {"nps_action_id": key}
        if self.remarks:
            metadata["nps_remarks"] = self.remarks
        return json.dumps({"ticket": {**self.ticket, "metadata": metadata}}).encode()


def remarks(body: bytes) -> list[str]:
    """What a frozen body says about its own shortcomings."""
    said = json.loads(body)["ticket"]["metadata"].get("nps_remarks", [])
    return [str(one) for one in said]


def marker(key: str) -> str:
    """What stands in an internal note, so that it can be found again."""
    return f"[{key}]"


def new_ticket(order: Order, params: TicketParams, names: Names, now: datetime) -> bytes:
    """The body of `POST /tickets`.
    https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
    """
    draft = Draft()
    draft.ticket = {
        "external_id": order.key,
        "subject": summary.headline(params.subject, SUBJECT) or "NPS",
        "priority": params.priority,
        "type": params.type,
        "tags": _tags(order.facts, params),
    }
    if params.type == "task" and order.due_at:
        draft.ticket["due_at"] = stamp(order.due_at)
    _requester(draft, order.facts)
    draft.ticket |= _people(draft, params, names, now)
    if values := _fields(draft, params, names, now):
        draft.ticket["custom_fields"] = values
    shown = [] if params.public else [*draft.notes, *draft.remarks]
    html = summary.as_html(
        order, COMMENT_BYTES, notes=shown, for_customer=params.public, size=_bytes
    )
    draft.ticket["comment"] = {"html_body": html, "public": params.public}
    return draft.body(order.key)


def amendment(
    order: Order,
    params: TicketParams,
    before: Ticket,
    desk: Desk,
    names: Names,
    now: datetime,
) -> bytes:
    """The body of `PUT /tickets/{id}`: an internal note, and only what rises.

    With `safe_update` Zendesk refuses it (409) once the ticket has changed since `before`, so that
    it can never undo what an agent has done in between.
    https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/
    """
    draft = Draft(ticket={"safe_update": True, "updated_stamp": before.updated_at})
    if RANKS[params.priority] > RANKS.get(before.priority, -1):
        draft.ticket["priority"] = params.priority
    sooner = order.due_at and (before.due_at is None or order.due_at < before.due_at)
    again = before.status == "solved" and order.about is not None and order.about.reopens
    if again:
        draft.ticket["status"] = "open"
    if before.type == "task" and order.due_at and (sooner or again):
        draft.ticket["due_at"] = stamp(order.due_at)
    tags = _tags(order.facts, params)
    kept = [tag for tag in before.tags if tag not in SEGMENT_TAGS]
    if set(before.tags) != {*kept, *tags}:
        draft.ticket["tags"] = sorted({*kept, *tags})
    taken = order.about is not None and order.about.moves
    _what_is_ours(draft, params, before, desk, names, now, taken)
    note = f"{_news(order, draft.remarks)}<p>{marker(order.key)}</p>"
    draft.ticket["comment"] = {"html_body": note, "public": False}
    return draft.body(order.key)


def _news(order: Order, remarks: list[str]) -> str:
    """Why the note is written; of an escalation nothing else is new."""
    why = order.about.why if order.about else "The customer changed their answer."
    if order.about and not order.about.reopens:
        return "".join(f"<p><b>Note:</b> {summary.escaped(one)}</p>" for one in (why, *remarks))
    return summary.as_html(order, COMMENT_BYTES, notes=[why, *remarks], size=_bytes)


def stamp(when: datetime) -> str:
    """Zendesk's form of a time: `2026-11-24T12:00:00Z`."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _tags(facts: Facts, params: TicketParams) -> list[str]:
    """Zendesk lower-cases tags and would make several of one with blanks."""
    segment = [f"nps_{facts.segment}"] if facts.segment else []
    silent = [] if params.public else ["nps_silent"]
    own = [re.sub(r"[^\w/:.-]+", "_", tag.strip().lower())[:TAG] for tag in params.tags]
    return sorted({"nps", *segment, *silent, *own} - {"", "_"})


def _requester(draft: Draft, facts: Facts) -> None:
    email = str(facts.customer.get("email") or "")
    if _MAILBOX.fullmatch(email):
        name = summary.headline(str(facts.customer.get("name") or ""), NAME) or email
        draft.ticket["requester"] = {"name": name, "email": email}
    else:
        why = "The e-mail address cannot be used" if email else "There is no e-mail address"
        draft.notes.append(f"{why}, so the requester of this ticket is not the customer.")


def _people(
    draft: Draft, params: TicketParams, names: Names, now: datetime, group_now: int | None = None
) -> dict[str, int]:
    """Group and assignee; one that does not exist is left out and remarked, never in the way."""
    found: dict[str, int] = {}
    if wanted := params.group:
        group = names.group(wanted, now)
        if group is None:
            draft.remarks.append(_missing("group", wanted))
        else:
            found["group_id"] = group
    if params.assignee.strip():
        agent = names.agent(params.assignee, now)
        if agent is None:
            draft.remarks.append("The assignee that the rule names is not one active agent.")
        elif (group := found.get("group_id", group_now)) and not names.belongs(
            agent.id, group, now
        ):
            draft.remarks.append("The assignee that the rule names is not in the ticket's group.")
        else:
            found["assignee_id"] = agent.id
    return found


def _fields(
    draft: Draft, params: TicketParams, names: Names, now: datetime
) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = []
    for title, text in params.fields.items():
        known = names.field(title, now)
        value = field_value(known, summary.inert(text)) if known and text.strip() else None
        if known is None:
            draft.remarks.append(_missing("ticket field", title))
        elif value is not None:
            values.append({"id": known.id, "value": value})
        elif text.strip():
            draft.remarks.append(f"The ticket field {_quoted(title)} does not take this value.")
    return values


def _what_is_ours(
    draft: Draft,
    params: TicketParams,
    before: Ticket,
    desk: Desk,
    names: Names,
    now: datetime,
    taken: bool,
) -> None:
    """Group, assignee and fields change only while nobody but us has worked on the ticket, or where
    it is taken from them."""
    wanted = _people(draft, params, names, now, before.group_id)
    moves = {k: v for k, v in wanted.items() if v != getattr(before, k)}
    values = _fields(draft, params, names, now)
    if not (moves or values) or (not taken and touched(desk, before.id)):
        return
    group, assignee = moves.get("group_id"), before.assignee_id
    stays = assignee if "assignee_id" not in wanted else None
    if group is not None and stays is not None and not names.belongs(stays, group, now):
        draft.ticket["assignee_id"] = None  # Zendesk refuses an assignee outside the group
    draft.ticket |= moves
    if values:
        draft.ticket["custom_fields"] = values


def touched(desk: Desk, number: int) -> bool:
    """Whether a person has changed the ticket: an audit that is neither ours nor a rule's.

    Ours are those of our user that came in through the API: the user may be a person's.
    """
    us = desk.me().id
    return any(not is_ours(one, us) and not is_automatic(one) for one in audits(desk, number))


def _missing(what: str, name: str) -> str:
    return f"Zendesk has no {what} {_quoted(name)}."


def _quoted(name: str) -> str:
    return f'"{one_line(name, 60)}"'


def _bytes(text: str) -> int:
    return len(text.encode())
