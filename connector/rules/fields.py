"""What a condition or a template may name, and of what type it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from connector.rules import spans
from connector.rules.topics import ASKS_FOR, DERIVED, TOPICS
from connector.text import did_you_mean

if TYPE_CHECKING:
    from connector.domain import Facts
    from connector.rules.model import FieldType, Vocabulary

_NUMBERS = ("at_most", "at_least", "between", "is", "not", "in", "exists")
_TEXTS = ("is", "not", "in", "mentions", "matches", "exists")
_CHOICES = ("is", "not", "in", "exists")

OPERATORS: Mapping[FieldType, tuple[str, ...]] = {
    "score": _NUMBERS,
    "number": _NUMBERS,
    "count": _NUMBERS,
    "text": _TEXTS,
    "choice": _CHOICES,
    "language": _CHOICES,
    "tags": _CHOICES,
    "topics": _CHOICES,
    "flag": ("is", "not", "exists"),
    "free": (*_NUMBERS[:-1], "mentions", "matches", "exists"),
}
ALL_OPERATORS = OPERATORS["free"]
SEGMENTS = ("promoter", "passive", "detractor")
ATTRIBUTES: Mapping[str, FieldType] = {
    "email": "text",
    "name": "text",
    "phone": "text",
    "external_id": "text",
    "language": "language",
    "plan": "text",
    "value": "number",
    "owner": "text",
    "company": "text",
}
_PLAIN: Mapping[str, FieldType] = {
    "score": "score",
    "segment": "choice",
    "comment": "text",
    "language": "language",
    "survey": "choice",
    "source": "choice",
    "brand": "text",
    "tags": "tags",
    **dict(zip(DERIVED, ("topics", "topics", "flag"), strict=True)),
    "link": "text",
    "history.answers": "count",
    "history.detractor_answers": "count",
    "history.previous_score": "score",
    "history.previous_segment": "choice",
    "history.open_cases": "count",
    "history.days_since_contact": "count",
    spans.DROP: "count",
    spans.DAYS_SINCE_ANSWER: "count",
}


@dataclass(frozen=True)
class FieldRule:
    """One field: its type and, for a choice, what it can be. `unsure`: that could not be read."""

    name: str
    type: FieldType
    choices: tuple[str, ...] = ()
    unsure: bool = False


@cache
def reader(field: str) -> Callable[[Facts], Any]:
    """What takes the value of this field from facts; None where a map has no such name. A field of
    the history may end in a time: `history.answers within 90d`."""
    group, _, name = field.partition(".")
    if not name or group == "history":
        return spans.reader_of(field) or attrgetter(field)
    return lambda facts: getattr(facts, group).get(name)


def present(value: Any) -> Any:
    """The value, or None where it is missing: empty and blank texts and empty lists are too."""
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    return None if value == () else value


def attributes(vocabulary: Vocabulary) -> dict[str, FieldType]:
    """Names and types of what a customer or a company may have."""
    return {**ATTRIBUTES, **vocabulary.attributes}


def field_rule(name: str, vocabulary: Vocabulary) -> FieldRule | None:
    """The field of this name, or None where there is none."""
    if name in _PLAIN:
        choices = {
            "segment": SEGMENTS,
            "history.previous_segment": SEGMENTS,
            "survey": tuple(vocabulary.surveys),
            "source": vocabulary.sources,
            TOPICS: tuple(vocabulary.book.topics),
            ASKS_FOR: tuple(vocabulary.book.asks_for),
        }
        unsure = name in DERIVED and not vocabulary.book.is_whole
        return FieldRule(name, _PLAIN[name], choices.get(name, ()), unsure)
    group, _, attribute = name.partition(".")
    if group == "properties" and attribute:
        return FieldRule(name, "free")
    known = attributes(vocabulary)
    if group in ("customer", "company") and attribute in known:
        return FieldRule(name, known[attribute])
    return None


def every_field(vocabulary: Vocabulary) -> list[FieldRule]:
    """All fields that have a name of their own; `properties.NAME` may be anything besides."""
    names = [
        *_PLAIN,
        *(f"{group}.{one}" for group in ("customer", "company") for one in attributes(vocabulary)),
    ]
    return [rule for name in names if (rule := field_rule(name, vocabulary)) is not None]


def nearest_field(name: str, vocabulary: Vocabulary) -> str:
    """A hint for an unknown field: what was meant, or what there is."""
    group, _, attribute = name.partition(".")
    known = sorted(attributes(vocabulary))
    if group in ("customer", "company"):
        near = did_you_mean(attribute, known).replace("'", f"'{group}.", 1)
        listed = ", ".join(f"{group}.{each}" for each in known)
        return near or f"allowed: {listed}; more are declared under customer_attributes"
    if name in known:
        return f"did you mean 'customer.{name}'?"
    every = [rule.name for rule in every_field(vocabulary)]
    allowed = ", ".join([*_PLAIN, "customer.NAME", "company.NAME", "properties.NAME"])
    return did_you_mean(name, every) or f"allowed: {allowed}"
