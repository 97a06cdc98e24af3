"""Where a page ended, as the text that asks for the next one."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime

from connector.text import storable
from connector.web.parameters import is_plausible


class BadCursor(ValueError):
    pass


def wrap(*key: object) -> str:
    told = json.dumps([one.isoformat() if isinstance(one, datetime) else one for one in key])
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def number_of(told: str) -> int | None:
    """Raises BadCursor."""
    if not told:
        return None
    (number,) = _parts(told, 1)
    if not isinstance(number, int) or not 0 <= number < 2**63:
        raise BadCursor
    return number


def moment_of(told: str) -> tuple[datetime, str] | None:
    """Raises BadCursor."""
    if not told:
        return None
    at, id = _parts(told, 2)
    try:
        moment = datetime.fromisoformat(str(at))
    except ValueError as error:
        raise BadCursor from error
    if moment.tzinfo is None or not is_plausible(moment) or not isinstance(id, str):
        raise BadCursor
    return moment, storable(id)


def _parts(told: str, many: int) -> list[object]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if not isinstance(parts, list) or len(parts) != many:
        raise BadCursor
    return parts
