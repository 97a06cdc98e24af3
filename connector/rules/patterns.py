"""Regular expressions of rule authors, taken only where no comment can make them slow."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any

SEARCHED = 2_000  # characters of a text that `matches` looks at
LONGEST = 200  # characters of a pattern
_MOST_PATHS = 25_000  # ways through a pattern from one start; a hostile text then costs a second

# The grammar of `re` itself, so that what is judged is what will run. It has no public name:
# https://github.com/python/cpython/blob/3.11/Lib/re/_parser.py
_parser: Any = importlib.import_module("re._parser")


def expression(pattern: str) -> re.Pattern[str]:
    """A regular expression, case ignored.

    Raises:
        ValueError: with the reason, when it is too long, no pattern, or could become slow: the
            number of ways through it is limited, which nested and neighbouring open repeats exceed.
    """
    if not pattern:
        raise ValueError("must not be empty")
    if len(pattern) > LONGEST:
        raise ValueError(f"must be at most {LONGEST} characters long")
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
        parsed = _parser.parse(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        reason = getattr(error, "msg", "it is too deep")
        raise ValueError(f"is not a regular expression: {reason}") from None
    if _paths(list(parsed)) > _MOST_PATHS:
        raise ValueError(
            "could become slow: use at most one '*' or '+', none of them inside another, "
            "and {0,40} for the rest"
        )
    return compiled


def _paths(items: Sequence[tuple[Any, Any]]) -> int:
    """How many ways there are through a parsed sequence, from one start (capped)."""
    ways = 1
    for name, value in items:
        ways *= _ways(str(name), value)
        if ways > _MOST_PATHS:
            return _MOST_PATHS + 1
    return ways


def _ways(name: str, value: Any) -> int:
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = value
        most = min(int(most), SEARCHED)
        ways = _paths(list(inner))
        return (most - int(least) + 1) * (ways**most if ways > 1 else 1)
    if name == "BRANCH":
        return sum(_paths(list(branch)) for branch in value[1])
    if name == "SUBPATTERN":
        return _paths(list(value[3]))
    if name in ("ASSERT", "ASSERT_NOT"):
        return _paths(list(value[1]))
    if name == "ATOMIC_GROUP":
        return _paths(list(value))
    if name in ("GROUPREF", "GROUPREF_EXISTS"):
        raise ValueError("must not refer back to a group")
    return 1
