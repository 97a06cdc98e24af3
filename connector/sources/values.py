"""Small values as free-form sources (webhook, CSV) write them."""

from __future__ import annotations

import re
from typing import Any

from connector.errors import Unreadable
from connector.sources.reading import as_text

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_language(text: str) -> str | None:
    """`pt_BR` -> `pt-BR`; None for what is no language tag, such as `default`."""
    found = _LANGUAGE.fullmatch(text.strip())
    return found[0].replace("_", "-") if found else None


def read_flag(value: Any, field: str) -> bool | None:
    """None for nothing. Raises `Unreadable` for what is neither yes nor no."""
    if value is None or value == "":
        return None
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise Unreadable(f"{field}: expected true or false")
    return flag


def read_tags(value: Any, field: str) -> tuple[str, ...]:
    """A list of texts, or one text with commas or semicolons between them."""
    items = value if isinstance(value, list) else re.split("[,;]", as_text(value, field))
    return tuple(tag for item in items if (tag := as_text(item, field).strip()))


def read_link(text: str) -> str | None:
    """An http(s) address, or None: whatever else stands there is not made clickable."""
    return text.strip() if text.strip().startswith(("https://", "http://")) else None
