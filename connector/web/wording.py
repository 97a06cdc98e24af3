"""How templates write times, numbers and durations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.text import one_line

_STEPS = ((86400, "d"), (3600, "h"), (60, "min"))


def moment(at: datetime | None) -> str:
    """`2026-11-20 12:00`, in UTC."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def iso(at: datetime) -> str:
    """For `<time datetime>` and links."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def span(length: timedelta) -> str:
    """The two largest units: `3 d 4 h`, `5 min`, `12 s`."""
    seconds = abs(int(length.total_seconds()))
    said = []
    for size, unit in _STEPS:
        if seconds >= size:
            said.append(f"{seconds // size} {unit}")
            seconds %= size
        elif said:
            break
    return " ".join(said[:2]) or f"{seconds} s"


def number(value: float | int | None) -> str:
    return "-" if value is None else f"{value:,}"


def short(text: str | None, limit: int = 120) -> str:
    return one_line(text or "", limit)


def is_web(url: str | None) -> bool:
    """May a page link to it? What a far side calls a link could be a script."""
    return (url or "").startswith(("https://", "http://"))


FILTERS: dict[str, Callable[..., Any]] = {
    "moment": moment,
    "iso": iso,
    "span": span,
    "number": number,
    "short": short,
    "is_web": is_web,
}
