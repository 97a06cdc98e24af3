"""Decisions of the past, as light as a million of them have to be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from pydantic import BaseModel

from connector.domain import Facts, History
from connector.rules.templates import CannotRender, TextTemplate, context_of
from connector.rules.topics import TopicBook


class Past(NamedTuple):
    """One decision that was really made. `revisions` is how many the answer has today; `acts` is
    false where it was decided as history; `quiet` says why the customer gets nothing anyway."""

    number: int
    response: str
    customer: str | None
    revision: int
    revisions: int
    acts: bool
    at: datetime
    facts: Facts
    quiet: str = ""


class Fate(NamedTuple):
    """What became of an effect that was really made: when it was first sent, and when it ended
    (a case was closed, or given up). None: not yet."""

    sent_at: datetime | None
    ended_at: datetime | None


def _light(model: type[BaseModel]) -> type[Any]:
    """A class with the model's defaults and nothing of its checks."""
    fields = model.model_fields.items()
    return type(
        f"Kept{model.__name__}",
        (),
        {
            name: None if field.is_required() else field.get_default(call_default_factory=True)
            for name, field in fields
        },
    )


_FACTS, _HISTORY = _light(Facts), _light(History)


def light_facts(kept: dict[str, Any]) -> Facts:
    """Facts as they were kept, for everything that rules read of them; `kept` is used up.

    They were checked when they were kept: doing it again would take longer than deciding. Other
    than `Facts`, its `history.open_cases` can be set.
    """
    facts, history = _FACTS(), _HISTORY()
    history.__dict__ = kept.get("history") or {}
    kept["history"] = history
    kept["tags"] = tuple(kept.get("tags") or ())
    answered_at = kept.get("answered_at")
    if answered_at is not None:
        kept["answered_at"] = datetime.fromisoformat(answered_at)
    facts.__dict__ = kept
    return cast("Facts", facts)


def whole_facts(light: Facts) -> Facts:
    """The same, checked, for what wants more than the rules do."""
    return Facts.model_validate({**vars(light), "history": dict(vars(light.history))})


def owner_of(customer: str | None, facts: Facts) -> str | None:
    """Whose answer this was when it was decided. Before a revision told an address it was nobody's,
    although it is theirs today."""
    mine: Mapping[str, object] = facts.customer
    known = mine.get("email") or mine.get("phone") or mine.get("external_id")
    return customer if known else None


def filled(template: TextTemplate, facts: Facts, book: TopicBook) -> str:
    """The text for these light facts; empty where it cannot be filled in."""
    try:
        return template.render(context_of(whole_facts(facts), book))
    except CannotRender:
        return ""
