"""`connector erase`: forget a person or one response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli.common import (
    as_json,
    confirm,
    counted,
    find_response,
    looking,
    print_json,
    utc_now,
)
from connector.cli.tables import cell
from connector.text import clean_email

if TYPE_CHECKING:
    from connector.erasure import Erased
    from connector.store import Store

_UNKNOWN = "nothing is known about this address"


@click.command()
@click.option("--email", help="Everything about the person with this address.")
@click.option("--response", "response", help="One response, by its id or the beginning of it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_context
def erase(
    ctx: click.Context, email: str | None, response: str | None, yes: bool, as_json: bool
) -> int:
    """Empty answers, facts and frozen requests; scores, keys and receipts stay.

    A hash stays too, so that the next poll does not bring the answer back. What has to be deleted
    at the vendors is listed: that is for a person to do. Of an address that nobody knows only the
    hash is kept, and only with --yes (exit code 1).
    """
    if (email is None) == (response is None):
        raise click.UsageError("give either --email or --response")
    with looking(ctx) as here:
        if email is not None:
            done, known = _person(here.store, email, yes)
        else:
            done, known = _response(here.store, str(response), yes), True
    vendors = list(dict.fromkeys(done.at_vendors))  # a case and the notes on it are one thing there
    if as_json:
        places = [place._asdict() for place in vendors]
        print_json({"responses": done.responses, "unread": done.unread, "at_vendors": places})
        return 0 if known else 1
    if not known:
        click.echo(f"{_UNKNOWN.capitalize()}; its old answers will be refused from now on.")
        return 1
    click.echo(f"Erased: {_amount(done.responses, done.unread)}.")
    if vendors:
        click.echo("Delete these at the vendors:")
        for place in vendors:
            click.echo(f"  {place.kind} in {place.sink}: {place.remote_id} {place.url}".rstrip())
    return 0


def _person(store: Store, email: str, yes: bool) -> tuple[Erased, bool]:
    """What was erased, and whether anything was known."""
    from connector import erasure
    from connector.store import browsing

    address = clean_email(email)
    if address is None:
        raise click.ClickException("this is no e-mail address; nothing was erased")
    with store.read() as connection:
        theirs = browsing.list_responses(connection, email=address, limit=None)
        unread = browsing.unread_holding(connection, address)
        known = browsing.is_customer(connection, address) or bool(unread)
    if not known and not yes:
        raise click.ClickException(
            f"{_UNKNOWN}; nothing was erased. With --yes its old answers are refused in later "
            "polls and imports"
        )
    if not yes:
        names = {row.content.get("respondent", {}).get("name") for row in theirs} - {None}
        who = f"{address} ({', '.join(sorted(names))})" if names else address
        _ask(f"{who}: {_amount(len(theirs), unread)}, and what is known of the person.")
    return erasure.erase_email(store, email, utc_now()), known


def _response(store: Store, response: str, yes: bool) -> Erased:
    from connector import erasure
    from connector.store import browsing

    with store.read() as connection:
        row = browsing.show_response(connection, find_response(connection, response))
    if row.erased_at is not None:
        raise click.ClickException(f"{row.id} was erased already, at {cell(row.erased_at)} UTC")
    if not yes:
        person = row.content.get("respondent", {})
        who = person.get("name") or person.get("email") or "somebody unknown"
        _ask(f"{row.id}: score {cell(row.score)} from {cell(who)}, {cell(row.answered_at)} UTC.")
    found = erasure.erase_response(store, row.id, utc_now())
    if found is None:
        raise click.ClickException(f"there is no response '{row.id}'")
    return found


def _ask(what: str) -> None:
    click.echo(what, err=True)
    confirm("This cannot be undone. Erase?", "Nothing was erased.")


def _amount(responses: int, unread: int) -> str:
    return f"{counted(responses, 'response')} and {counted(unread, 'unread record')}"
