"""`connector rules check`: every problem of every rule and template, for people, editors and CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import counted, print_json, print_problems
from connector.cli.rules.surroundings import installation, online_or_not

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.domain import Problem

_GITHUB = {"error": "error", "warning": "warning", "note": "notice"}


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="github: annotations on the lines of a pull request.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@online_or_not
@click.pass_context
def check(ctx: click.Context, file: Path | None, form: str, online: bool | None) -> int:
    """Check rules and templates, run the examples, and look for what no example shows.

    FILE is a rules file to check in place of the configured one, with the templates/ beside it.
    Nothing is changed. Exit code 3 where something has to be mended; warnings and notes pass.
    """
    from connector.cli.rules.linting import rule_problems
    from connector.errors import Invalid

    problems: Sequence[Problem]
    try:
        problems = rule_problems(installation(ctx, file), online)
    except Invalid as error:  # connector.yaml itself, or a file that cannot be read
        problems = error.problems
    if form == "json":
        print_json([problem.model_dump() for problem in problems])
    elif form == "github":
        for problem in problems:
            click.echo(_annotation(problem))
    else:
        print_problems(problems)
        click.echo(_summary(problems))
    return 3 if any(problem.severity == "error" for problem in problems) else 0


def _summary(problems: Sequence[Problem]) -> str:
    counts = {
        word: sum(problem.severity == severity for problem in problems)
        for severity, word in (("error", "mistake"), ("warning", "warning"), ("note", "note"))
    }
    told = ", ".join(counted(count, word) for word, count in counts.items() if count)
    return f"{told}." if counts["mistake"] else f"The rules are in order{told and f' ({told})'}."


def _annotation(problem: Problem) -> str:
    """https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands"""
    place = {"file": problem.file, "line": problem.line, "col": problem.column}
    where = ",".join(f"{key}={_property(str(value))}" for key, value in place.items() if value)
    said = problem.message + (f" ({problem.hint})" if problem.hint else "")
    return f"::{_GITHUB[problem.severity]} {where}::{_data(said)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
