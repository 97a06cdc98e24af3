"""One installation, put together: settings, store, adapters and the active ruleset."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from connector import catalog, http
from connector.ports import Listing, Notifying
from connector.rulesets import Rulesets
from connector.store import Store, arrivals, schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import Settings
    from connector.ports import Sink, Source
    from connector.rules.model import Ruleset, Vocabulary


class Workspace:
    """What every stage is handed. Adapters are built when they are first asked for."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self._added: dict[str, datetime] = {}

    @cached_property
    def sources(self) -> dict[str, Source]:
        """All configured sources by id, for verifying, reading and polling."""
        return {id: self.new_source(id) for id in self.settings.sources}

    @cached_property
    def rulesets(self) -> Rulesets:
        return Rulesets(self.settings, self.store)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.rulesets.vocabulary

    @cached_property
    def accounts(self) -> dict[str, str]:
        """Sink id -> what its vendor limits."""
        return {id: self.new_sink(id).account for id in self.settings.sinks}

    @cached_property
    def notifying(self) -> dict[str, Notifying]:
        """Sinks whose far side calls us when a case changes; only for reading what it sends."""
        made = {id: self.new_sink(id) for id in self.settings.sinks}
        return {id: sink for id, sink in made.items() if isinstance(sink, Notifying)}

    @cached_property
    def blind(self) -> frozenset[str]:
        """Sinks where nobody can look whether something was made."""
        sinks = {id: self.new_sink(id) for id in self.settings.sinks}
        return frozenset(id for id, sink in sinks.items() if not _can_look(sink))

    def new_source(self, id: str) -> Source:
        """A source adapter of its own for one thread."""
        chosen: Any = self.settings.sources[id]
        return catalog.source_type(chosen.type)(chosen, http.Session(chosen.base_url))

    def new_sink(self, id: str) -> Sink:
        """A sink adapter of its own for one thread (the vendors' clients are not thread-safe)."""
        chosen: Any = self.settings.sinks[id]
        return catalog.sink_type(chosen.type)(chosen, http.Session(chosen.base_url))

    def ruleset(self, connection: Connection) -> Ruleset | None:
        """The active ruleset of the store, which every process follows; None before the first.

        Raises:
            Invalid: it cannot be loaded.
        """
        return self.rulesets.active(connection)

    def added_times(self, connection: Connection) -> dict[str, datetime]:
        """When each source was added, which never changes."""
        if not self.settings.sources.keys() <= self._added.keys():
            self._added = arrivals.added_times(connection)
        return self._added


def _can_look(sink: Sink) -> bool:
    unmarked = isinstance(sink, Listing) and sink.unmarked
    return sink.capabilities.can_find and not unmarked


def open_workspace(settings: Settings, now: datetime, follow: bool = False) -> Workspace:
    """Open the store at its newest schema, with a ruleset that decides.

    `follow`: take up what has changed in the rules files, as `connector run` does; else only the
    very first ruleset comes from there.

    Raises:
        Invalid: when no ruleset can decide.
        StoreDown: when the database cannot be reached.
    """
    workspace = Workspace(settings, Store(settings.store))
    try:
        schema.upgrade(workspace.store)
        workspace.rulesets.start(now, follow)
        workspace.store.write(lambda c: _remember_sources(c, settings, now))
    except BaseException:
        workspace.store.close()
        raise
    return workspace


def _remember_sources(connection: Connection, settings: Settings, now: datetime) -> None:
    for id in settings.sources:
        arrivals.remember_source(connection, id, now)
