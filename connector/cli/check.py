"""`connector check`: configuration, rules, templates and examples, without reaching anything."""

from __future__ import annotations

import click

from connector.cli.common import as_json, load_settings, print_json


@click.command()
@as_json
@click.option("--no-secrets", is_flag=True, help="Do not complain about unset ${…} values.")
@click.pass_context
def check(ctx: click.Context, as_json: bool, no_secrets: bool) -> int:
    """Check connector.yaml, the rules with their examples, and the templates.

    Nothing is reached and nothing is changed. Every problem is printed at once; exit code 3.
    """
    from connector.cli.rules import rule_problems
    from connector.errors import Invalid

    try:
        settings = load_settings(ctx, secrets=not no_secrets)
    except Invalid as error:
        problems = error.problems
    else:
        problems = rule_problems(settings)
    if as_json:
        print_json([problem.model_dump() for problem in problems])
    else:
        for problem in problems:
            click.echo(str(problem), err=problem.severity == "error")
    errors = sum(problem.severity == "error" for problem in problems)
    if not as_json:
        click.echo(f"{errors} mistakes." if errors else "Everything is in order.")
    return 3 if errors else 0
