"""Small pure helpers for text, time and numbers that several rooms need."""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d+)\s*([smhdw])")
_NOT_IN_ADDRESS = re.compile(r"[\s\x00-\x1f]")
_MARKS = re.compile("[\u0300-\u034e\u0350-\u036f]+")  # the accents of most languages
_BEYOND = re.compile("[\u0370-\U0010ffff]+")  # letters of any kind, with marks among them


def parse_duration(value: object) -> object:
    """`"4h"`, `"90m"`, `"7d"`, `"1h 30m"`, `0` -> timedelta; anything else is returned unchanged.

    Raises:
        ValueError: for text that is not a duration.
    """
    if isinstance(value, timedelta):
        return value
    if value == 0 and not isinstance(value, bool):
        return timedelta(0)
    if not isinstance(value, str):
        raise ValueError("write a duration such as 90s, 30m, 4h or 7d")
    parts = value.strip().lower()
    if parts == "0":
        return timedelta(0)
    found = _DURATION.findall(parts)
    if not found or _DURATION.sub("", parts).strip():
        raise ValueError("write a duration such as 90s, 30m, 4h or 7d")
    try:
        return sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in found), timedelta(0))
    except (OverflowError, ValueError):
        raise ValueError("no duration is as long as that") from None


def describe_duration(span: timedelta) -> str:
    """`timedelta(hours=4)` -> `"4 h"`; the largest unit that fits whole."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def written_duration(span: timedelta) -> str:
    """`timedelta(hours=4)` -> `"4h"`, as people write it into a file and `parse_duration` reads."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def fold(text: str) -> str:
    """Lower case without accents, so that `Devolución` is found by `devolucion`."""
    if text.isascii():
        return text.lower()
    western = text.encode("latin-1", "ignore")
    if len(western) == len(text):
        folded = western.translate(_WESTERN)
        if 0 not in folded:
            return folded.decode("latin-1")
    return _fold_any(text)


def _fold_any(text: str) -> str:
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return bare if bare.isascii() else _BEYOND.sub(_without_marks, bare)


def _without_marks(found: re.Match[str]) -> str:
    return "".join(c for c in found[0] if not unicodedata.combining(c))


def _one_byte(character: str) -> int:
    """What it is folded to, in Latin-1; 0 where that is not one character of it (`ß` is `ss`)."""
    folded = _fold_any(character)
    return ord(folded) if len(folded) == 1 and ord(folded) < 256 else 0


_WESTERN = bytes(map(_one_byte, map(chr, range(256))))


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """`did you mean 'detractor'?`, or an empty text where nothing is near."""
    near = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else ""


def clean_email(address: str | None) -> str | None:
    """Trimmed, lower case; None where it is no address. Plus-addresses and dots stay apart."""
    if not address:
        return None
    trimmed = address.strip().casefold()
    local, at, domain = trimmed.rpartition("@")
    if not (at and local and domain) or _NOT_IN_ADDRESS.search(trimmed):
        return None
    return trimmed


def clean_phone(number: str | None) -> str | None:
    """Digits with a leading `+` where there was one or a `00`; None where it is no number."""
    if not number:
        return None
    digits = re.sub(r"\D", "", number)
    international = number.strip().startswith(("+", "00"))
    if number.strip().startswith("00"):
        digits = digits[2:]
    return (("+" if international else "") + digits) if len(digits) >= 6 else None


def one_line(text: str, limit: int = 200) -> str:
    """Fit for a header, a subject, a log or a table cell: no control characters, cut with `…`."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def storable(text: str) -> str:
    """Without NUL (PostgreSQL refuses it) and lone surrogates (UTF-8 refuses them)."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def hashed(*parts: str) -> str:
    """A hex digest under which a thing can be recognised but not read."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
