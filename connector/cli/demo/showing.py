"""What the demo prints for people: a line for each event, then a table, then the sums."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import cell, print_wide

if TYPE_CHECKING:
    from connector.cli.demo.counting import Result
    from connector.cli.demo.watching import Say

_COLOURS = {
    "received": "cyan",
    "decided": "blue",
    "made": "green",
    "parked": "red",
    "again": "yellow",
    "withheld": "yellow",
    "refused": "magenta",
}


def speaker() -> Say:
    """Prints each event with the seconds since now."""
    began = time.monotonic()

    def say(kind: str, line: str) -> None:
        seconds = click.style(f"{time.monotonic() - began:6.2f} s", dim=True)
        click.echo(f"{seconds}  {click.style(f'{kind:<9}', fg=_COLOURS.get(kind))} {line}")

    return say


def silent(_kind: str, _line: str) -> None:
    """Says nothing."""


def show(found: Result, differences: list[str]) -> None:
    """The table of live answers, the old ones as sums, and both counts."""
    click.echo()
    _table([item for item in found["items"] if not item["history"]])
    _old([item for item in found["items"] if item["history"]])
    segments = ", ".join(f"{count} {name}" for name, count in found["segments"].items())
    click.echo(f"\n{found['responses']} responses: {segments}.")
    _counts(found, differences)
    click.echo(
        f"{found['rejected']} refused by the far side, {found['amended']} amended, "
        f"{found['duplicates']} came again, {found['quarantined']} unreadable and kept, "
        f"{found['refused_webhooks']} webhooks turned away."
    )


def _table(items: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=True, header_style="bold")
    for name in ("response, source", "score", "rules that fired", "what was made"):
        table.add_column(name, overflow="fold", no_wrap=name != "what was made")
    for item in items:
        made = "\n".join(_effect(effect) for effect in item["effects"]) or "nothing"
        rules = "\n".join(item["rules"]) or "default"
        score = f"{cell(item['score'])}\n{item['segment'] or 'no segment'}"
        answer = f"{item['id']}\n{item['source']}"
        table.add_row(*(Text(one) for one in (answer, score, rules, made)))
    print_wide(table)


def _effect(effect: dict[str, Any]) -> str:
    if effect["state"] == "done":
        number = f" {effect['remote_id']}" if effect["remote_id"] else ""
        link = f"\n{effect['url']}" if effect["url"] else ""
        return f"{effect['kind']}{number} in {effect['sink']}{link}"
    return f"{effect['kind']} {effect['state']}: {cell(effect['note'])}"


def _old(items: list[dict[str, Any]]) -> None:
    for source in sorted({item["source"] for item in items}):
        count = sum(item["source"] == source for item in items)
        click.echo(f"{count} old answers of {source}: history, they make nothing happen.")


def _counts(found: Result, differences: list[str]) -> None:
    for kind, count in found["effects"].items():
        click.echo(f"  {count:>3}  {kind}")
    if differences:
        click.echo("The two counts differ:", err=True)
        for line in differences:
            click.echo(f"  {line}", err=True)
    else:
        click.echo("That many the stand-ins counted, and as many our store says it made.")
