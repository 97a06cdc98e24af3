"""Names that people write in rules -> ids that Zendesk wants. Remembered, never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Generic, TypeVar

from connector.errors import Refused, TryLater
from connector.sinks.zendesk.desk import Desk
from connector.sinks.zendesk.records import Agent, Field

T = TypeVar("T")

KNOWN_FOR = timedelta(minutes=10)
ASK_AGAIN_AFTER = timedelta(minutes=1)  # a name that does not exist must not cost a call per ticket
LONGEST = 254  # characters of an address or a name; a template may have filled in anything
MOST_AGENTS = 1_000

_YES = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}


class Names:
    """One account's groups, agents and custom fields, as one adapter instance remembers them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._groups = _Table(lambda: _by_name(desk.groups()))
        self._group_names = _Table(lambda: {str(id): name for id, name in desk.groups().items()})
        self._fields = _Table(lambda: _by_title(desk.fields()))
        self._agents: dict[str, _Table[list[Agent]]] = {}
        self._memberships: dict[int, _Table[set[int] | None]] = {}

    def group(self, wanted: str, now: datetime) -> int | None:
        """The id of a group by its name (any case) or id."""
        return self._groups.find(wanted.strip().casefold(), now)

    def group_name(self, id: int | None, now: datetime) -> str:
        """Empty for none, and for a group that was deleted."""
        return "" if id is None else self._group_names.find(str(id), now) or ""

    def field(self, wanted: str, now: datetime) -> Field | None:
        """A custom field by its title (any case) or id."""
        return self._fields.find(wanted.strip().casefold(), now)

    def agent(self, wanted: str, now: datetime) -> Agent | None:
        """The one active agent of that e-mail address or name; None for none or several."""
        name = wanted.strip().casefold()
        if len(name) > LONGEST:
            return None
        if len(self._agents) > MOST_AGENTS:
            self._agents.clear()

        def search() -> dict[str, list[Agent]]:
            found = self._desk.agents(wanted)
            return {name: found} if found else {}

        table = self._agents.setdefault(name, _Table(search))
        found = table.find(name, now) or []
        return found[0] if len(found) == 1 else None

    def belongs(self, agent_id: int, group_id: int, now: datetime) -> bool:
        """Whether an agent is in a group; yes where we may not see it, then Zendesk judges."""
        table = self._memberships.setdefault(
            agent_id, _Table(lambda: {"": self._desk.groups_of(agent_id)})
        )
        groups = table.find("", now)
        return groups is None or group_id in groups


class _Table(Generic[T]):
    def __init__(self, load: Callable[[], dict[str, T]]) -> None:
        self._load = load
        self._rows: dict[str, T] = {}
        self._read_at: datetime | None = None

    def find(self, name: str, now: datetime) -> T | None:
        age = now - self._read_at if self._read_at else None
        missed = name not in self._rows
        if age is None:
            self._refresh(now)
        elif age >= KNOWN_FOR or (missed and age >= ASK_AGAIN_AFTER):
            try:
                self._refresh(now)
            except TryLater:
                if missed:
                    raise  # what is known goes on being used; what is not may be a new group
        return self._rows.get(name)

    def _refresh(self, now: datetime) -> None:
        try:
            self._rows = self._load()
        except Refused:
            self._rows = {}  # what we may not list is unknown: the ticket opens without it
        self._read_at = now


def _by_name(groups: dict[int, str]) -> dict[str, int]:
    ids = {str(number): number for number in groups}
    return ids | {name.strip().casefold(): number for number, name in groups.items()}


def _by_title(fields: list[Field]) -> dict[str, Field]:
    ids = {str(field.id): field for field in fields}
    return ids | {field.title.strip().casefold(): field for field in fields}


def field_value(field: Field, text: str) -> str | list[str] | None:
    """What Zendesk takes for this text; None where it would refuse it, and the ticket with it.

    https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/
    """
    plain = text.strip()
    match field.type:
        case "tagger":
            return field.options.get(plain.casefold())
        case "multiselect":
            chosen = [field.options.get(part.strip().casefold()) for part in plain.split(",")]
            known = [value for value in chosen if value is not None]
            return known if len(known) == len(chosen) else None
        case "integer":
            return plain if re.fullmatch(r"-?\d{1,15}", plain) else None
        case "decimal":
            return plain if re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", plain) else None
        case "checkbox":
            return _YES.get(plain.casefold())
        case "date":
            return plain if _is_date(plain) else None
        case _:
            return text


def field_words(field: Field, value: object) -> str:
    """What agents read in this field; empty for nothing."""
    if isinstance(value, list):
        return ", ".join(field_words(field, one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    plain = "" if value is None else str(value).strip()
    return field.labels.get(plain, plain)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
