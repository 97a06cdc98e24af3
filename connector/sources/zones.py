"""A time zone in a settings field, checked when the settings are read."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator


def is_zone(name: str) -> bool:
    """Does this time zone exist?"""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _existing(name: str) -> str:
    if not is_zone(name):
        raise ValueError("write a time zone such as Europe/Madrid or UTC")
    return name


Zone = Annotated[str, AfterValidator(_existing)]
