"""`connector customers import FILE.csv`."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli.common import as_json, print_json, utc_now, workspace


@click.group()
def customers() -> None:
    """What rules may know about a customer besides the answer."""


@customers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@click.pass_context
def import_(ctx: click.Context, file: Path, as_json: bool) -> int:
    """Set plan, value, owner, company, language … by e-mail, phone or external_id.

    The first row names the columns. Columns that are absent change nothing; an empty cell removes
    the value. Rows that cannot be read are listed; the others go through (exit code 4).
    """
    from connector.customers import import_customers

    with workspace(ctx, secrets=False) as opened:
        declared = opened.settings.customer_attributes
        done = import_customers(opened.store, file.read_bytes(), declared, utc_now())
    if as_json:
        print_json({"customers": done.customers, "refused": done.refused})
    else:
        click.echo(f"{done.customers} customers set, {len(done.refused)} rows refused.")
        for line, reason in done.refused:
            click.echo(f"line {line}: {reason}", err=True)
    return 4 if done.refused else 0
