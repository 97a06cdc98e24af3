"""`connector alarms`: what needs a person, and saying that it was looked after."""

from __future__ import annotations

import getpass

import click

from connector.cli.common import as_json, counted, looking, print_json, row_dict, utc_now
from connector.cli.tables import print_table
from connector.text import one_line


@click.group()
def alarms() -> None:
    """List alarms, and end those that nothing else ends."""


@alarms.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@click.pass_context
def list_(ctx: click.Context, everything: bool, limit: int, as_json: bool) -> int:
    """The newest last."""
    from connector.store import alarms as stored

    with looking(ctx) as here, here.store.read() as connection:
        rows = stored.list_alarms(connection, everything, limit)
    if as_json:
        print_json([row_dict(row) for row in rows])
    elif rows:
        columns = ("alarm", "kind", "about", "since", "last", "times", "over", "message")
        print_table(
            columns,
            [
                (r.id, r.kind, r.subject, r.raised_at, r.last_at, r.count, r.cleared_at, r.message)
                for r in rows
            ],
        )
    else:
        click.echo("There are no alarms." if everything else "No alarm is open.")
    return 0


@alarms.command()
@click.argument("ids", type=int, nargs=-1, required=True)
@click.option("--note", default="", help="What was done; it is kept.")
@click.option("--by", help="Who did it; by default you.")
@click.pass_context
def end(ctx: click.Context, ids: tuple[int, ...], note: str, by: str | None) -> int:
    """Say that somebody has looked after these. Most alarms end by themselves once their cause is
    gone; one whose cause is still there comes again."""
    from connector.store import alarms as stored

    who = one_line(by or getpass.getuser(), 60)
    said = one_line(f"ended by {who}{': ' if note else ''}{note}", 300)
    with looking(ctx) as here:
        ended = here.store.write(lambda c: stored.end(c, ids, said, utc_now()))
    if missing := [str(id) for id in ids if id not in ended]:
        click.echo(f"not open: {', '.join(missing)}; see: connector alarms list", err=True)
    click.echo(f"{counted(len(ended), 'alarm')} ended.")
    return 4 if missing and ended else 1 if missing else 0
