"""`connector poll`: one source, now."""

from __future__ import annotations

import functools

import click

from connector.cli.common import (
    as_json,
    check_known,
    counted,
    print_json,
    utc_now,
    workspace,
)

_BATCH = 200


@click.command()
@click.argument("source")
@as_json
@click.pass_context
def poll(ctx: click.Context, source: str, as_json: bool) -> int:
    """Read everything that is new from SOURCE and decide it. Delivery is left to `run`."""
    from connector import deciding, intake
    from connector.ports import Pollable

    with workspace(ctx) as opened:
        check_known("source", source, opened.settings.sources)
        adapter = opened.new_source(source)
        if not isinstance(adapter, Pollable):
            raise click.ClickException(
                f"source '{source}' has no API to read; its answers come by webhook or file"
            )
        polled = intake.poll(opened, source, adapter, utc_now())
        changes: dict[str, int] = {}
        decide = functools.partial(deciding.decide_in, limit=_BATCH, source=source)
        while decided := opened.store.write(lambda c: decide(c, opened, utc_now()).changes):
            for change, count in decided.items():
                changes[change] = changes.get(change, 0) + count
    if as_json:
        print_json({**polled._asdict(), "changes": changes})
        return 1 if polled.error else 0
    if polled.pages or not polled.error:
        what = ", ".join(f"{count} {change}" for change, count in changes.items()) or "nothing new"
        records = counted(polled.new, "new record")
        click.echo(f"{counted(polled.pages, 'page')}, {records}: {what}.")
    if polled.error:
        click.echo(f"Error: {polled.error}", err=True)
    return 1 if polled.error else 0
