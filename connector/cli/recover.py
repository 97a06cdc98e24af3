"""`connector recover`: after a restored backup, make nothing of the lost time a second time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from connector.cli.common import (
    as_json,
    confirm,
    counted,
    load_settings,
    print_json,
    sqlite_path,
    utc_now,
)
from connector.cli.moments import MOMENT
from connector.cli.tables import cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from connector.config import Settings
    from connector.recovery import Prospect
    from connector.store.recovering import Recovery
    from connector.workspace import Workspace

ONLY_YOU_KNOW = (
    "erasures since then: erase these people again (connector erase), before anything is read",
    "unsubscribes since then: the list is in the log of the receiver or the mail provider",
    "imports since then: connector import and connector customers import, of the same files",
    "what people settled since then: connector actions resolve",
)


@click.command()
@click.option(
    "--since",
    type=MOMENT,
    metavar="TIME",
    help="When the backup was made: 2026-11-24T03:00 (UTC), or 6h (ago). If unsure, earlier.",
)
@click.option("--done", is_flag=True, help="End it, once nothing leans on it any more.")
@click.option("--yes", is_flag=True, help="Do it; without it only says what would be done.")
@as_json
@click.pass_context
def recover(
    ctx: click.Context, since: datetime | None, done: bool, yes: bool, as_json: bool
) -> int:
    """Run this after a backup was restored, before anything is started.

    The far sides hold what was made after the backup; the database does not know of it. From then
    on each case of that time is looked for before it is made, mail and chat of that time are held
    (connector actions release --restored), and what no API can give again is listed. Without an
    option it says whether a recovery is under way.
    """
    if done and since is not None:
        raise click.UsageError("give either --since or --done")
    with _restored(ctx) as here:
        if done:
            return _finish(here, yes)
        if since is None:
            return _say_current(here, as_json)
        return _recover(here, since, yes, as_json)


@contextmanager
def _restored(ctx: click.Context) -> Iterator[Workspace]:
    """The database as it was restored, brought to this version's tables; no rules are taken up and
    no source is added, as every other command would do."""
    from connector.store import Store, schema
    from connector.workspace import Workspace

    settings: Settings = load_settings(ctx)
    path = sqlite_path(settings.store)
    if path is not None and not path.exists():
        raise click.ClickException(f"there is no database at {path}; restore the backup first")
    store = Store(settings.store)
    try:
        schema.upgrade(store)
        yield Workspace(settings, store)
    finally:
        store.close()


def _recover(here: Workspace, since: datetime, yes: bool, as_json: bool) -> int:
    from connector import recovery
    from connector.engine import alone

    if yes:
        lock = alone.take_lock(here.store)
        try:
            found = recovery.begin(here, since, utc_now())
        finally:
            if lock is not None:
                lock.close()
    else:
        found = recovery.foresee(here, since, utc_now())
    if as_json:
        print_json({**asdict(found), "done": yes})
        return 0
    for line in _told(here, found):
        click.echo(line)
    click.echo()
    if yes:
        click.echo("Recovering. Start the connector; end it with: connector recover --done")
    else:
        click.echo("Nothing was changed. Stop every process, then say it again with --yes.")
    return 0


def _told(here: Workspace, found: Prospect) -> Iterator[str]:
    lost = found.recovery
    span = f"from {cell(lost.since)} to {cell(lost.until)} UTC"
    if found.begun:
        yield "A recovery of this restore is under way; it goes on."
    yield f"The copy reaches to {cell(found.newest_entry)} UTC. Lost: what came in {span}."
    yield ""
    blind = sorted(here.blind)
    looking = [id for id in here.settings.sinks if id not in here.blind]
    yield f"Looked for before they are made: {_sinks(looking, found.look)}"
    yield f"Held until a person has looked:  {_sinks(blind, found.hold)}"
    if blind:
        yield "  -> connector actions list --state held; then let go or end them:"
        yield "     connector actions release --restored"
        yield "     connector actions resolve --state held --all --there"
    if found.doubtful:
        yield f"In doubt, being sent meanwhile:  {_sinks((), found.doubtful)}"
    if found.parked:
        yield f"Parked, look before you retry:   {_sinks((), found.parked)}"
    yield ""
    yield f"Read again from their API: {', '.join(found.read_again) or 'no source'}"
    for id in found.not_given_again:
        yield f"Given again by no API: {id}, what came {span}"
        yield f"  -> {_next_step(here, id)}"
    for id in found.unknown_sources:
        yield f"Added after the backup: {id}; its answers of that time would be history"
        yield "  -> set act_since: in connector.yaml to the time when it was added"
    yield ""
    yield "Known only to you:"
    for line in ONLY_YOU_KNOW:
        yield f"  {line}"


def _sinks(ids: Sequence[str], counts: dict[str, int]) -> str:
    told = dict.fromkeys([*ids, *sorted(counts)])
    named = [f"{id} ({counts[id]} here)" if counts.get(id) else id for id in told]
    return ", ".join(named) or "none"


def _next_step(here: Workspace, id: str) -> str:
    from connector import catalog
    from connector.ports import Importable

    if issubclass(catalog.source_type(here.settings.sources[id].type), Importable):
        return f"connector import {id} FILE, with --act where the file was news"
    return (
        "have its sender deliver them again to the same address. Through another source the same "
        "answer would be a new one, with a second ticket"
    )


def _say_current(here: Workspace, as_json: bool) -> int:
    from connector.store import recovering

    with here.store.read() as connection:
        found = recovering.current(connection)
        left = recovering.unsettled(connection, found) if found else 0
    if as_json:
        print_json({"recovery": asdict(found) if found else None, "unsettled": left})
    elif found is None:
        click.echo("No recovery is under way. After a restore: connector recover --since TIME")
    else:
        click.echo(f"Recovering what was lost {_span(found)}; {_left(left)}.")
        click.echo("End it with: connector recover --done")
    return 0


def _finish(here: Workspace, yes: bool) -> int:
    from connector import recovery

    def agreed(left: int) -> bool:
        if yes:
            return True
        click.echo(f"{_left(left)}: afterwards they are sent unlooked for.", err=True)
        confirm("End the recovery all the same?", "It goes on.")
        return True

    found, _ = recovery.finish(here, utc_now(), agreed)
    if found is None:
        click.echo("No recovery is under way.")
    else:
        click.echo(f"The recovery of what was lost {_span(found)} is ended.")
    return 0


def _span(found: Recovery) -> str:
    return f"from {cell(found.since)} to {cell(found.until)} UTC"


def _left(count: int) -> str:
    return f"{counted(count, 'action')} of that time {'is' if count == 1 else 'are'} not settled"
