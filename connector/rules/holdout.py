"""`holdout: 10%`: customers for whom a rule asks for nothing, to see what it brings."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, WithJsonSchema

if TYPE_CHECKING:
    from connector.domain import Facts

_FORM = re.compile(r"\s*(\d{1,3})(?:\.(\d{1,2}))?\s*%\s*")
_EXAMPLE = "write a share of customers above 0% and below 100%, such as 10%"
_PARTS = 10_000  # a hundredth of a percent each
_PATTERN = r"^\s*\d{1,2}(\.\d{1,2})?\s*%\s*$"
EXAMPLES = ["10%", "5%"]


@dataclass(frozen=True)
class Holdout:
    """A share of all customers, in hundredths of a percent."""

    parts: int

    def __str__(self) -> str:
        return f"{self.parts / 100:g} %"

    def has(self, rule_id: str, facts: Facts) -> bool:
        """Does this customer fall into it? The same for ever, and another draw for each rule; for
        an anonymous answer the answer is drawn."""
        who = facts.customer_id or facts.response_id
        digest = hashlib.sha256(f"holdout\x00{rule_id}\x00{who}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % _PARTS < self.parts


def read_holdout(value: object) -> object:
    """`"10%"` -> Holdout.

    Raises:
        ValueError: for anything else, but None.
    """
    if value is None or isinstance(value, Holdout):
        return value
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    parts = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0")) if match else 0
    if not 0 < parts < _PARTS:
        raise ValueError(_EXAMPLE)
    return Holdout(parts)


HoldoutText = Annotated[
    Holdout | None,
    BeforeValidator(read_holdout),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
