"""`connector poll`: one source, now."""

from __future__ import annotations

import click

from connector.cli.common import as_json, print_json, utc_now, workspace


@click.command()
@click.argument("source")
@as_json
@click.pass_context
def poll(ctx: click.Context, source: str, as_json: bool) -> int:
    """Read everything that is new from SOURCE and decide it. Delivery is left to `run`."""
    from connector import deciding, intake

    with workspace(ctx) as opened:
        if source not in opened.settings.sources:
            known = ", ".join(opened.settings.sources)
            raise click.ClickException(f"there is no source '{source}'; there are: {known}")
        polled = intake.poll(opened, source, opened.new_source(source), utc_now())
        changes: dict[str, int] = {}
        while (decided := deciding.decide_batch(opened, utc_now())).records:
            for change, count in decided.changes.items():
                changes[change] = changes.get(change, 0) + count
    if as_json:
        print_json({**polled._asdict(), "changes": changes})
    else:
        what = ", ".join(f"{count} {change}" for change, count in changes.items()) or "nothing new"
        click.echo(f"{polled.pages} pages, {polled.new} new records: {what}.")
        if polled.error:
            click.echo(f"Stopped: {polled.error}", err=True)
    return 1 if polled.error else 0
