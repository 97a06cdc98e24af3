"""A text that a regular expression finds, so that a finding can show an example."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any

# The same grammar that judges the patterns when they are loaded (see `patterns`).
_parser: Any = importlib.import_module("re._parser")
_CATEGORIES = {"CATEGORY_DIGIT": "7", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}
_OTHERS = {"CATEGORY_NOT_DIGIT": "a", "CATEGORY_NOT_SPACE": "a", "CATEGORY_NOT_WORD": "-"}


def sample(pattern: re.Pattern[str]) -> str | None:
    """A short text in which the pattern is found; None where none is built easily."""
    text = _text(list(_parser.parse(pattern.pattern, pattern.flags & re.IGNORECASE)))
    return text if text and pattern.search(text) else None


def _text(items: Sequence[tuple[Any, Any]]) -> str:
    return "".join(_one(str(name), value) for name, value in items)


def _one(name: str, value: Any) -> str:
    if name == "LITERAL":
        return chr(value)
    if name == "NOT_LITERAL":
        return "a" if chr(value) != "a" else "b"
    if name == "ANY":
        return "a"
    if name == "IN":
        return _one_of(value)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _text(list(value[2])) * int(value[0])
    if name == "BRANCH":
        return _text(list(value[1][0]))
    if name == "SUBPATTERN":
        return _text(list(value[3]))
    if name == "ATOMIC_GROUP":
        return _text(list(value))
    return ""


def _one_of(choices: Sequence[tuple[Any, Any]]) -> str:
    name, value = str(choices[0][0]), choices[0][1]
    if name == "LITERAL":
        return chr(value)
    if name == "RANGE":
        return chr(value[0])
    return {**_CATEGORIES, **_OTHERS}.get(str(value), "") if name == "CATEGORY" else "~"
