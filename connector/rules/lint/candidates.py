"""Values worth trying for one field: if any value can satisfy its conditions, one of these does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from connector.rules.lint.branches import Literal
from connector.rules.lint.samples import sample
from connector.rules.operands import as_number
from connector.rules.words import Word

FRESH = "qzx"  # a word that nobody writes into a rule
_NICE = {
    "customer.email": "ana@example.com",
    "customer.name": "Ana",
    "comment": "Some words",
}
_MOST_TEXTS = 200
_EXACT = ("is", "in")
_LIMITS = ("at_most", "at_least", "between")


class Candidates(NamedTuple):
    """`complete`: where none of the values fits, no value does."""

    values: Sequence[Any]
    complete: bool


def candidates(field: str, type: str, literals: Sequence[Literal]) -> Candidates:
    """For a field that is independent of all others; None is a missing value."""
    if type == "flag":
        return Candidates((True, False, None), True)
    if type == "tags":
        return Candidates((*_tags(literals), (FRESH,), ()), True)
    if type == "topics":
        return Candidates((*_tags(literals), ()), False)
    if type == "language":
        return Candidates([*_languages(literals), "zz"], True)
    if type in ("number", "count"):
        return Candidates([*numbers(literals), None], True)
    return _texts(field, literals)


def numbers(literals: Sequence[Literal]) -> list[float]:
    """Every number that is compared with, and what lies below, between and above them."""
    known = sorted({number for one in literals for number in _compared(one)})
    if not known:
        return [0.0, 1.0]
    between = [(low + high) / 2 for low, high in itertools.pairwise(known)]
    beside = [number + step for number in known for step in (-1, 1)]
    return sorted({*known, *between, *beside, known[0] - 1, known[-1] + 1})


def _compared(one: Literal) -> Iterator[float]:
    probe = one.condition.probe
    if one.condition.operator in ("mentions", "matches", "exists"):
        return
    for value in probe if isinstance(probe, tuple | frozenset) else (probe,):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield float(value)


def _tags(literals: Sequence[Literal]) -> Iterator[tuple[str, ...]]:
    """One tag for each list of which one is wanted, none that is excluded."""
    asked = [one for one in literals if one.condition.operator != "exists"]
    wanted = [one.condition.probe for one in asked if _is_exact(one)]
    refused = [one.condition.probe for one in asked if not _is_exact(one)]
    allowed = [sorted(one.difference(*refused)) for one in wanted]
    if all(allowed):
        yield tuple(dict.fromkeys(one[0] for one in allowed))


def _is_exact(one: Literal) -> bool:
    """Must the value be one of a list?"""
    return one.condition.operator in (_EXACT if one.wanted else ("not",))


def _languages(literals: Sequence[Literal]) -> Iterator[str]:
    for one in literals:
        if one.condition.operator != "exists":
            for tag in sorted(one.condition.probe):
                yield from (tag, f"{tag}-xx")


def _texts(field: str, literals: Sequence[Literal]) -> Candidates:
    operators = {one.condition.operator for one in literals}
    readable = "matches" not in operators  # an expression may ask for anything
    refused = [o.condition for o in literals if not o.wanted and o.condition.operator == "mentions"]
    # in another language the same text says nothing
    readable = readable and not any(w.language for one in refused for w in one.probe)
    exact = [one for one in literals if _is_exact(one)]
    if exact:
        wanted = exact[0].condition.wanted
        return Candidates(wanted if isinstance(wanted, list) else [wanted], readable)
    plain = [_NICE.get(field, "something"), FRESH, None]
    if any(one.condition.operator in _LIMITS for one in literals):
        values = [*numbers(literals), *plain]  # no text is within limits, so also not beyond them
        return Candidates(values, readable and "mentions" not in operators)
    mentioned = [o.condition for o in literals if o.wanted and o.condition.operator == "mentions"]
    found = [[*_words(condition.probe)] for condition in mentioned]
    sought = [o.condition for o in literals if o.wanted and o.condition.operator == "matches"]
    found += [[text] for condition in sought if (text := sample(condition.probe))]
    combined = itertools.islice(itertools.product(*found), _MOST_TEXTS) if found else ()
    texts = [", ".join(words) for words in combined]
    longer = [f"{text}, {FRESH}" for text in texts]  # where the words alone are excluded
    several = len(mentioned) > 1 or len(texts) >= _MOST_TEXTS  # words may also overlap in a text
    return Candidates([*texts, *longer, *plain], readable and not several)


def _words(wanted: Sequence[Word]) -> Iterator[str]:
    """Each word, with an ending where a star allows one."""
    for word in wanted:
        stem = word.written.strip().removesuffix("*").rstrip()
        yield stem
        if word.written.strip().endswith("*"):
            yield stem + FRESH


def plain_number(value: Any) -> Any:
    """`3.0` as a person writes it."""
    number = as_number(value) if isinstance(value, float) else None
    return int(number) if number is not None and number.is_integer() else value
