"""`connector rebuild-readings`: what pages read is made anew from the decisions."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from connector.cli.common import as_json, counted, print_json, workspace

_TOGETHER = 1_000


@click.command("rebuild-readings")
@as_json
@click.pass_context
def rebuild_readings(ctx: click.Context, as_json: bool) -> int:
    """Empty what the pages count and search, and fill it again, batch by batch.

    Answers, decisions and cases are not touched. `connector run` and workers may go on meanwhile;
    the pages say how far it is. Stopped with Ctrl-C, it goes on by itself where they run.
    """
    from connector.cli.rules.replays import progress_bar
    from connector.projecting import project, rebuild
    from connector.recounting import recount_all
    from connector.store import readings

    with workspace(ctx, secrets=False) as here, progress_bar(quiet=as_json) as progress:
        rebuild(here)
        done = 0
        with here.store.read() as connection:
            total = readings.behind(connection).decisions
        while batch := project(here, _TOGETHER):
            done += batch
            progress(batch, max(total, done))
        recount_all(here.store, datetime.now(UTC))
        with here.store.read() as connection:
            left = readings.behind(connection).decisions
    if as_json:
        print_json({"answers": done, "left": left})
    elif left:
        click.echo(f"{counted(done, 'answer')} read; another process is filling in the rest.")
    else:
        click.echo(f"{counted(done, 'answer')} read.")
    return 0
