"""What rules ask for about one answer: for whom, when it is due and goes out, what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from connector.cli.tables import cell

if TYPE_CHECKING:
    from connector.domain import Facts, Intent
    from connector.rules.model import Ruleset


def asked_for(ruleset: Ruleset, facts: Facts, at: datetime) -> list[dict[str, Any]]:
    """What would be asked for, before anyone looks whether it is there already; decided `at`."""
    from connector.rules.decide import decide

    return [
        {
            "rule": one.rule_id,
            "kind": one.kind,
            "sink": one.sink,
            "problem": one.problem,
            "refused": one.refused,
            **_times(ruleset, facts, one, at),
        }
        for one in decide(ruleset, facts).intents
    ]


def _times(ruleset: Ruleset, facts: Facts, one: Intent, at: datetime) -> dict[str, Any]:
    from connector.rules.timing import said

    times, survey = ruleset.timetable, facts.survey
    found: dict[str, Any] = {"due_at": None, "due": "", "sends_at": None, "sends": ""}
    if one.respond_within:
        due = times.due_at(one.hours, survey, at, one.respond_within)
        found |= {"due_at": due, "due": said(due, times.zone(one.hours, survey), one.hours)}
    if one.send_hours or one.digest:
        sends = times.sends_at(one.send_hours, one.digest, survey, at + one.settle)
        zone = times.zone(one.send_hours, survey)
        found |= {"sends_at": sends, "sends": said(sends, zone, one.send_hours)}
    return found


def print_asks(asks: Sequence[Mapping[str, Any]]) -> None:
    click.echo("It asks for:" if asks else "It asks for nothing.")
    for one in asks:
        due = f", due {one['due']}" if one["due"] else ""
        sends = f", sent {one['sends']}" if one["sends"] else ""
        told = "; ".join(filter(None, (one["refused"], one["problem"])))
        why = f": {cell(told)}" if told else ""
        click.echo(f"  {one['kind']} in {one['sink']}, by {one['rule']}{due}{sends}{why}")


def owner_of(ruleset: Ruleset | None, facts: Facts) -> str | None:
    """Who it is for, and which line of routing says so."""
    from connector.rules.explain import assigned

    found = assigned(ruleset, facts) if ruleset is not None else None
    return str(found) if found else None


def print_owner(owner: str | None) -> None:
    if owner:
        click.echo(f"owner {cell(owner)}")


def print_made(made: Sequence[Any]) -> None:
    """Rows of `browsing.list_actions`."""
    if made:
        click.echo("What became of it:")
    for row in made:
        number = f" {row.remote_id}" if row.remote_id and row.opens_case else ""
        due = f", due {row.respond_by:%a %d %b %H:%M} UTC" if row.respond_by else ""
        what = f"{row.kind}{number} in {row.sink}{', amended' if row.amends else ''}"
        why = f": {cell(note_of(row))}" if note_of(row) else ""
        click.echo(f"  {what}, by {row.rule_id}: {row.state}{due}{why}")


def note_of(row: Any) -> str:
    """Why an action is as it is; of one that a digest tells, how that one stands."""
    if row.grouped_in is not None:
        why = f", {row.digest_error}" if row.digest_error else ""
        return f"in action {row.grouped_in}, which is {row.digest_state}{why}"
    return str(row.error or "")
