"""`connector digest`: the weekly mail, seen before it is sent."""

from __future__ import annotations

import click

from connector.cli.lazy import LazyGroup

_COMMANDS = {
    "preview": (
        "connector.cli.digest.preview:preview",
        "Show the weekly digest as it would be today, or send it now.",
    ),
}


@click.group(cls=LazyGroup, lazily=_COMMANDS)
def digest() -> None:
    """The weekly mail that says how it stands."""
