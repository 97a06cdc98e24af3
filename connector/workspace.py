"""One installation, put together: settings, store, adapters and the active ruleset."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from connector import catalog, http
from connector.domain import Problem
from connector.errors import Invalid
from connector.ports import Listing
from connector.rules.kept import KeptRulesets
from connector.rules.load import read_directory
from connector.rules.model import RULES_FILE, Ruleset, RulesetText, Vocabulary
from connector.store import Store, answers, arrivals, schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import Settings
    from connector.ports import Sink, Source


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
    def vocabulary(self) -> Vocabulary:
        return self.settings.vocabulary()

    @cached_property
    def _rulesets(self) -> KeptRulesets:
        return KeptRulesets(self.vocabulary)

    @cached_property
    def accounts(self) -> dict[str, str]:
        """Sink id -> what its vendor limits."""
        return {id: self.new_sink(id).account for id in self.settings.sinks}

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

    def read_rules(self) -> tuple[RulesetText, Ruleset | None, tuple[Problem, ...]]:
        """The rules as they stand in the files: their text, the ruleset, and every problem."""
        text = read_directory(self.settings.rules, self.settings.templates)
        loaded = self._rulesets.load(text)
        return text, loaded.ruleset, loaded.problems

    def ruleset(self, connection: Connection) -> Ruleset | None:
        """The active ruleset of the store, which every process follows; None before the first."""
        identity = answers.active_ruleset(connection)
        if identity is None:
            return None
        loaded = self._rulesets.known(identity)
        if loaded is None:
            text = RulesetText(files=answers.ruleset_files(connection, identity) or {})
            if text.hash != identity:
                raise Invalid([_altered(identity)])
            loaded = self._rulesets.load(text)
        if loaded.ruleset is None:
            raise Invalid(loaded.problems)
        return loaded.ruleset

    def added_times(self, connection: Connection) -> dict[str, datetime]:
        """When each source was added, which never changes."""
        if not self.settings.sources.keys() <= self._added.keys():
            self._added = arrivals.added_times(connection)
        return self._added


def _altered(identity: str) -> Problem:
    return Problem(
        file=RULES_FILE,
        message=f"the text that the store keeps for ruleset {identity[:12]} is not that text",
        hint="restart with the rules files in place: they are made active again",
    )


def _can_look(sink: Sink) -> bool:
    unmarked = isinstance(sink, Listing) and sink.unmarked
    return sink.capabilities.can_find and not unmarked


def open_workspace(settings: Settings, now: datetime) -> Workspace:
    """Open the store at its newest schema and make the rules of the files the active ones.

    Raises:
        Invalid: when the rules have errors.
        StoreDown: when the database cannot be reached.
    """
    workspace = Workspace(settings, Store(settings.store))
    try:
        schema.upgrade(workspace.store)
        _activate(workspace, now)
    except BaseException:
        workspace.store.close()
        raise
    return workspace


def _activate(workspace: Workspace, now: datetime) -> None:
    text, ruleset, problems = workspace.read_rules()
    if ruleset is None:
        raise Invalid(problems)

    def work(connection: Connection) -> None:
        answers.keep_ruleset(connection, text.hash, dict(text.files), now)
        answers.activate_ruleset(connection, text.hash)
        for id in workspace.settings.sources:
            arrivals.remember_source(connection, id, now)

    workspace.store.write(work)
