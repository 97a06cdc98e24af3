"""Whose work a case would have been, in a replay: the team that the rule names, or the person whom
`routing` says, with pools that begin with their first member."""

from __future__ import annotations

from typing import Any

from connector.domain import Facts
from connector.rules.model import Action
from connector.rules.past import filled, whole_facts
from connector.rules.routing import OWNER, Assigned, Routing
from connector.rules.templates import TextTemplate, context_of
from connector.rules.topics import NO_TOPICS, TopicBook

_TEAM = ("group", "owner", "assignee")  # the parameters that say whose work a case is


def team_of(action: Action) -> str | TextTemplate:
    """A template where it depends on the answer; a person before a group."""
    own = [action.templates.get(name) for name in _TEAM]
    texts = [template for template in own if isinstance(template, TextTemplate)]
    for template in texts:
        if OWNER in template.names:
            return template
    for name in _TEAM:
        if isinstance(action.templates.get(name), TextTemplate):
            found: TextTemplate = action.templates[name]
            return found
        value = getattr(action.params, name, "")
        if value:
            return str(value)
    return nobody(action)


def nobody(action: Action) -> str:
    return f"{action.sink}, nobody named"


class Teams:
    """The turns that the pools of one ruleset take on the way through the past."""

    def __init__(self, routing: Routing | None, book: TopicBook = NO_TOPICS) -> None:
        self._routing, self._book = routing, book
        self._turns: dict[str, int] = {}
        self._taken: dict[str, dict[str, int]] = {}  # by response, those that are still revised

    def assigned(self, response: str, facts: Facts, more: bool) -> Assigned | None:
        """Whom this answer is for; takes a turn where it has none. `more`: it will be revised."""
        if self._routing is None:
            return None
        positions = self._taken.pop(response, {})
        seen: dict[str, Any] = vars(facts)
        seen["positions"] = positions
        found = self._routing.assigned(facts, lambda: context_of(whole_facts(facts), self._book))
        if found is not None and found.pool and found.position is None:
            turn = self._turns.get(found.pool, 0)
            self._turns[found.pool] = turn + 1
            seen["positions"] = positions = {**positions, found.pool: turn}
            found = self._routing.assigned(facts, dict)
        if more and positions:
            self._taken[response] = positions
        return found

    def told(self, team: TextTemplate, action: Action, facts: Facts, who: Assigned | None) -> str:
        """The team by name."""
        owner = who.owner if who else ""
        return filled(team, facts, self._book, owner).strip() or nobody(action)
