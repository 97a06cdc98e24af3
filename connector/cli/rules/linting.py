"""The findings of `connector rules check`, with what the sinks and the store know."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from connector.cli.common import existing_store, sqlite_path, utc_now
from connector.cli.rules.surroundings import Place, known_names

if TYPE_CHECKING:
    from connector.config import Settings
    from connector.domain import Facts, Problem
    from connector.rules.lint import WhyUnasked

DAYS = 90
_MOST_DECISIONS = 10_000  # the newest; more would not change a share


def rule_problems(place: Place, online: bool | None) -> list[Problem]:
    """Every problem of rules and templates, each with its file as seen from here."""
    from connector.rules.lint import Seen, lint

    names, unasked = known_names(place.settings, online)
    answers, trouble = past_facts(place.settings)
    why = {id: _why(place, id, reason, online) for id, reason in unasked.items()}
    seen = Seen(names=names, unasked=why, answers=answers, days=DAYS)
    found = lint(place.text, place.settings.vocabulary(), utc_now(), seen)
    said = [p.model_copy(update={"file": place.shown.get(p.file, p.file)}) for p in found]
    return [*said, *trouble]


def quick_problems(settings: Settings) -> Iterator[Problem]:
    """What shows without reaching anything and without looking back; no notes."""
    from connector.rules.files import read_directory
    from connector.rules.lint import Seen, lint

    text = read_directory(settings.rules, settings.templates)
    seen = Seen(names={id: sink.names for id, sink in settings.sinks.items()})
    for problem in lint(text, settings.vocabulary(), utc_now(), seen):
        if problem.severity != "note":
            yield problem


def _why(place: Place, id: str, reason: str, online: bool | None) -> WhyUnasked:
    from connector import catalog
    from connector.rules.lint import WhyUnasked

    chosen = place.settings.sinks[id]
    named = getattr(catalog.sink_type(chosen.type), "named", ())
    missing = [field for field in named if online or field not in chosen.names]
    return WhyUnasked(reason, missing, needed=bool(online))


def past_facts(settings: Settings) -> tuple[list[Facts], list[Problem]]:
    """The answers of the last days, where there is a store to read them from."""
    from pydantic import ValidationError

    from connector.domain import Facts, Problem
    from connector.store import browsing

    path = sqlite_path(settings.store)
    if settings.store == "unset" or (path is not None and not path.exists()):
        return [], []
    try:
        with existing_store(settings.store) as store, store.read() as connection:
            since = utc_now() - timedelta(days=DAYS)
            rows = list(browsing.facts_since(connection, since, _MOST_DECISIONS))
    except click.ClickException as error:
        message = f"past answers were not looked at: {error.message}"
        return [], [Problem(file="store", severity="note", message=message)]
    facts = []
    for row in rows:
        with contextlib.suppress(ValidationError):  # kept by a version with other facts
            facts.append(Facts.model_validate(row))
    return facts, []
