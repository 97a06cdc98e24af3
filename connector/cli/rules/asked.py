"""What the rules ask for about one answer, and whom it is for; for `connector rules explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli.tables import cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connector.domain import Facts
    from connector.rules.model import Ruleset


def asks_of(ruleset: Ruleset, facts: Facts) -> list[dict[str, str]]:
    """What would be asked for, before anyone looks whether it is there already."""
    from connector.rules.decide import decide

    return [
        {
            "rule": one.rule_id,
            "kind": one.kind,
            "sink": one.sink,
            "problem": one.problem,
            "refused": one.refused,
        }
        for one in decide(ruleset, facts).intents
    ]


def owner_of(ruleset: Ruleset | None, facts: Facts) -> str | None:
    """Who it is for, and which line of routing says so."""
    from connector.rules.explain import assigned

    found = assigned(ruleset, facts) if ruleset is not None else None
    return str(found) if found else None


def print_owner(owner: str | None) -> None:
    if owner:
        click.echo(f"owner {cell(owner)}")


def print_asks(asks: Sequence[Mapping[str, str]]) -> None:
    click.echo("It asks for:" if asks else "It asks for nothing.")
    for one in asks:
        told = "; ".join(filter(None, (one["refused"], one["problem"])))
        why = f": {cell(told)}" if told else ""
        click.echo(f"  {one['kind']} in {one['sink']}, by {one['rule']}{why}")
