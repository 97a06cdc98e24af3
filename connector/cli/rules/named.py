"""Which rules a command means: the files, another file, the active ruleset, or one of before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import config_path, existing_store, load_settings
from connector.cli.rules.surroundings import Place, installation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

ACTIVE = "active"
SHORT_HASH = 12  # as it is printed; the commands take any beginning of at least _SHORTEST
_SHORTEST = 4
_HASH = re.compile(rf"[0-9a-f]{{{_SHORTEST},64}}")


def named_rules(ctx: click.Context, name: str | None) -> tuple[str, Place]:
    """What to call them, and where they stand. Without a name: the configured files.

    Raises:
        Invalid: a file cannot be read, or the store holds another text under that hash.
        ClickException: there is nothing of this name.
    """
    if name is None:
        place = installation(ctx, None)
        return place.settings.rules.name, place
    if name != ACTIVE and (Path(name).is_file() or not _HASH.fullmatch(name)):
        return name, installation(ctx, Path(name))
    return kept_rules(ctx, lambda connection: _hash(connection, name))


def kept_rules(ctx: click.Context, choose: Callable[[Connection], str]) -> tuple[str, Place]:
    """The same for a ruleset that the store keeps; `choose` says which."""
    from connector.rulesets import kept_text

    settings = load_settings(ctx, secrets=False)
    with existing_store(settings.store) as store, store.read() as connection:
        text = kept_text(connection, choose(connection))
    called = f"ruleset {text.hash[:SHORT_HASH]}"
    shown = {file: f"{called}: {file}" for file in text.files}
    return called, Place(config_path(ctx), settings, text, shown)


def _hash(connection: Connection, name: str) -> str:
    from connector.store import activations, answers

    if name == ACTIVE:
        active = answers.active_ruleset(connection)
        if active is None:
            raise click.ClickException("no ruleset is active yet; `connector run` makes one so")
        return active
    found = activations.hashes_beginning(connection, name)
    if len(found) != 1:
        what = f"'{name}' begins several rulesets" if found else f"there is no ruleset '{name}'"
        raise click.ClickException(f"{what}; see: connector rules history")
    return found[0]
