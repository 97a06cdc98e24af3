"""`connector tokens`: what programs read the API with."""

from __future__ import annotations

import getpass

import click

from connector.cli.common import as_json, looking, print_json, row_dict, utc_now
from connector.cli.tables import print_table


@click.group()
def tokens() -> None:
    """Let programs read the API; each with a token of its own."""


@tokens.command()
@click.argument("name")
@click.pass_context
def add(ctx: click.Context, name: str) -> None:
    """Make a token for the program NAME, which may read. It is printed once: we keep its hash."""
    from connector.access import people

    with looking(ctx) as here:
        token = people.add_token(here.store, name, getpass.getuser(), utc_now())
    click.echo(token)
    click.echo("Keep it: it is not shown again. Send it as: Authorization: Bearer …", err=True)


@tokens.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Which there are, and when each was last used."""
    from connector.store import tokens as stored

    with looking(ctx) as here, here.store.read() as connection:
        rows = stored.list_tokens(connection)
    if as_json:
        print_json([row_dict(row) for row in rows])
    elif rows:
        columns = ("token", "name", "made (UTC)", "last used (UTC)", "revoked (UTC)")
        told = [(r.id, r.name, r.created_at, r.used_at, r.revoked_at) for r in rows]
        print_table(columns, told)
    else:
        click.echo("There is no token yet; make one with: connector tokens add NAME")


@tokens.command()
@click.argument("token", type=int)
@click.pass_context
def revoke(ctx: click.Context, token: int) -> None:
    """End TOKEN (its number in the list) at once."""
    from connector.access import people

    with looking(ctx) as here:
        name = people.revoke_token(here.store, token, getpass.getuser(), utc_now())
    click.echo(f"The token of {name} is not valid any more.")
