"""`make bench ARGS="--json --only receive --quick"`."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import click

from benchmarks import (
    deciding,
    draining,
    flowing,
    machine,
    pages,
    receiving,
    report,
    scale,
    servers,
    sinks,
    vendors,
)
from benchmarks.installation import World
from benchmarks.report import Figure, Row
from benchmarks.rules.loading import load
from benchmarks.rules.matching import rules
from benchmarks.rules.replaying import replay
from benchmarks.scale import Scale

Benchmark = Callable[[World, Scale], Iterator[Figure]]

BENCHMARKS: dict[str, Benchmark] = {
    "receive": receiving.receive,
    "decide": deciding.decide,
    "sustained": flowing.sustained,
    "reaction": flowing.reaction,
    "drain": draining.drain,
    "slow-calls": draining.slow_calls,
    "workers": draining.workers,
    "calls": vendors.calls,
    "growth": receiving.growth,
    "memory": vendors.memory,
    "rules": rules,
    "load": load,
    "replay": replay,
    "pages": pages.pages,
}
BY_HAND = ("pages",)  # only with --only: filling two stores takes longer than all the others


@click.command()
@click.option("--only", type=click.Choice(list(BENCHMARKS)), multiple=True, help="Not all of them.")
@click.option("--quick", "size", flag_value="quick", help="Seconds each; numbers are rough.")
@click.option("--full", "size", flag_value="full", help="30 s of load for each measurement.")
@click.option("--stored", type=int, help="Answers in the full store of `growth`.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and the table to stderr.")
@click.option("--markdown", is_flag=True, help="Print the table of docs/performance.md.")
def main(
    only: tuple[str, ...], size: str | None, stored: int | None, as_json: bool, markdown: bool
) -> None:
    """Measure, and say what falls short. The exit code is 1 where something does."""
    # As after Ctrl-C: servers and folders are taken away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sinks.register()
    chosen = {"quick": scale.QUICK, "full": scale.FULL}.get(size or "", scale.DEFAULT)
    if stored:
        chosen = replace(chosen, stored=stored)
    about = machine.describe()
    aside = as_json or markdown
    for name, value in about.items():
        click.echo(f"{name:<10} {value}", err=aside)
    rows: list[Row] = []
    world = World()
    try:
        for name in only or [name for name in BENCHMARKS if name not in BY_HAND]:
            try:
                rows.append(_measure(name, world, chosen))
            except servers.Missing as missing:
                click.echo(f"\n{name}: left out: {missing}", err=True)
                continue
            click.echo("\n" + "\n".join(report.lines(rows[-1])), err=aside)
    finally:
        world.end()
    if as_json:
        click.echo(json.dumps(report.as_json(about, rows), indent=2, ensure_ascii=False))
    if markdown:
        click.echo(report.markdown(about, rows))
    short = any(figure.is_reached is False for row in rows for figure in row.figures)
    sys.exit(1 if short else 0)


def _measure(name: str, world: World, chosen: Scale) -> Row:
    began = time.monotonic()
    figures = tuple(BENCHMARKS[name](world, chosen))
    return Row(name, figures, time.monotonic() - began)


if __name__ == "__main__":
    main()
