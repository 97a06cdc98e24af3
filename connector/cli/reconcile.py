"""`connector reconcile`: compare what we believe with what a far side holds."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from connector.cli.common import (
    SHORT_ID,
    as_json,
    check_known,
    counted,
    existing_store,
    load_settings,
    print_json,
    utc_now,
)
from connector.cli.moments import MOMENT
from connector.cli.tables import cell

if TYPE_CHECKING:
    from datetime import datetime

    from connector.reconciling import Compared

_STEP = 100  # records between two words of progress
NEXT_STEPS = {
    "missing": "decide whether the customer still needs it, and open it there by hand",
    "doubled": "merge or close the newer one there",
    "unrecorded": "connector actions resolve ACTION --there --remote-id ID",
    "stranger": "another installation uses this account, or a restored backup forgot it: "
    "connector recover",
}


@click.command()
@click.argument("sink")
@click.option(
    "--since",
    type=MOMENT,
    metavar="TIME",
    required=True,
    help="2026-11-24, 2026-11-24T03:00 (UTC), or 7d (ago).",
)
@as_json
@click.pass_context
def reconcile(ctx: click.Context, sink: str, since: datetime, as_json: bool) -> int:
    """Cases of SINK that are missing there, doubled, unrecorded here, or strangers. Reads only.

    Exit code 1 where something is off. Mail and chat cannot be listed: exit code 2.
    """
    from connector import catalog, reconciling
    from connector.http import Session
    from connector.ports import Listing

    settings = load_settings(ctx)
    check_known("sink", sink, settings.sinks)
    chosen = settings.sinks[sink]
    adapter = catalog.sink_type(chosen.type)(chosen, Session(chosen.base_url))
    if not isinstance(adapter, Listing) or adapter.unmarked:
        raise click.UsageError(_cannot(sink, getattr(adapter, "unmarked", "")))
    with existing_store(settings.store) as store:
        found = reconciling.compare(store, sink, adapter, since, utc_now(), _progress)
    _end_progress()
    if as_json:
        print_json({"sink": sink, "since": since, "gaps": adapter.listing_gaps, **asdict(found)})
    else:
        _show(sink, since, found)
        click.echo(f"It cannot see: {adapter.listing_gaps}.")
    return 1 if found.differences else 0


def _cannot(sink: str, why: str) -> str:
    reason = why or "nobody can be asked which messages arrived"
    return (
        f"'{sink}' cannot be listed: {reason}. What may or may not have arrived is in doubt: "
        f"connector actions list --sink {sink} --state in_doubt. Compare it with the mail server's "
        "log or with the channel, then: connector actions resolve ACTION --there or --not-needed"
    )


def _show(sink: str, since: datetime, found: Compared) -> None:
    click.echo(
        f"{sink} since {cell(since)} UTC: {counted(found.ours, 'case')} here, {found.theirs} there."
    )
    if found.unjudged:
        why = "too fresh, forgotten, or the look-up failed"
        click.echo(f"{counted(found.unjudged, 'case')} of ours not judged: {why}.")
    if not found.differences:
        click.echo(_agreement(found))
        return
    for one in found.differences:
        response = f" of response {one.response[:SHORT_ID]}" if one.response else ""
        here = f"action {one.action}{response}" if one.action else one.key
        click.echo(f"{one.kind}: {here}: {one.why}")
        for place in one.urls or one.remote_ids:  # links are copied: they are never cut
            click.echo(f"  {place}")
    for kind in dict.fromkeys(one.kind for one in found.differences):
        click.echo(f"  -> {kind}: {NEXT_STEPS[kind]}")


def _agreement(found: Compared) -> str:
    if not found.unjudged:
        return "Both sides agree."
    if found.unjudged < found.ours:
        return "Both sides agree about the others."
    return "Nothing could be compared yet; try again in some minutes."


def _progress(number: int) -> None:
    if sys.stderr.isatty() and number % _STEP == 0:
        click.echo(f"\r{number} records read", nl=False, err=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r" + " " * 30 + "\r", nl=False, err=True)
