"""Pages of lists, the search language (the part of it that finds tickets), and cursors."""

from __future__ import annotations

import base64
import re
from typing import Any

from connector.sandbox.core import Call, Refusal
from connector.sandbox.zendesk.desk import Row

PER_PAGE = 100


def page(call: Call, name: str, rows: list[Row], **extra: Any) -> Row:
    """Offset pages (`page`, `per_page`), or cursor pages when `page[size]` is asked for."""
    base = f"https://sandbox.zendesk.com{call.path}"
    if (size := call.q("page[size]")) is not None:
        limit = min(_number(size), PER_PAGE)
        start = _number(_decode(call.q("page[after]") or _encode("0")))
        more = len(rows) > start + limit
        after = _encode(str(start + limit)) if more else None
        following = f"{base}?page[size]={limit}&page[after]={after}" if more else None
        return {
            name: rows[start : start + limit],
            "meta": {"has_more": more, "after_cursor": after, "before_cursor": None},
            "links": {"next": following, "prev": None},
            **extra,
        }
    limit = min(_number(call.q("per_page") or "100"), PER_PAGE)
    number = _number(call.q("page") or "1")
    start = (number - 1) * limit
    rest = "".join(f"{key}={value}&" for key, value in call.query if key != "page")
    more = len(rows) > start + limit
    return {
        name: rows[start : start + limit],
        "next_page": f"{base}?{rest}page={number + 1}" if more else None,
        "previous_page": None,
        "count": len(rows),
        **extra,
    }


def _number(text: str) -> int:
    if not text.isdigit():
        raise Refusal(400, {"error": "InvalidPaginationParameter", "description": "Invalid page"})
    return int(text)


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        raise Refusal(400, {"error": "InvalidCursor", "description": "Invalid cursor"}) from None


def search(tickets: list[Row], query: str) -> list[Row]:
    """`type:ticket external_id:X tags:x status:open priority:high`; other words match the subject.

    Raises `Refusal` 422 for a keyword that this stand-in does not know.
    """
    found = tickets
    for key, value in re.findall(r'(?:(\w+):)?("[^"]*"|\S+)', query):
        wanted = value.strip('"')
        match key:
            case "type":
                found = found if wanted == "ticket" else []
            case "external_id" | "status" | "priority":
                found = [t for t in found if str(t[key] or "").lower() == wanted.lower()]
            case "tags":
                found = [t for t in found if wanted in t["tags"]]
            case "":
                found = [t for t in found if wanted.lower() in (t["subject"] or "").lower()]
            case _:
                raise Refusal(422, {"error": "invalid", "description": "Invalid search"})
    return found


def since(tickets: list[Row], call: Call, newest: float) -> Row:
    """One page of the incremental cursor export: changed at or after `start_time`, oldest first."""
    limit = int(call.q("per_page") or "1000")
    cursor = call.q("cursor")
    if cursor is not None and call.q("start_time") is not None:
        text = "Give start_time or cursor, not both"
        raise Refusal(400, {"error": "InvalidValue", "description": text})
    if cursor is None:
        start = call.q("start_time") or ""
        if not start.isdigit() or int(start) > newest:
            raise Refusal(
                422,
                {
                    "error": "StartTimeTooRecent",
                    "description": "Too recent start_time. Use a start_time older than 60 seconds",
                },
            )
        after = (int(start), 0)
    else:
        moment, _, number = _decode(cursor).partition("|")
        if not moment.isdigit() or not number.isdigit():
            raise Refusal(400, {"error": "InvalidCursor", "description": "Invalid cursor"})
        after = (int(moment), int(number))
    rows = sorted(
        (t for t in tickets if after < _place(t) and t["generated_timestamp"] <= newest), key=_place
    )
    if call.q("exclude_deleted") == "true":
        rows = [t for t in rows if t["status"] != "deleted"]
    shown = rows[: min(limit, 1000)]
    last = _place(shown[-1]) if shown else after
    here = _encode(f"{last[0]}|{last[1]}")
    return {
        "tickets": shown,
        "after_cursor": here,
        "after_url": f"https://sandbox.zendesk.com{call.path}?cursor={here}",
        "before_cursor": None,
        "before_url": None,
        "end_of_stream": len(shown) == len(rows),
    }


def _place(ticket: Row) -> tuple[int, int]:
    return ticket["generated_timestamp"], ticket["id"]
