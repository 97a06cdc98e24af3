"""`connector customers import FILE.csv`."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli.common import as_json, counted, print_json, refused_file, utc_now, workspace
from connector.cli.importing import print_refused


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
    the value. Rows that cannot be read are listed; the others go through (exit code 4). A file that
    cannot be read at all changes nothing (exit code 3).
    """
    from connector.customers import import_customers

    data = file.read_bytes()
    with workspace(ctx, secrets=False) as opened:
        declared = opened.settings.customer_attributes
        with refused_file(file):
            done = import_customers(opened.store, data, declared, utc_now())
    if as_json:
        print_json({"customers": done.customers, "refused": done.refused})
    else:
        refused = counted(len(done.refused), "row")
        click.echo(f"{counted(done.customers, 'customer')} set, {refused} refused.")
        print_refused(done.refused)
    return 4 if done.refused else 0
