"""`connector rules history`: which ruleset decided since when, and who made it active."""

from __future__ import annotations

import click

from connector.cli.common import as_json, existing_store, load_settings, print_json, row_dict
from connector.cli.rules.named import SHORT_HASH
from connector.cli.tables import print_table


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1))
@as_json
@click.pass_context
def history(ctx: click.Context, limit: int, as_json: bool) -> int:
    """List the rulesets that became active, the newest first; that one decides.

    "decisions" is what the ruleset has decided in all the times that it was active. Back to an
    older one: connector rules activate HASH.
    """
    from connector.errors import Invalid
    from connector.rules.files import read_directory
    from connector.store import activations

    settings = load_settings(ctx, secrets=False)
    with existing_store(settings.store) as store, store.read() as connection:
        rows = activations.newest(connection, limit)
    if as_json:
        print_json([row_dict(row) for row in rows])
        return 0
    if not rows:
        click.echo("No ruleset was ever active; `connector run` makes the first one so.")
        return 0
    columns = ("ruleset", "active since (UTC)", "by", "decisions", "note")
    print_table(columns, [(r.hash[:SHORT_HASH], r.at, r.by, r.decisions, r.note) for r in rows])
    try:
        files = read_directory(settings.rules, settings.templates).hash
    except Invalid:
        files = ""
    if files != rows[0].hash:
        click.echo(
            f"The files hold other rules than the active ones: "
            f"connector rules diff active {settings.rules.name}"
        )
    return 0
