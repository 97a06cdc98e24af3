"""Does a condition hold for some facts? Pure, and never raises.

The one place that says what an operator means. A missing value (None, empty text, no tags)
satisfies only `exists: false` and `not`. `index` answers the same for many rules at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.domain import Facts
from connector.languages import base
from connector.rules import patterns, spans
from connector.rules.fields import present, reader
from connector.rules.model import Condition, FieldType, Group
from connector.rules.operands import Comparable, as_number, comparable
from connector.text import fold


class View:
    """The facts by field name; folded texts are kept, as many conditions look at one comment."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._folded: dict[str, str] = {}

    def value(self, field: str) -> Any:
        """The value, or None where it is missing."""
        return present(reader(field)(self.facts))

    def seen(self, condition: Condition) -> Any:
        """What this condition looks at, or None where it is missing."""
        if condition.book is not None:
            return present(condition.book.value(condition.field, self.facts))
        return self.value(condition.field)

    @property
    def language(self) -> str | None:
        """Of the answer; None: any that a word wants."""
        return base(self.facts.language)

    def folded(self, field: str) -> str:
        """The value as text, lower case and without accents."""
        if field not in self._folded:
            self._folded[field] = as_text(self.value(field))
        return self._folded[field]


def as_text(value: object) -> str:
    return fold(str(value)).strip()


def holds(member: Condition | Group, view: View) -> bool:
    """Is this condition, or this group of them, true?"""
    if isinstance(member, Condition):
        return _condition_holds(member, view)
    held = (holds(each, view) for each in member.members)
    if member.word == "all":
        return all(held)
    return any(held) if member.word == "any" else not any(held)


def holds_missing(condition: Condition) -> bool:
    """Is this condition true where its field is missing?"""
    if condition.operator == "exists":
        return condition.probe is False
    return condition.operator == "not"


def _condition_holds(condition: Condition, view: View) -> bool:
    seen = view.seen(condition)
    if seen is None:
        return holds_missing(condition)
    if condition.operator == "exists":
        return condition.probe is True
    if condition.operator == "mentions":
        text, language = view.folded(condition.field), view.language
        return any(word.is_in(text, language) for word in condition.probe)
    if condition.operator == "matches":
        return condition.probe.search(str(seen)[: patterns.SEARCHED]) is not None
    if condition.operator in _COMPARISONS:
        number = as_number(seen)
        return number is not None and _COMPARISONS[condition.operator](number, condition.probe)
    equal = any(key in condition.probe for key in keys(condition.type, seen))
    return equal is not (condition.operator == "not")


_COMPARISONS: Mapping[str, Callable[[float, Any], bool]] = {
    "at_most": lambda seen, limit: seen <= limit,
    "at_least": lambda seen, limit: seen >= limit,
    "between": lambda seen, limits: limits[0] <= seen <= limits[1],
}


def keys(type: FieldType, seen: Any) -> tuple[Comparable, ...]:
    """What `is`, `in` and `not` look for among their values; one of these has to be there.

    Every tag; a language with all that it belongs to (`pt-br`, `pt`), the narrowest first.
    """
    if type in ("score", "number", "count"):
        number = as_number(seen)
        return () if number is None else (number,)
    if type == "choice":
        return (seen,)
    if type == "topics":
        return tuple(seen)
    if type in ("free", "flag"):
        return (comparable(seen),)
    if type == "tags":
        return tuple(as_text(tag) for tag in seen)
    text = as_text(seen)
    if type != "language":
        return (text,)
    parts = text.replace("_", "-").split("-")
    return tuple("-".join(parts[:count]) for count in range(len(parts), 0, -1))


def always_there(when: Group) -> frozenset[str]:
    """The fields that cannot be missing where this `when` holds."""
    found: set[str] = set()
    for member in when.members:
        if isinstance(member, Group):
            if member.word == "all":
                found |= always_there(member)
        elif member.operator != "not" and member.probe is not False:
            found |= {member.field, spans.plain(member.field)}
    if "segment" in found or spans.DROP in found:
        found.add("score")
    return frozenset(found)
