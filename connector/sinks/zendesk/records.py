"""What is read from Zendesk, as far as it matters here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

GONE = ("solved", "closed", "deleted")  # states in which nobody would read a note


@dataclass(frozen=True)
class Ticket:
    """A ticket as it is now. `updated_at` stays in Zendesk's own words: it is sent back."""

    id: int
    status: str
    priority: str | None
    type: str | None
    due_at: datetime | None
    group_id: int | None
    assignee_id: int | None
    tags: tuple[str, ...]
    updated_at: str


@dataclass(frozen=True)
class Listed:
    """A ticket in the incremental export."""

    id: int
    external_id: str
    status: str
    created_at: datetime


@dataclass(frozen=True)
class Followed:
    """A ticket as it is read to be followed. `fields`: custom fields by their ids."""

    id: int
    external_id: str
    status: str
    created_at: datetime
    changed_at: datetime
    solved_at: datetime | None
    requester_id: int | None
    assignee_id: int | None
    group_id: int | None
    tags: tuple[str, ...]
    fields: Mapping[int, object]


@dataclass(frozen=True)
class Event:
    """One part of a change. `by_rule`: a trigger did it, in the audit of whoever set it off."""

    type: str
    field: str
    value: str
    by_rule: bool


@dataclass(frozen=True)
class Audit:
    """One change of a ticket; `channel` is `web` for what is done by hand, `api` for programs."""

    author_id: int | None
    channel: str
    at: datetime
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Person:
    """`works_there`: an agent or an administrator, no customer."""

    name: str
    works_there: bool


@dataclass(frozen=True)
class Agent:
    id: int
    name: str
    email: str


@dataclass(frozen=True)
class Field:
    """A custom ticket field. `options` maps what agents see, and the value itself, to the value;
    `labels` the value to what agents see."""

    id: int
    title: str
    type: str
    options: dict[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
