"""Zendesk's webhooks: is one authentic, and which tickets is it about?

https://developer.zendesk.com/documentation/webhooks/verifying/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from connector.domain import Note
from connector.errors import Unreadable

SIGNATURE = "x-zendesk-webhook-signature"
STAMP = "x-zendesk-webhook-signature-timestamp"
TOLERANCE = timedelta(minutes=5)  # Zendesk names none
TICKET_EVENTS = "zen:event-type:ticket."

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_ID = re.compile(r"[0-9]{1,18}")
_CURE = 'write {"ticket_id": "{{ticket.id}}"} into the trigger, as the JSON body of its webhook'


def is_authentic(note: Note, secret: str, now: datetime) -> bool:
    stamp = note.headers.get(STAMP, "")
    message = _bytes(stamp) + note.body
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    given = _bytes(note.headers.get(SIGNATURE, ""))
    same = hmac.compare_digest(base64.b64encode(digest), given)
    return bool(secret) and same and _is_fresh(stamp, now)


def tickets(note: Note) -> Sequence[str]:
    """Of a trigger's body `ticket_id`, of an event `detail.id`; none for an empty body, for a test
    in Admin Center (there no placeholder is filled in), and for events of other things."""
    if not note.body.strip():
        return ()
    body = _object(note.body)
    if (kind := body.get("type")) is not None and "ticket_id" not in body:
        if not str(kind).startswith(TICKET_EVENTS):
            return ()
        detail = body.get("detail")
        return (_id(detail.get("id") if isinstance(detail, dict) else None, "detail.id"),)
    if str(body.get("ticket_id")).replace(" ", "") == "{{ticket.id}}":
        return ()
    return (_id(body.get("ticket_id"), "ticket_id"),)


def _is_fresh(stamp: str, now: datetime) -> bool:
    try:
        return _TIME.fullmatch(stamp) is not None and (
            abs(now - datetime.fromisoformat(stamp)) <= TOLERANCE
        )
    except (ValueError, OverflowError):
        return False


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(f"the webhook's body is no JSON; {_CURE}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"the webhook's body is no JSON object; {_CURE}")
    return found


def _id(value: object, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unreadable(f"the webhook's body has no {name}; {_CURE}")
    text = str(value) if isinstance(value, str) or 0 <= value < 10**18 else ""
    if not _ID.fullmatch(text):
        raise Unreadable(f"{name} in the webhook's body is no number of a ticket; {_CURE}")
    return str(int(text))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
