"""`connector bounces`: one mail that came back, as a mail server hands it over."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import existing_store, load_settings, utc_now

if TYPE_CHECKING:
    from connector.config import Settings

MOST_BYTES = 10 * 1024 * 1024
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: Postfix, Exim and procmail keep the mail


@click.command()
@click.option("--recipient", default="", help="To whom it was delivered, as the server knows it.")
@click.pass_context
def bounces(ctx: click.Context, recipient: str) -> int:
    """Read one message from standard input.

    Where it proves that a mail of ours cannot arrive, or was complained about, its address goes on
    the suppression list. Everything else changes nothing. Exit code 75: it could not be looked at
    now, and the mail server shall try again.
    """
    from connector.errors import ConnectorError
    from connector.store.database import StoreDown

    raw = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        click.echo("Nothing: it is larger than 10 MB.")
        return 0
    try:
        settings = load_settings(ctx, secrets=False)
        _check_secrets(settings)
        came = _taken(settings, raw, recipient)
    except (ConnectorError, StoreDown, click.ClickException, OSError) as error:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        click.echo(f"Error: {text}", err=True)
        return TRY_AGAIN
    click.echo(f"{came.outcome.capitalize()}: {came.sentence}.")
    return 0


def _taken(settings: Settings, raw: bytes, recipient: str) -> Any:
    from connector import bouncing

    with existing_store(settings.store) as store:
        return bouncing.take(store, settings.sinks, raw, recipient, utc_now())


def _check_secrets(settings: Settings) -> None:
    """A mail server's pipe has an environment of its own, in which a secret is easily missing."""
    from connector.config import is_unset

    reading = {
        id: sink for id, sink in settings.sinks.items() if getattr(sink, "bounce_address", "")
    }
    if not reading:
        raise click.ClickException("no mail sink has a bounce_address; see docs/sinks/email.md")
    for id, sink in reading.items():
        if is_unset(sink.bounce_secret):
            raise click.ClickException(
                f"sinks.{id}.bounce_secret is not set here; put it into the .env beside "
                "connector.yaml"
            )
