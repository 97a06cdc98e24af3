"""What answers are counted by in the tallies, and what one answer adds to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from connector.rules.model import DEFAULT_ID
from connector.store.tallies import LONGEST, SURVEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from connector.rules.model import AttributeType
    from connector.store.tallies import Pair

SHADOW = "shadow"  # rules that matched as shadows
SHARED = ("rule", "topic", SHADOW)  # an answer can belong to several of their groups
_PLAIN = (SURVEY, "source", "language", "brand", *SHARED)
_ALWAYS = ("plan",)
_COUNTED_TYPES = ("text", "flag")


def dimensions_of(declared: Mapping[str, AttributeType]) -> tuple[str, ...]:
    """All of an installation: numbers are nothing to count by."""
    known = [name for name, kind in declared.items() if kind in _COUNTED_TYPES]
    customers = [f"customer.{name}" for name in dict.fromkeys((*_ALWAYS, *sorted(known)))]
    return (*_PLAIN, *customers)


def contributions(
    source: str, facts: Mapping[str, Any], verdict: Mapping[str, Any], dimensions: Sequence[str]
) -> list[Pair]:
    """(dimension, value) of one answer; an empty value where nothing is known, as of a person who
    was erased."""
    found: list[Pair] = [(SURVEY, ""), ("source", source)]
    found += [(name, _said(facts.get(name))) for name in ("language", "brand")]
    matches = verdict.get("matches")
    found += _each("rule", None if matches is None else _rules(matches))
    found += _each("topic", verdict.get("topics"))
    shadows = (one["rule_id"] for one in matches or () if one["status"] == "shadow")
    found += [(SHADOW, rule) for rule in dict.fromkeys(shadows)]
    customer = facts.get("customer") or {}
    for dimension in dimensions:
        if dimension.startswith("customer."):
            found.append((dimension, _said(customer.get(dimension.partition(".")[2]))))
    return found


def _rules(matches: Iterable[Mapping[str, str]]) -> list[str]:
    """Those that really matched: shadows do not count; the default where none did."""
    real = dict.fromkeys(one["rule_id"] for one in matches if one["status"] != "shadow")
    return list(real) or [DEFAULT_ID]


def _each(dimension: str, values: Iterable[str] | None) -> list[Pair]:
    return [(dimension, value[:LONGEST]) for value in values or ("",)]


def _said(value: Any) -> str:
    """A text as it is, anything else as JSON writes it."""
    if value is None:
        return ""
    return (value if isinstance(value, str) else to_json(value).decode())[:LONGEST]
