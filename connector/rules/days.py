"""A day as people write it: 2026-12-31."""

from __future__ import annotations

import re
from datetime import date

_DAY = re.compile(r"20\d\d-\d\d-\d\d")


def parse_day(text: str) -> date:
    """Raises ValueError for anything else."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # there is no 30th of February
    raise ValueError("write a day such as 2026-12-31")


def day(value: object) -> object:
    """For pydantic, which would also take seconds since 1970; None stays None."""
    return value if value is None else parse_day(value if isinstance(value, str) else "")
