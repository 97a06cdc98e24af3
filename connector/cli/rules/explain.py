"""`connector rules explain`: what the rules said about one response, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import (
    as_json,
    existing_store,
    find_response,
    load_settings,
    print_json,
    row_dict,
)
from connector.cli.tables import cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.rules.explain import GroupReport, RuleReport


@click.command()
@click.argument("response")
@as_json
@click.pass_context
def explain(ctx: click.Context, response: str, as_json: bool) -> int:
    """Say for every rule whether it fired for RESPONSE, and which condition decided.

    RESPONSE is an id, or the beginning of one. Recomputed from the facts that were kept with the
    decision and from the ruleset of that day.
    """
    from connector.domain import Facts
    from connector.rules.explain import explain as explain_rules
    from connector.rules.load import load
    from connector.rules.model import RulesetText
    from connector.store import activations, answers, browsing

    settings = load_settings(ctx, secrets=False)
    with existing_store(settings.store) as store, store.read() as connection:
        response = find_response(connection, response)
        kept = answers.decisions_of(connection, response)
        if not kept:
            raise click.ClickException(f"nothing was decided about '{response}' yet")
        decision = kept[-1]
        if not decision.facts:
            raise click.ClickException("the facts of this response were erased")
        facts = Facts.model_validate(decision.facts)
        files = answers.ruleset_files(connection, decision.ruleset) or {}
        loaded = load(RulesetText(files=files), settings.vocabulary())
        made = browsing.list_actions(connection, response=response, limit=None)
        since = activations.active_since(connection, decision.ruleset, decision.decided_at)
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
                "ruleset_active_since": since,
                "history": decision.history,
                "rules": [report.model_dump(mode="json") for report in reports],
                "actions": [row_dict(row) for row in made],
            }
        )
        return 0
    click.echo(
        f"Decision {decision.number} of {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"revision {facts.revision}, ruleset {decision.ruleset[:12]}"
        + (f" (active since {since:%Y-%m-%d %H:%M} UTC)" if since else "")
    )
    _print_rules(reports)
    _print_actions(made)
    if decision.history:
        click.echo("Decided as history: no action was made, whatever the rules say.")
    return 0


def _print_rules(reports: list[RuleReport]) -> None:
    for report in reports:
        status = "" if report.status == "live" else f" ({report.status})"
        note = f": {report.note}" if report.note else ""
        click.echo(f"{'fired ' if report.fired else 'no    '} {report.rule_id}{status}{note}")
        _print_members(report.when, " " * 7)
    if not any(report.fired and report.status == "live" for report in reports):
        click.echo("No live rule fired, so the default did.")


def _print_members(group: GroupReport, margin: str) -> None:
    from connector.rules.explain import GroupReport

    for member in group.members:
        sign = "+" if member.held else "-"
        if isinstance(member, GroupReport):
            click.echo(f"{margin}{sign} {member.word} of these:")
            _print_members(member, margin + "    ")
        else:
            click.echo(f"{margin}{sign} {member}")


def _print_actions(made: Sequence[Any]) -> None:
    if made:
        click.echo("What became of it:")
    for row in made:
        number = f" {row.remote_id}" if row.remote_id and row.opens_case else ""
        why = f": {cell(row.error)}" if row.error else ""
        what = f"{row.kind}{number} in {row.sink}{', amended' if row.amends else ''}"
        click.echo(f"  {what}, by {row.rule_id}: {row.state}{why}")
