"""Decisions of the past, as light as a million of them have to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from pydantic import BaseModel

from connector.domain import Facts, History
from connector.rules.routing import OWNER
from connector.rules.templates import CannotRender, TextTemplate, context_of
from connector.rules.topics import TopicBook


class Past(NamedTuple):
    """One decision that was really made. `revisions` is how many the answer has today; `acts` is
    false where it was decided as history; `quiet` says why the customer gets nothing anyway.

    `again`: it was decided again, because of a late answer; `more`: and will be after this one.
    """

    number: int
    response: str
    customer: str | None
    revision: int
    revisions: int
    acts: bool
    at: datetime
    facts: Facts
    quiet: str = ""
    again: bool = False
    more: bool = False

    @property
    def is_last(self) -> bool:
        """Is this the last decision about the answer?"""
        return self.revision >= self.revisions and not self.more


class Fate(NamedTuple):
    """What became of an effect that was really made: when it was first sent, and when it ended
    (a case was closed, or given up). None: not yet. `refused`: it ended so that it never was."""

    sent_at: datetime | None
    ended_at: datetime | None
    refused: bool = False


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


class _Earlier(NamedTuple):
    """A `PastAnswer` that nobody checks again."""

    answered_at: datetime
    scale_low: int | None
    scale_high: int | None
    score: int | None
    segment: str | None


class _History(_light(History)):  # type: ignore[misc]  # made above
    """`past` is read when the first rule asks for it."""

    _told: Sequence[dict[str, Any]] | tuple[_Earlier, ...] = ()

    @property
    def past(self) -> tuple[_Earlier, ...]:
        told = self._told
        if isinstance(told, list):
            at, low, high, score, segment = _Earlier._fields
            moment = datetime.fromisoformat
            told = self._told = tuple(
                [_Earlier(moment(o[at]), o[low], o[high], o[score], o[segment]) for o in told]
            )
        return cast("tuple[_Earlier, ...]", told)


_FACTS = _light(Facts)


def light_facts(kept: dict[str, Any]) -> Facts:
    """Facts as they were kept, for everything that rules read of them; `kept` is used up.

    They were checked when they were kept: doing it again would take longer than deciding. Other
    than `Facts`, its `history.open_cases` can be set.
    """
    facts, history = _FACTS(), _History()
    told = kept.get("history") or {}
    if "past" in told:
        told["_told"] = told.pop("past")
    history.__dict__ = told
    kept["history"] = history
    kept["tags"] = tuple(kept.get("tags") or ())
    for name in ("answered_at", "decided_at"):
        moment = kept.get(name)
        if moment is not None:
            kept[name] = datetime.fromisoformat(moment)
    facts.__dict__ = kept
    return cast("Facts", facts)


def whole_facts(light: Facts) -> Facts:
    """The same, checked, for what wants more than the rules do."""
    past = cast("tuple[_Earlier, ...]", light.history.past)
    history = {**vars(light.history), "past": [one._asdict() for one in past]}
    history.pop("_told", None)
    return Facts.model_validate({**vars(light), "history": history})


def owner_of(customer: str | None, facts: Facts) -> str | None:
    """Whose answer this was when it was decided. Before a revision told an address it was nobody's,
    although it is theirs today."""
    mine: Mapping[str, object] = facts.customer
    known = mine.get("email") or mine.get("phone") or mine.get("external_id")
    return customer if known else None


def filled(template: TextTemplate, facts: Facts, book: TopicBook, owner: str = "") -> str:
    """The text for these light facts; empty where it cannot be filled in. `owner`: whom `routing`
    says."""
    context = {OWNER: owner} if owner else {}
    if template.names != {OWNER}:
        context = context_of(whole_facts(facts), book) | context
    try:
        return template.render(context)
    except CannotRender:
        return ""
