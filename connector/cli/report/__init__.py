"""`connector report`: one module for each figure that is reported."""

from __future__ import annotations

import click

from connector.cli.lazy import LazyGroup

_COMMANDS = {
    "nps": ("connector.cli.report.nps:nps", "NPS with interval and n, and whether it changed."),
    "coverage": (
        "connector.cli.report.coverage:coverage",
        "Whether everything received was decided and delivered.",
    ),
}


@click.group(cls=LazyGroup, lazily=_COMMANDS)
def report() -> None:
    """Figures that say how sure they are: each with its n and its time."""
