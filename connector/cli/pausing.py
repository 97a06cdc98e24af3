"""`connector actions pause|resume`: nothing is sent to an account until a person says so."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from connector.cli.common import check_known, existing_store, load_settings, utc_now

if TYPE_CHECKING:
    from connector.store import Store


@click.command()
@click.argument("sink")
@click.option("--note", default="", help="Why; it is shown until it is resumed.")
@click.option("--by", help="Who says so; by default you.")
@click.pass_context
def pause(ctx: click.Context, sink: str, note: str, by: str | None) -> None:
    """Send nothing to the account of SINK until `resume`: no success and no retry ends this pause.

    Sinks that share the account wait too. What is being sent at the moment is finished.
    """
    from connector import intervening

    who = by or getpass.getuser()
    with _account(ctx, sink) as (store, account):
        store.write(lambda c: intervening.pause(c, account, who, note, utc_now()))
    click.echo(f"{account} is paused until: connector actions resume {sink}")


@click.command()
@click.argument("sink")
@click.option("--by", help="Who says so; by default you.")
@click.pass_context
def resume(ctx: click.Context, sink: str, by: str | None) -> None:
    """End a pause of the account of SINK, whoever or whatever has paused it."""
    from connector import intervening

    who = by or getpass.getuser()
    with _account(ctx, sink) as (store, account):
        resumed = store.write(lambda c: intervening.resume(c, account, who, utc_now()))
    click.echo(f"{account} goes on." if resumed else f"{account} was not paused.")


@contextmanager
def _account(ctx: click.Context, sink: str) -> Iterator[tuple[Store, str]]:
    """The store, and what the vendor of this sink limits."""
    from connector.workspace import Workspace

    settings = load_settings(ctx, secrets=False)
    check_known("sink", sink, settings.sinks)
    with existing_store(settings.store) as store:
        yield store, Workspace(settings, store).accounts[sink]
