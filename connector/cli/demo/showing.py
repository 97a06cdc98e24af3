"""What the demo prints for people: a line for each event, then a table, then the sums."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import SHORT_ID, counted
from connector.cli.tables import cell, width

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_NUMBERED = (".ticket", ".task", ".note")  # what people look up by its number


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
    if found["lived"]:
        click.echo(f"{found['lived']} more in the three months before, which these sums hold too:")
    _counts(found, differences)
    click.echo(
        f"{found['rejected']} refused by the far side, {found['amended']} amended, "
        f"{found['duplicates']} came again, {found['quarantined']} unreadable and kept, "
        f"{counted(found['refused_webhooks'], 'webhook')} turned away."
    )


def _table(items: list[dict[str, Any]]) -> None:
    """A line for each answer; below it what was made, each link on a line of its own."""
    room = max((width(item["source"]) for item in items), default=0)
    for item in items:
        score, segment = cell(item["score"]), item["segment"] or "no segment"
        head = f"{item['id'][:SHORT_ID]}  {item['source']:<{room}}  {score:>2}  {segment:<10}"
        click.echo(f"{head}  {', '.join(item['rules']) or 'no rule: default'}")
        for line in _effects(item["effects"]):
            click.echo(f"    {line}")


def _effects(effects: list[dict[str, Any]]) -> Iterator[str]:
    if not effects:
        yield "nothing was made"
    for effect in effects:
        what = f"{effect['kind']} in {effect['sink']}"
        if effect["state"] != "done":
            yield f"{what} {effect['state']}: {cell(effect['note'])}"
            continue
        number = effect["remote_id"] if effect["kind"].endswith(_NUMBERED) else ""
        yield f"{effect['kind']} {number} in {effect['sink']}" if number else what
        if effect["url"]:
            yield f"  {effect['url']}"


def _old(items: list[dict[str, Any]]) -> None:
    for source in sorted({item["source"] for item in items}):
        count = sum(item["source"] == source for item in items)
        answers = counted(count, "old answer")
        click.echo(f"{answers} of {source}: history, nothing is made of it.")


def _counts(found: Result, differences: list[str]) -> None:
    for kind, count in found["effects"].items():
        click.echo(f"  {count:>3}  {kind}")
    if differences:
        click.echo("The two counts differ:", err=True)
        for line in differences:
            click.echo(f"  {line}", err=True)
    else:
        click.echo("That many the stand-ins counted, and as many our store says it made.")
