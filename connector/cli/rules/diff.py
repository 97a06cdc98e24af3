"""`connector rules diff`: what differs between two rulesets, in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from connector.cli.common import as_json, counted, print_json
from connector.cli.rules.named import SHORT_HASH, named_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.rules.compare import Change


@click.command()
@click.argument("a", metavar="FILE|HASH|active")
@click.argument("b", metavar="FILE|HASH|active")
@as_json
@click.pass_context
def diff(ctx: click.Context, a: str, b: str, as_json: bool) -> int:
    """Say what changes from the first ruleset to the second: rules, conditions, actions, templates.

    `connector rules diff active rules.yaml` is what would change if the file became active.
    """
    from connector.rules.compare import compare

    (_, before), (_, after) = named_rules(ctx, a), named_rules(ctx, b)
    changes = compare(before.text, after.text)
    if as_json:
        print_json([change.model_dump() for change in changes])
    else:
        same = before.text.hash == after.text.hash
        print_changes(changes, same, f"{before.text.hash[:SHORT_HASH]}")
    return 0


def print_changes(changes: Sequence[Change], same: bool, hash: str) -> None:
    if same:
        click.echo(f"Both are ruleset {hash}.")
    elif not changes:
        click.echo("They differ in comments and spelling only; both decide the same.")
    for change in changes:
        click.echo(f"{change.what:<8} {change.of}")
        for line in change.lines:
            click.echo(f"           {line}")
    if changes:
        click.echo(f"{_summary(changes)}.")


def _summary(changes: Sequence[Change]) -> str:
    rules = Counter(change.what for change in changes if change.of.startswith("rule "))
    told = [f"{counted(count, 'rule')} {what}" for what, count in rules.items()]
    others = len(changes) - sum(rules.values())
    return ", ".join([*told, *([counted(others, "other change")] if others else [])])
