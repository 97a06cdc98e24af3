"""Who is it for: the lines of `routing`, read from top to bottom, and pools that take turns. Pure:
whose turn it is stands in the facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.rules.templates import CannotRender, TextTemplate

if TYPE_CHECKING:
    from connector.domain import Facts
    from connector.rules.index import Index
    from connector.rules.model import Group

OWNER = "owner"  # the template variable
ROUTED_TEXT = "{{ owner | default('') }}"  # of tasks that name nobody


@dataclass(frozen=True)
class Line:
    """One line of `routing`: an owner, or a pool whose members take turns."""

    when: Group
    owner: str = ""
    template: TextTemplate | None = None  # of an owner that depends on the answer
    pool: str = ""

    def __str__(self) -> str:
        return f"pool {self.pool}" if self.pool else f"owner {self.owner}"


class Assigned(NamedTuple):
    """Who it is for, and the line that says so, counted from 1. `position` is None where no turn
    was taken: then the pool's first member stands for whoever it would be."""

    owner: str
    line: int
    pool: str = ""
    position: int | None = None

    def __str__(self) -> str:
        """`ana@example.com: pool iberia, position 17, line 2 of routing`."""
        turn = "no turn taken" if self.position is None else f"position {self.position}"
        pool = f"pool {self.pool}, {turn}, " if self.pool else ""
        return f"{self.owner}: {pool}line {self.line} of routing"


@dataclass(frozen=True)
class Routing:
    """`routing` and `pools` of a ruleset."""

    lines: tuple[Line, ...]
    pools: Mapping[str, tuple[str, ...]]

    @cached_property
    def _index(self) -> Index:
        from connector.rules.index import Index

        return Index(self.lines)

    @property
    def is_complete(self) -> bool:
        """Does somebody get every answer?"""
        return any(not line.when.members and line.template is None for line in self.lines)

    def assigned(self, facts: Facts, context: Callable[[], Mapping[str, Any]]) -> Assigned | None:
        """The first line that matches and can name somebody; `context` is what templates see."""
        for number in self._index.matching(facts):
            line = self.lines[number]
            if line.pool:
                members, position = self.pools[line.pool], facts.positions.get(line.pool)
                owner = members[(position or 0) % len(members)]
                return Assigned(owner, number + 1, line.pool, position)
            owner = line.owner if line.template is None else _filled(line.template, context())
            if owner:
                return Assigned(owner, number + 1)
        return None


def _filled(template: TextTemplate, context: Mapping[str, Any]) -> str:
    try:
        return template.render(context).strip()
    except CannotRender:
        return ""
