"""What an operator compares with: checked against the field, and brought into one form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connector.rules import patterns
from connector.rules.fields import FieldRule
from connector.rules.mentions import BadWords, words
from connector.rules.model import Vocabulary
from connector.text import did_you_mean, fold, one_line

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?")
_LARGEST = 1e300  # a float holds no more; nobody means such a number
Comparable = str | float


class BadOperand(Exception):
    """`str()` says what it must be; `way` leads to the place in a list or group; `at_key`: it is
    the key there that is wrong."""

    def __init__(
        self,
        message: str,
        hint: str = "",
        way: tuple[str | int, ...] = (),
        at_key: bool = False,
    ) -> None:
        super().__init__(message)
        self.hint, self.way, self.at_key = hint, way, at_key


def as_number(value: object) -> float | None:
    """A number, also where it comes as text (`"5000"`); None for everything else, also flags."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if -_LARGEST < value < _LARGEST else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def comparable(value: object) -> Comparable:
    """One form for values whose type is not declared: `5`, `5.0` and `"5"` are the same."""
    if isinstance(value, bool):
        return str(value).lower()
    number = as_number(value)
    return number if number is not None else fold(str(value)).strip()


def operand(rule: FieldRule, operator: str, wanted: Any, vocabulary: Vocabulary) -> Any:
    """What `match` compares with.

    Raises:
        BadOperand: what must stand there, in words.
    """
    if operator == "exists":
        if not isinstance(wanted, bool):
            raise BadOperand("must be true or false")
        return wanted
    if operator == "mentions":
        try:
            return words(wanted)
        except BadWords as bad:
            raise BadOperand(str(bad), bad.hint, bad.way, bad.at_key) from None
    if operator == "matches":
        return _pattern(wanted)
    if operator in ("at_most", "at_least"):
        return _number(rule, wanted, vocabulary)
    if operator == "between":
        if not isinstance(wanted, list) or len(wanted) != 2:
            raise BadOperand("must be a list of two numbers", "write [lowest, highest]")
        low, high = (_at(i, _number, rule, each, vocabulary) for i, each in enumerate(wanted))
        if low > high:
            raise BadOperand("the first number is above the second", "write [lowest, highest]")
        return low, high
    return _values(rule, operator, wanted, vocabulary)


def _values(rule: FieldRule, operator: str, wanted: Any, vocabulary: Vocabulary) -> Any:
    if operator == "in" and not isinstance(wanted, list):
        raise BadOperand("must be a list", "write [value, value], or use is")
    if operator == "is" and isinstance(wanted, list):
        raise BadOperand("must be one value", "use in for a list")
    if isinstance(wanted, list):
        if not wanted:
            raise BadOperand("must not be empty")
        return frozenset(_at(i, _value, rule, each, vocabulary) for i, each in enumerate(wanted))
    return frozenset((_value(rule, wanted, vocabulary),))


def _at(index: int, read: Callable[..., Any], *args: Any) -> Any:
    try:
        return read(*args)
    except BadOperand as bad:
        raise BadOperand(str(bad), bad.hint, (index,)) from None


def _value(rule: FieldRule, wanted: Any, vocabulary: Vocabulary) -> Any:
    if isinstance(wanted, Mapping | list) or wanted is None:
        raise BadOperand("must be one value, or a list of values")
    if rule.type in ("score", "number", "count"):
        return _number(rule, wanted, vocabulary)
    if rule.type == "flag":
        if not isinstance(wanted, bool):
            raise BadOperand(f"must be true or false{_not(wanted)}")
        return comparable(wanted)
    if rule.type == "free":
        return comparable(wanted)
    if not isinstance(wanted, str):
        raise BadOperand(f"must be text{_not(wanted)}", "put it in quotes")
    if rule.type in ("choice", "topics"):
        return _choice(rule, wanted)
    if not wanted.strip():
        raise BadOperand("must not be empty", "use {exists: false}")
    folded = fold(wanted).strip()
    if rule.type == "language":
        folded = folded.replace("_", "-")
        if not _LANGUAGE.fullmatch(folded):
            raise BadOperand(f"must be a language such as es or pt-BR{_not(wanted)}")
    return folded


def _choice(rule: FieldRule, wanted: str) -> str:
    if wanted in rule.choices or rule.unsure:
        return wanted
    none = "none is declared in topics.yaml" if rule.type == "topics" else "none is configured"
    allowed = f"allowed: {', '.join(rule.choices) or none}"
    near = did_you_mean(wanted, rule.choices)
    hint = f"{near}; {allowed}" if near else allowed
    raise BadOperand(f"'{one_line(wanted, 40)}' is not allowed", hint)


def _number(rule: FieldRule, wanted: Any, vocabulary: Vocabulary) -> float:
    whole = rule.type in ("score", "count")
    if isinstance(wanted, bool) or not isinstance(wanted, int if whole else int | float):
        raise BadOperand(f"must be a {'whole ' if whole else ''}number{_not(wanted)}")
    if rule.type == "count" and wanted < 0:
        raise BadOperand(f"must be at least 0{_not(wanted)}")
    scales = [(survey.low, survey.high) for survey in vocabulary.surveys.values()]
    if rule.type == "score" and scales and not any(low <= wanted <= high for low, high in scales):
        lowest, highest = min(low for low, _ in scales), max(high for _, high in scales)
        raise BadOperand(
            f"{wanted} is on no survey's scale", f"scores go from {lowest} to {highest}"
        )
    return float(wanted)


def _pattern(wanted: Any) -> re.Pattern[str]:
    if not isinstance(wanted, str):
        raise BadOperand(f"must be text{_not(wanted)}", "put it in quotes")
    try:
        return patterns.expression(wanted)
    except ValueError as error:
        raise BadOperand(str(error)) from None


def _not(value: Any) -> str:
    """`, not 'nine'`, where that is short and no address."""
    if isinstance(value, bool):
        return f", not {str(value).lower()}"
    if isinstance(value, int | float):
        return f", not {value}"
    short = isinstance(value, str) and len(value) <= 40 and "@" not in value
    return f", not '{one_line(value)}'" if short else ""
