"""The files that a rules command looks at, and what exists around them."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from connector.cli.common import config_path, utc_now

if TYPE_CHECKING:
    from connector.config import Settings
    from connector.ports import Naming
    from connector.rules.model import RulesetText

PATIENCE_SECONDS = 6.0  # a check that nobody waits for is not run

# None: ask those sinks whose secrets are set, and do without what does not answer.
online_or_not = click.option(
    "--online/--offline",
    default=None,
    envvar="CONNECTOR_ONLINE",
    help="Ask the sinks which groups, owners and fields exist there, or ask none. By default those "
    "are asked whose secrets are set.",
)


class Place(NamedTuple):
    """An installation and the rules in question; `shown` are their files as seen from here."""

    config: Path
    settings: Settings
    text: RulesetText
    shown: Mapping[str, str]


def installation(ctx: click.Context, file: Path | None) -> Place:
    """The configured rules, or those of FILE. Raises Invalid for what cannot be read."""
    return place_at(_config(ctx, file), file)


def place_at(path: Path, file: Path | None = None) -> Place:
    """The same for the connector.yaml at `path`."""
    from connector import config
    from connector.rules.files import read_directory
    from connector.rules.model import RULES_FILE, TOPICS_FILE

    settings = config.load(path, secrets=False, store=False)
    rules, templates = settings.rules, settings.templates
    topics = rules.parent / TOPICS_FILE
    if file is not None:
        rules = file
        mine = file.parent / TOPICS_FILE
        topics = mine if mine.is_file() else topics
        beside = file.parent / "templates"
        templates = beside if beside.is_dir() else templates
    text = read_directory(rules, templates, topics)
    places = {RULES_FILE: rules, TOPICS_FILE: topics}
    shown = {
        name: _from_here(places.get(name) or templates / name.partition("/")[2])
        for name in text.files
    }
    return Place(path, settings, text, shown)


def _config(ctx: click.Context, file: Path | None) -> Path:
    """The one that --config names, else the one beside FILE, else the usual ones."""
    beside = file.parent / "connector.yaml" if file is not None else None
    if beside is not None and beside.is_file() and ctx.find_root().obj["config"] is None:
        return beside
    return config_path(ctx)


def _from_here(path: Path) -> str:
    here, path = Path.cwd(), Path(os.path.abspath(path))  # noqa: PTH100 - links stay as written
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def known_names(
    settings: Settings, online: bool | None
) -> tuple[dict[str, Mapping[str, Sequence[str]]], dict[str, str]]:
    """Sink id -> field -> what exists there; and sink id -> why it was not asked.

    What a sink says wins over `names:` in connector.yaml.
    """
    from connector import catalog, http
    from connector.ports import Naming

    found: dict[str, Mapping[str, Sequence[str]]] = {}
    asked: dict[str, _Asking] = {}
    unasked: dict[str, str] = {}
    for id, chosen in settings.sinks.items():
        found[id] = chosen.names
        if online is False or not hasattr(catalog.sink_type(chosen.type), "named"):
            continue
        if id in settings.unset:
            unasked[id] = "its secrets are not set here"
            continue
        session = http.Session(chosen.base_url, timeout=(3.05, 5.0))
        sink = catalog.sink_type(chosen.type)(chosen, session)
        if isinstance(sink, Naming):
            asked[id] = _Asking(sink)
            asked[id].start()
    for id, asking in asked.items():
        asking.join(PATIENCE_SECONDS)
        if asking.why:
            unasked[id] = asking.why
        else:
            found[id] = {**found[id], **asking.found}
    return found, unasked


class _Asking(threading.Thread):
    """Asks one sink, all at the same time; one that hangs keeps nobody."""

    def __init__(self, sink: Naming) -> None:
        super().__init__(daemon=True)
        self._sink = sink
        self.found: dict[str, Sequence[str]] = {}
        self.why = f"no answer within {PATIENCE_SECONDS:.0f} s"

    def run(self) -> None:
        from connector.errors import ConnectorError

        try:
            self.found = {name: self._sink.known(name, utc_now()) for name in self._sink.named}
            self.why = ""
        except ConnectorError as error:
            self.why = str(error)
