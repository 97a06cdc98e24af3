"""What stands in the address of a page, read forgivingly: what makes no sense is left out, and the
page says what it shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.exceptions import HTTPException

from connector.text import storable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

LONGEST = 200
_GREATEST = 2**63 - 1
_PERIODS = {"30d": 30, "90d": 90, "180d": 180, "365d": 365}
USUAL = "90d"


class Days(NamedTuple):
    """From `since` on, before `until`; `last` is the name of a usual time, else empty."""

    since: date
    until: date
    last: str = ""

    @property
    def through(self) -> date:
        """The last day that is shown."""
        return self.until - timedelta(days=1)


def text(query: Mapping[str, str], name: str) -> str:
    return query.get(name, "").strip()[:LONGEST]


def number(query: Mapping[str, str], name: str) -> int | None:
    return whole(text(query, name))


def whole(told: str) -> int | None:
    """A whole number that a database takes."""
    fits = told.isascii() and told.isdecimal() and len(told) <= 19
    return int(told) if fits and int(told) <= _GREATEST else None


def make_storable(request: Request) -> None:
    """What no database takes is taken out of the address, before anything has read it.

    Raises:
        HTTPException: a number in the path is larger than that of any row.
    """
    scope = request.scope
    if b"%00" in scope["query_string"]:
        told = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        scope["query_string"] = urlencode([(storable(k), storable(v)) for k, v in told]).encode()
    for name, value in scope["path_params"].items():
        if isinstance(value, str):
            scope["path_params"][name] = storable(value)
        elif value > _GREATEST:
            raise HTTPException(404)


def days(query: Mapping[str, str], now: datetime, usual: str = USUAL) -> Days:
    """`last=90d`, which goes first, or `since` and `until` (both days are shown); today is in
    it."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    since, until = _day(query, "since"), _day(query, "until")
    last = text(query, "last")
    if last not in _PERIODS and (since is not None or until is not None):
        end = min(until + timedelta(days=1), tomorrow) if until is not None else tomorrow
        begin = since or end - timedelta(days=_PERIODS[usual])
        if begin < end:
            return Days(begin, end)
    last = last if last in _PERIODS else usual
    return Days(tomorrow - timedelta(days=_PERIODS[last]), tomorrow, last)


def periods() -> tuple[str, ...]:
    return tuple(_PERIODS)


def address(path: str, **values: object) -> str:
    """The path with these in its query; empty ones are left out."""
    told = {name: str(value) for name, value in values.items() if value not in ("", None)}
    return f"{path}?{urlencode(told)}" if told else path


def _day(query: Mapping[str, str], name: str) -> date | None:
    try:
        found = date.fromisoformat(text(query, name))
    except ValueError:
        return None
    return found if is_plausible(found) else None


def is_plausible(day: date) -> bool:
    """Far enough from both ends of the calendar to be moved and put into another zone."""
    return 1970 <= day.year <= 9998
