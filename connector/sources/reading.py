"""What every source needs to read a vendor's value: whole scores, times, text, JSON.

Each function raises `Unreadable` with a sentence that names the field and what is allowed. The
value itself is never in it: a field that was mapped wrongly may hold a customer's words.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector.domain import Scalar
from connector.errors import Unreadable
from connector.text import storable

_NO_SCORE = frozenset({"", "-", "na", "n/a", "n.a.", "ns/nc", "ns", "nc", "null", "none", "nan"})
_WHOLE = re.compile(r"([+-]?[0-9]{1,9})(?:[.,]0*)?")
_UNIX = re.compile(r"[0-9]{9,10}(?:\.[0-9]{1,9})?")
_EARLIEST_UNIX, _LATEST_UNIX = 100_000_000, 9_999_999_999  # 1973 to 2286
_MOMENT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"\s?(?P<offset>[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def whole_score(value: object, field: str) -> int | None:
    """`9`, `9.0`, `"9"`, `"10.0"`, `"7,0"` -> int; None, `""`, `"NS/NC"`, `"n/a"` -> None.

    0 is a score. The range is not checked here: the survey knows its scale.

    Raises:
        Unreadable: for `7.5`, `True`, `"abc"` and everything else.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return value
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return whole_score(int(value), field)
    if isinstance(value, str):
        written = value.strip()
        if written.casefold() in _NO_SCORE:
            return None
        if whole := _WHOLE.fullmatch(written):
            return int(whole[1])
    raise Unreadable(f"{field}: expected a whole number such as 9, or nothing")


def read_time(value: object, zone: str, field: str) -> datetime | None:
    """A moment in UTC; None for None and `""`.

    Reads unix seconds (a number or its text), RFC 3339 with 0-9 fractional digits (kept to the
    microsecond), a space instead of the `T`, offsets such as `-0800` after a space, a date alone
    (midnight), and times without an offset: these are local in `zone` (an IANA name), in an hour
    that happens twice the first one.

    Raises:
        Unreadable: for everything else.
    """
    found = _moment(value, zone, field)
    return None if found is None else found[0]


def read_nanoseconds(value: object, zone: str, field: str) -> int | None:
    """Like `read_time`, as whole nanoseconds since 1970, so that no digit of a time is lost."""
    found = _moment(value, zone, field)
    if found is None:
        return None
    moment, below_microsecond = found
    return to_nanoseconds(moment) + below_microsecond


def to_nanoseconds(moment: datetime) -> int:
    """An aware time as whole nanoseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def write_nanoseconds(nanoseconds: int) -> str:
    """`1763604009055199000` -> `"2025-11-20T02:00:09.055199000Z"`."""
    seconds, below = divmod(nanoseconds, 10**9)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{below:09d}Z"


def _moment(value: object, zone: str, field: str) -> tuple[datetime, int] | None:
    """The moment to the microsecond, and the nanoseconds below it."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        written = value.strip()
        if _UNIX.fullmatch(written):
            whole, _, fraction = written.partition(".")
            nanoseconds = int(fraction.ljust(9, "0")) if fraction else 0
            return _from_unix(int(whole), nanoseconds)
        if moment := _MOMENT.fullmatch(written):
            return _from_parts(moment, zone, field)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if _EARLIEST_UNIX <= value <= _LATEST_UNIX:
            below = round((value - int(value)) * 1_000_000) * 1000
            return _from_unix(int(value), below)
        raise Unreadable(f"{field}: expected unix time in seconds, not in milliseconds")
    raise Unreadable(
        f"{field}: expected a time such as 2026-01-31T17:05:00Z, 2026-01-31 17:05 or 1769879100"
    )


def _from_unix(seconds: int, nanoseconds: int) -> tuple[datetime, int]:
    moment = _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    return moment, nanoseconds % 1000


def _from_parts(parts: re.Match[str], zone: str, field: str) -> tuple[datetime, int]:
    fraction = (parts["fraction"] or "").ljust(9, "0")
    clock = f"{parts['hour'] or '00'}:{parts['minute'] or '00'}:{parts['second'] or '00'}"
    try:
        local = datetime.fromisoformat(f"{parts['date']}T{clock}.{fraction[:6]}")
        moment = local.replace(tzinfo=_zone(parts["offset"], zone)).astimezone(UTC)
    except ZoneInfoNotFoundError:
        raise Unreadable(
            f"{field}: its time zone is unknown, write one such as Europe/Madrid"
        ) from None
    except (ValueError, OverflowError):
        raise Unreadable(f"{field}: there is no such date, time or offset") from None
    return moment, int(fraction[6:])


def _zone(offset: str | None, zone: str) -> timezone | ZoneInfo:
    if offset is None:
        return ZoneInfo(zone)
    if offset in ("Z", "z", "UTC", "GMT"):
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) > 59:
        raise ValueError
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-span if offset[0] == "-" else span)


def read_json(body: bytes) -> Any:
    """The value of a JSON body in UTF-8.

    Raises:
        Unreadable: for anything else, also NaN, endless numbers and hostile nesting.
    """
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant)
    except RecursionError:
        raise Unreadable("the body is nested too deep") from None
    except ValueError:
        raise Unreadable("the body is not JSON in UTF-8") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises `Unreadable`."""
    return as_object(read_json(body), "the body")


def split_list(body: bytes) -> tuple[bytes, ...]:
    """The records of a body that may be a list of them. Raises `Unreadable`."""
    value = read_json(body)
    return tuple(map(as_record, value)) if isinstance(value, list) else (body,)


def as_object(value: object, field: str) -> dict[str, Any]:
    """`value` if it is an object; `{}` for None, which vendors send for an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"{field}: expected an object")
    return value


def as_list(value: object, field: str) -> list[Any]:
    """`value` if it is a list; `[]` for None."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"{field}: expected a list")
    return value


def as_text(value: object, field: str) -> str:
    """Text that any store takes (no NUL), whole and otherwise as sent; `""` for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise Unreadable(f"{field}: expected text")


def as_id(value: object, field: str) -> str:
    """A vendor's id, a text or a whole number, as text.

    Raises:
        Unreadable: when it is missing or neither.
    """
    written = "" if isinstance(value, float) else as_text(value, field).strip()
    if not written or len(written) > 500:
        raise Unreadable(f"{field}: expected an id, a text of 1 to 500 characters or a number")
    return written


def as_scalars(values: Mapping[str, Any]) -> dict[str, Scalar]:
    """Properties as rules may read them: scalars as they are, lists joined, objects as JSON."""
    return {storable(str(name)): _scalar(value) for name, value in values.items()}


def _scalar(value: Any) -> Scalar:
    if isinstance(value, str):
        return storable(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        return storable(", ".join(str(v) for v in value))
    return storable(json.dumps(value, ensure_ascii=False))


def digest(value: object) -> str:
    """Twelve characters that change when any part of a JSON value does."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def as_record(value: object) -> bytes:
    """A JSON value as the bytes that are stored and read again by `parse`."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 cannot hold and \u escapes can
        return json.dumps(value).encode()
