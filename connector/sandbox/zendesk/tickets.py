"""Is this ticket acceptable? Every fault of a body is named as Zendesk's 422 names it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from connector.sandbox.core import Refusal
from connector.sandbox.zendesk.desk import LOCALES, Desk, Row

PRIORITIES = ("urgent", "high", "normal", "low")
TYPES = ("problem", "incident", "question", "task")
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+")
READ = {  # what `clean` looks at; the rest is dropped in silence by Zendesk and noted by us
    "assignee_email",
    "assignee_id",
    "brand_id",
    "comment",
    "custom_fields",
    "due_at",
    "external_id",
    "group_id",
    "id",
    "metadata",
    "priority",
    "requester",
    "requester_id",
    "safe_update",
    "status",
    "subject",
    "submitter_id",
    "tags",
    "type",
    "updated_stamp",
}


def record_invalid(details: dict[str, list[dict[str, str]]]) -> Refusal:
    """422 as Zendesk words it."""
    return Refusal(
        422,
        {
            "error": "RecordInvalid",
            "description": "Record validation errors",
            "details": details,
        },
    )


class Faults:
    """The problems of one body, by field."""

    def __init__(self) -> None:
        self.details: dict[str, list[dict[str, str]]] = {}

    def add(self, field: str, text: str, error: str = "InvalidValue") -> None:
        label = field.replace("_id", "").replace("_", " ").capitalize()
        self.details.setdefault(field, []).append(
            {"description": f"{label}: {text}", "error": error}
        )


def clean(desk: Desk, sent: Any, ticket: Row | None, author_id: int) -> Row:
    """Validated fields of a create (`ticket` None) or an update; raises `Refusal` 422.

    The requester of a create is made here, last, so that a refused ticket leaves no user behind.
    """
    if not isinstance(sent, dict):
        raise record_invalid(
            {"base": [{"description": "Ticket: is missing", "error": "BlankValue"}]}
        )
    bad = Faults()
    fields: Row = {}
    desk.state["ignored"] += [name for name in sent if name not in READ]
    _words(sent, fields, bad)
    _references(desk, sent, fields, bad)
    _membership(desk, fields, ticket, bad)
    fields["custom"] = _custom(desk, sent.get("custom_fields", []), bad)
    _tags(sent, fields, bad)
    comment = _comment(desk, sent.get("comment"), ticket, bad)
    if comment:
        fields["comment"] = comment
    elif ticket is None and sent.get("comment") is None:
        bad.add("description", "cannot be blank", "BlankValue")
    if not isinstance(sent.get("metadata", {}), dict):
        bad.add("metadata", "is invalid")
    requester = _requester(desk, sent, bad)
    if bad.details:
        raise record_invalid(bad.details)
    if ticket is None:
        user = desk.end_user(*requester) if requester else None
        fields["requester_id"] = user["id"] if user else sent.get("requester_id") or author_id
    return fields


def _words(sent: Row, fields: Row, bad: Faults) -> None:
    for name, allowed in (("priority", PRIORITIES), ("type", TYPES), ("status", STATUSES)):
        if sent.get(name) is not None:
            fields[name] = sent[name]
            if sent[name] not in allowed:
                bad.add(name, f"{sent[name]} is not included in the list")
    for name in ("subject", "external_id"):
        if name in sent:
            fields[name] = sent[name]
            if not isinstance(sent[name], str | None):
                bad.add(name, "is not a string")
    if "due_at" in sent:
        fields["due_at"] = sent["due_at"]
        if sent["due_at"] is not None and not _is_time(sent["due_at"]):
            bad.add("due_at", "is not a valid date")


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _references(desk: Desk, sent: Row, fields: Row, bad: Faults) -> None:
    users = desk.state["users"]
    agents = {user["id"]: user["email"] for user in users.values() if user["role"] != "end-user"}
    known = {
        "group_id": {group["id"] for group in desk.state["groups"] if not group["deleted"]},
        "brand_id": {brand["id"] for brand in desk.state["brands"]},
        "assignee_id": set(agents),
        "submitter_id": {user["id"] for user in users.values()}
        if "submitter_id" in sent
        else set(),
    }
    for name, ids in known.items():
        if name in sent:
            fields[name] = sent[name]
            # Only a whole number is an id; a list could not even be looked up.
            if sent[name] is not None and not (isinstance(sent[name], int) and sent[name] in ids):
                bad.add(name, "is invalid")
    if (email := sent.get("assignee_email")) is not None:
        number = next((number for number, address in agents.items() if address == email), None)
        fields["assignee_id"] = number
        if number is None:
            bad.add("assignee_id", "is invalid")


def _membership(desk: Desk, fields: Row, ticket: Row | None, bad: Faults) -> None:
    """An assignee must belong to the ticket's group."""
    whole = (ticket or {}) | fields
    agent, group = whole.get("assignee_id"), whole.get("group_id")
    if "assignee_id" in bad.details or "group_id" in bad.details or not (agent and group):
        return
    if group not in desk.state["memberships"].get(str(agent), []):
        bad.add("assignee_id", "is invalid")


def _requester(desk: Desk, sent: Row, bad: Faults) -> tuple[str, str, int | None] | None:
    """(name, e-mail, locale id) of the inline `requester`, if there is one."""
    if (number := sent.get("requester_id")) is not None and str(number) not in desk.state["users"]:
        bad.add("requester_id", "is invalid")
    if "requester" not in sent:
        return None
    requester = sent["requester"]
    if not isinstance(requester, dict):
        bad.add("requester", "is invalid")
        return None
    name, email = requester.get("name"), requester.get("email")
    locale = requester.get("locale_id")
    if not isinstance(email, str) or not EMAIL.fullmatch(email):
        bad.add("requester", "Email: is not properly formatted")
        return None
    if desk.user_by_email(email) is None and (not isinstance(name, str) or not name.strip()):
        bad.add("requester", "Name: is too short (minimum one character)")
    if locale is not None and locale not in [number for number, _ in LOCALES]:
        bad.add("requester", "Locale: is invalid")
    return str(name), email, locale


def _custom(desk: Desk, sent: Any, bad: Faults) -> dict[int, Any]:
    known = {field["id"]: field for field in desk.state["ticket_fields"]}
    if not isinstance(sent, list) or not all(isinstance(one, dict) for one in sent):
        bad.add("custom_fields", "must be a list of {id, value}")
        return {}
    values: dict[int, Any] = {}
    for one in sent:
        number, value = one.get("id"), one.get("value")
        field = known.get(number) if isinstance(number, int) else None
        if field is None:
            bad.add("custom_fields", f"{number} does not exist")
            continue
        values[field["id"]] = value
        if value is not None and not _fits(field, value):
            bad.add("custom_fields", f"{field['title']}: {value} is invalid")
    return values


def _fits(field: Row, value: Any) -> bool:
    if field["type"] == "integer":
        return isinstance(value, int | str) and re.fullmatch(r"-?\d+", str(value)) is not None
    if field["type"] == "tagger":
        return value in [option["value"] for option in field["custom_field_options"]]
    return isinstance(value, str)


def _tags(sent: Row, fields: Row, bad: Faults) -> None:
    """`tags` replaces the set. Zendesk lower-cases tags and splits them at blanks."""
    if "tags" not in sent:
        return
    tags = sent["tags"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        bad.add("tags", "must be a list of strings")
        return
    fields["tags"] = sorted({part for tag in tags for part in tag.lower().split()})


def _comment(desk: Desk, sent: Any, ticket: Row | None, bad: Faults) -> Row | None:
    """Without `public`, Zendesk takes the ticket's own privacy, and true for a new ticket."""
    if sent is None:
        return None
    if not isinstance(sent, dict):
        bad.add("comment", "is invalid")
        return None
    html = sent.get("html_body")
    body = sent.get("body") or html
    public = sent.get("public", ticket["is_public"] if ticket else True)
    if not isinstance(public, bool):
        bad.add("comment", "public is not a boolean")
        return None
    if not isinstance(body, str) or not body.strip() or not isinstance(html, str | None):
        bad.add("comment" if ticket else "description", "cannot be blank", "BlankValue")
        return None
    author = sent.get("author_id")
    if author is not None and str(author) not in desk.state["users"]:
        bad.add("comment", "Author: is invalid")
    html = html or f'<div class="zd-comment"><p>{_escape(body)}</p></div>'
    text = _without_html(body)
    return {"body": text, "html_body": html, "public": public} | (
        {"author_id": author} if author is not None else {}
    )


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_html(text: str) -> str:
    """HTML sent in `body` is stripped; a lone < stays."""
    return re.sub(r"</?[a-zA-Z][^<>]*>", "", text)
