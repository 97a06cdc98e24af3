"""`connector erase`: forget a person or one response."""

from __future__ import annotations

import click

from connector.cli.common import as_json, print_json, utc_now, workspace


@click.command()
@click.option("--email", help="Everything about the person with this address.")
@click.option("--response", "response", help="One response, by its id.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_context
def erase(
    ctx: click.Context, email: str | None, response: str | None, yes: bool, as_json: bool
) -> int:
    """Empty answers, facts and frozen requests; scores, keys and receipts stay.

    A hash stays too, so that the next poll does not bring the answer back. What has to be deleted
    at the vendors is listed: that is for a person to do.
    """
    from connector import erasure

    if (email is None) == (response is None):
        raise click.UsageError("give either --email or --response")
    if not yes:
        click.confirm("This cannot be undone. Erase?", abort=True, err=True)
    with workspace(ctx, secrets=False) as opened:
        if email is not None:
            try:
                done = erasure.erase_email(opened.store, email, utc_now())
            except ValueError as error:
                raise click.ClickException(str(error)) from error
        else:
            found = erasure.erase_response(opened.store, str(response), utc_now())
            if found is None:
                raise click.ClickException(f"there is no response '{response}'")
            done = found
    if as_json:
        vendors = [place._asdict() for place in done.at_vendors]
        print_json({"responses": done.responses, "unread": done.unread, "at_vendors": vendors})
        return 0
    click.echo(f"{done.responses} responses and {done.unread} unread records erased.")
    if done.at_vendors:
        click.echo("Delete these at the vendors:")
        for place in done.at_vendors:
            click.echo(f"  {place.kind} in {place.sink}: {place.remote_id} {place.url}")
    return 0
