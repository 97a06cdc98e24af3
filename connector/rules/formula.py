"""A `when` in one shape: lines that must all hold, and choices of which one part must hold.

`none` is pushed down to its conditions, so that a rule that holds more conditions true never holds
fewer rules true; what cannot be known yet may then be taken for true.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.rules.model import Condition, Group


@dataclass(frozen=True)
class Literal:
    """A condition, and whether it has to hold or has to fail."""

    condition: Condition
    holds: bool


@dataclass(frozen=True)
class Every:
    """True where all literals are, and in each choice at least one part."""

    literals: tuple[Literal, ...] = ()
    choices: tuple[tuple[Every, ...], ...] = ()


def normal(member: Condition | Group, holds: bool = True) -> Every:
    """The same truth (the opposite where `holds` is false) in that shape."""
    if isinstance(member, Condition):
        return Every((Literal(member, holds),))
    if member.word == "none":
        return normal(Group("any", member.members), not holds)
    parts = [normal(each, holds) for each in member.members]
    if (member.word == "all") is holds or len(parts) == 1:
        return Every(
            tuple(literal for part in parts for literal in part.literals),
            tuple(choice for part in parts for choice in part.choices),
        )
    return Every(choices=(tuple(parts),))
