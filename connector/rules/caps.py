"""`cap: 1 per customer per 30d`: how often one customer gets the same message or causes the same
alert. Counted from the facts, so that a decision can be explained for ever."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema

from connector.rules.effects import effect_parts
from connector.text import describe_duration, parse_duration

if TYPE_CHECKING:
    from connector.domain import Facts
    from connector.rules.model import Action

MOST = 20  # what one customer may get in one time; the facts remember as many
_FORM = re.compile(r"\s*(\d{1,6})\s+per\s+customer\s+per\s+(\S.*?)\s*", re.IGNORECASE)
_EXAMPLE = "write it as 1 per customer per 30d, or none"
_PATTERN = r"^\s*([Nn]one|[1-9]\d*\s+per\s+customer\s+per\s+\d.*)$"
EXAMPLES = ["1 per customer per 30d", "2 per customer per 7d", "none"]


@dataclass(frozen=True)
class Cap:
    """At most `most` in any `within`; `most` is 0 where a file says `none`: no limit."""

    most: int
    within: timedelta
    text: str = field(default="none", compare=False)  # as a person reads it

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return self.most > 0


def read_cap(value: object) -> object:
    """`"1 per customer per 30d"` -> Cap.

    Raises:
        ValueError: for anything else, but None.
    """
    if value is None or isinstance(value, Cap):
        return value
    if isinstance(value, str) and value.strip().casefold() == "none":
        return Cap(0, timedelta(0))
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(_EXAMPLE)
    most = int(match[1])
    try:
        within = parse_duration(match[2])
    except ValueError:
        raise ValueError(_EXAMPLE) from None
    if not 1 <= most <= MOST:
        raise ValueError(f"limits 1 to {MOST} of a kind; {_EXAMPLE}")
    if not isinstance(within, timedelta) or within <= timedelta(0):
        raise ValueError(f"needs a time longer than 0; {_EXAMPLE}")
    text = f"{most} per customer per {describe_duration(within).replace(' ', '')}"
    return Cap(most, within, text.replace("min", "m"))


def refusal(rule_id: str, action: Action, facts: Facts) -> str:
    """Which cap keeps this action from happening, and why; empty where none does."""
    cap, now = action.cap, facts.decided_at
    if not cap or now is None:
        return ""
    mine = effect_parts(action.to_customer, action.sink, rule_id)
    same = [
        one
        for one in facts.history.effects
        if one.kind == action.kind
        and effect_parts(action.to_customer, one.sink, one.rule_id) == mine
        and now - one.at < cap.within
    ]
    if len(same) < cap.most:
        return ""
    last = max(same, key=lambda one: one.at)
    return f"cap: {cap}; the last one on {last.at:%Y-%m-%d} by {last.rule_id}"


CapText = Annotated[
    Cap | None, BeforeValidator(read_cap), WithJsonSchema({"type": "string", "pattern": _PATTERN})
]


class Recall(NamedTuple):
    """Which earlier effects of a customer a ruleset has to know: of these kinds, as many and as far
    back as its caps count; and the newest contact, where a rule asks how long ago that was."""

    kinds: frozenset[str] = frozenset()
    most: int = 1
    within: timedelta = timedelta(0)
    contacts: bool = False

    def __bool__(self) -> bool:
        return bool(self.kinds) or self.contacts
