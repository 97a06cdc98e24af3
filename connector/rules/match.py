"""Does a `when` hold for some facts? Pure, and never raises.

A missing value (None, empty text, no tags) satisfies only `exists: false` and `not`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.domain import Facts
from connector.rules import patterns
from connector.rules.model import Condition, Group
from connector.rules.operands import as_number, comparable
from connector.text import fold


class View:
    """The facts by field name; folded texts are kept, as many rules look at the same comment."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._folded: dict[str, str] = {}

    def value(self, field: str) -> Any:
        """The value, or None where it is missing."""
        group, _, name = field.partition(".")
        here = getattr(self._facts, group)
        if name:
            here = here.get(name) if isinstance(here, Mapping) else getattr(here, name)
        empty = here in ("", ()) or (isinstance(here, str) and not here.strip())
        return None if empty else here

    def folded(self, field: str) -> str:
        """The value as text, lower case and without accents."""
        if field not in self._folded:
            self._folded[field] = fold(str(self.value(field))).strip()
        return self._folded[field]


def holds(member: Condition | Group, view: View) -> bool:
    """Is this condition, or this group of them, true?"""
    if isinstance(member, Condition):
        return _condition_holds(member, view)
    held = (holds(each, view) for each in member.members)
    if member.word == "all":
        return all(held)
    return any(held) if member.word == "any" else not any(held)


def _condition_holds(condition: Condition, view: View) -> bool:
    seen = view.value(condition.field)
    if condition.operator == "exists":
        return (seen is not None) is condition.probe
    if seen is None:
        return condition.operator == "not"
    if condition.operator == "mentions":
        return condition.probe.search(view.folded(condition.field)) is not None
    if condition.operator == "matches":
        return condition.probe.search(str(seen)[: patterns.SEARCHED]) is not None
    if condition.operator in _COMPARISONS:
        number = as_number(seen)
        return number is not None and _COMPARISONS[condition.operator](number, condition.probe)
    return _is_one_of(condition, seen, view) is not (condition.operator == "not")


_COMPARISONS: Mapping[str, Callable[[float, Any], bool]] = {
    "at_most": lambda seen, limit: seen <= limit,
    "at_least": lambda seen, limit: seen >= limit,
    "between": lambda seen, limits: limits[0] <= seen <= limits[1],
}


def _is_one_of(condition: Condition, seen: Any, view: View) -> bool:
    wanted = condition.probe
    if condition.type in ("score", "number", "count"):
        return as_number(seen) in wanted
    if condition.type == "choice":
        return seen in wanted
    if condition.type in ("free", "flag"):
        return comparable(seen) in wanted
    if condition.type == "tags":
        return any(fold(tag).strip() in wanted for tag in seen)
    text = view.folded(condition.field)
    if condition.type == "language":
        tag = text.replace("_", "-")
        return any(tag == each or tag.startswith(f"{each}-") for each in wanted)
    return text in wanted


def always_there(when: Group) -> frozenset[str]:
    """The fields that cannot be missing where this `when` holds."""
    found: set[str] = set()
    for member in when.members:
        if isinstance(member, Group):
            if member.word == "all":
                found |= always_there(member)
        elif member.operator != "not" and member.probe is not False:
            found.add(member.field)
    if "segment" in found:
        found.add("score")
    return frozenset(found)
