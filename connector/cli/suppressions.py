"""`connector suppressions`: to whom no mail goes. Only hashes of addresses are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli.common import as_json, confirm, looking, print_json, row_dict, utc_now
from connector.cli.tables import cell, print_table
from connector.text import clean_email, hashed

if TYPE_CHECKING:
    from sqlalchemy import Connection

SHORT_HASH = 12
_THEMSELVES = ("unsubscribed", "complained")


@click.group()
def suppressions() -> None:
    """List, add and remove addresses that get no mail.

    An address goes on the list by itself when its owner unsubscribes or complains, or when mail to
    it cannot arrive. It holds for every mail sink.
    """


@suppressions.command("list")
@click.option("--address", help="Only this one: is it on the list?")
@click.option("--removed", is_flag=True, help="Also those that were taken off.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@click.pass_context
def list_(ctx: click.Context, address: str | None, removed: bool, limit: int, as_json: bool) -> int:
    """The newest first, by the hash of the address. Exit code 1: the asked address is not there."""
    from connector.store import suppressions as store

    digest = _digest(address) if address is not None else None
    with looking(ctx) as here, here.store.read() as connection:
        rows = store.listed(connection, digest, limit, removed)
    if as_json:
        print_json([row_dict(row) for row in rows])
    elif not rows:
        click.echo("It is not on the list." if digest else "The list is empty.")
    else:
        columns = ("address (hash)", "reason", "since (UTC)")
        print_table(columns, [(row.address_hash[:SHORT_HASH], row.reason, row.at) for row in rows])
    return 0 if rows or digest is None else 1


@suppressions.command()
@click.argument("address")
@click.pass_context
def add(ctx: click.Context, address: str) -> int:
    """No mail goes to ADDRESS any more, from any mail sink; what waits is withheld."""
    from connector.store import suppressions as store

    digest = _digest(address)
    with looking(ctx) as here:
        new = here.store.write(lambda c: store.suppress(c, digest, "by hand", utc_now()))
    click.echo("Added: it gets no mail." if new else "It was on the list already.")
    return 0


@suppressions.command()
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def remove(ctx: click.Context, address: str, yes: bool) -> int:
    """Mail may go to ADDRESS again; that it was on the list, and until when, is kept.

    What was withheld meanwhile is not sent. Exit code 1: it was not on the list.
    """
    from connector.store import suppressions as store

    digest = _digest(address)
    with looking(ctx) as here:
        with here.store.read() as connection:
            why = store.why_suppressed(connection, digest)
        if why in _THEMSELVES and not yes:
            click.echo(f"The person {why}: only they can want mail again.", err=True)
            confirm("Take the address off the list?", "Nothing was changed.")

        def work(connection: Connection) -> str:
            return store.let_back_in(connection, digest, utc_now())

        was = here.store.write(work)
    if not was:
        click.echo("It was not on the list.")
        return 1
    click.echo(f"Removed: mail may go there again. It had been there because: {cell(was)}.")
    return 0


def _digest(address: str) -> str:
    cleaned = clean_email(address)
    if cleaned is None:
        raise click.ClickException("this is no e-mail address")
    return hashed("address", cleaned)
