"""A `when` as the different ways in which it can hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from connector.rules.model import Condition, Group

MOST = 400


class Literal(NamedTuple):
    """A condition that must hold, or must not."""

    condition: Condition
    wanted: bool


Branch = tuple[Literal, ...]


class TooMany(Exception):
    """More ways than are worth following."""


def ways(member: Condition | Group, wanted: bool = True) -> list[Branch]:
    """Every way in which this holds (or, with `wanted` false, does not): in each, all must hold.

    Raises:
        TooMany: there are more than `MOST`.
    """
    if isinstance(member, Condition):
        return [(Literal(member, wanted),)]
    inner = wanted is (member.word != "none")
    parts = [ways(each, inner) for each in member.members]
    if wanted is (member.word != "any"):
        return both(*parts)
    found = [branch for part in parts for branch in part]
    if len(found) > MOST:
        raise TooMany
    return found


def both(*parts: Iterable[Branch]) -> list[Branch]:
    """All of these at once, in every combination.

    Raises:
        TooMany: there are more than `MOST`.
    """
    found: list[Branch] = [()]
    for part in parts:
        found = [(*one, *other) for one, other in itertools.product(found, part)]
        if len(found) > MOST:
            raise TooMany
    return found
