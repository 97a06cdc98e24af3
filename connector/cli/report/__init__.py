"""`connector report`: one module for each figure that is reported."""

from __future__ import annotations

import click

from connector.cli.lazy import LazyGroup

_COMMANDS = {
    "nps": ("connector.cli.report.nps:nps", "NPS with interval and n, and whether it changed."),
    "loop": (
        "connector.cli.report.loop:loop",
        "How well the loop is closed: on time, by cohort, both clocks, reopened, causes.",
    ),
    "load": (
        "connector.cli.report.load:load",
        "Cases a day and team: what is usual, what to expect, what is open.",
    ),
    "lift": (
        "connector.cli.report.lift:lift",
        "What rules with a holdout bring, beside those who were left out.",
    ),
    "coverage": (
        "connector.cli.report.coverage:coverage",
        "Whether everything received was decided and delivered.",
    ),
}


@click.group(cls=LazyGroup, lazily=_COMMANDS)
def report() -> None:
    """Figures that say how sure they are: each with its n and its time."""
