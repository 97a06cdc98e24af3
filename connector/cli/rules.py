"""`connector rules`: check the files; explain what they say about one response, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import as_json, load_settings, print_json, workspace

if TYPE_CHECKING:
    from connector.config import Settings
    from connector.domain import Facts, Problem
    from connector.rules.explain import RuleReport


@click.group()
def rules() -> None:
    """Check the rules; explain a decision."""


def rule_problems(settings: Settings) -> tuple[Problem, ...]:
    """Every problem of rules and templates, failing examples included."""
    from connector.rules.check import check as check_examples
    from connector.rules.load import load, read_directory

    text = read_directory(settings.rules, settings.templates)
    loaded = load(text, settings.vocabulary())
    found = list(loaded.problems)
    if loaded.ruleset is not None:
        found += [p for p in check_examples(loaded.ruleset) if p not in found]
    return tuple(found)


@rules.command()
@as_json
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> int:
    """Check the rules and templates, and run every rule's own examples."""
    problems = rule_problems(load_settings(ctx, secrets=False))
    if as_json:
        print_json([problem.model_dump() for problem in problems])
    else:
        for problem in problems:
            click.echo(str(problem))
    errors = sum(problem.severity == "error" for problem in problems)
    if not as_json:
        click.echo(f"{errors} mistakes." if errors else "The rules are in order.")
    return 3 if errors else 0


@rules.command()
@click.argument("response")
@as_json
@click.pass_context
def explain(ctx: click.Context, response: str, as_json: bool) -> int:
    """Say for every rule whether it fired for RESPONSE, and which condition decided.

    Recomputed from the facts that were kept with the decision and from the ruleset of that day.
    """
    from connector.domain import Facts
    from connector.rules.explain import explain as explain_rules
    from connector.rules.load import load
    from connector.rules.model import RulesetText
    from connector.store import answers

    with workspace(ctx, secrets=False) as opened, opened.store.read() as connection:
        kept = answers.decisions_of(connection, response)
        if not kept:
            raise click.ClickException(
                f"no decision about '{response}'; find ids with: connector responses list"
            )
        decision = kept[-1]
        if not decision.facts:
            raise click.ClickException("the facts of this response were erased")
        facts = Facts.model_validate(decision.facts)
        files = answers.ruleset_files(connection, decision.ruleset) or {}
        loaded = load(RulesetText(files=files), opened.vocabulary)
    if loaded.ruleset is None:
        raise click.ClickException(
            "the ruleset of that day names sinks, surveys or fields that no longer exist"
        )
    reports = explain_rules(loaded.ruleset, facts)
    if as_json:
        print_json(
            {
                "response": response,
                "decision": decision.number,
                "decided_at": decision.decided_at,
                "ruleset": decision.ruleset,
                "history": decision.history,
                "rules": [report.model_dump(mode="json") for report in reports],
            }
        )
    else:
        _print_reports(decision, facts, reports)
    return 0


def _print_reports(decision: Any, facts: Facts, reports: list[RuleReport]) -> None:
    click.echo(
        f"Decision {decision.number} of {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"revision {facts.revision}, ruleset {decision.ruleset[:12]}"
    )
    if decision.history:
        click.echo("Decided as history: no action was made, whatever the rules say.")
    for report in reports:
        mark = "fired    " if report.fired else "no       "
        click.echo(f"{mark} {report.rule_id} ({report.status}) {report.note}".rstrip())
        for condition in report.conditions:
            sign = "+" if condition.held else "-"
            wanted = f"{condition.field} {condition.operator} {condition.wanted}"
            click.echo(f"          {sign} {wanted}; saw {condition.seen!r}")
