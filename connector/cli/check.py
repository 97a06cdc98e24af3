"""`connector check`: configuration, rules, templates and examples, without reaching anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli.common import as_json, counted, load_settings, print_json, print_problems

if TYPE_CHECKING:
    from connector.domain import Problem


@click.command()
@as_json
@click.option("--no-secrets", is_flag=True, help="Do not complain about unset ${…} values.")
@click.pass_context
def check(ctx: click.Context, as_json: bool, no_secrets: bool) -> int:
    """Check connector.yaml, the rules with their examples, and the templates.

    Nothing is reached and nothing is changed. Every problem is printed at once; exit code 3.
    `connector rules check` looks further: at what exists at the far side, and at past answers.
    """
    problems = _problems(ctx, no_secrets)
    if as_json:
        print_json([problem.model_dump() for problem in problems])
    else:
        print_problems(problems)
    errors = sum(problem.severity == "error" for problem in problems)
    if not as_json:
        click.echo(f"{counted(errors, 'mistake')}." if errors else "Everything is in order.")
    return 3 if errors else 0


def _problems(ctx: click.Context, no_secrets: bool) -> list[Problem]:
    """Those of connector.yaml; those of the rules as well where it can be understood without its
    secrets."""
    from connector.cli.rules.linting import quick_problems
    from connector.errors import Invalid

    problems: list[Problem] = []
    try:
        settings = load_settings(ctx, secrets=not no_secrets, store=not no_secrets)
    except Invalid as error:
        problems += error.problems
        try:
            settings = load_settings(ctx, secrets=False, store=False)
        except Invalid:
            return problems
    return [*problems, *quick_problems(settings)]
