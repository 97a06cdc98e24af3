"""`connector worker`: polls, decides and delivers when it is woken."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli.common import log_to_stderr, workspace
from connector.cli.distributed import alive, settings_and_broker


@click.command()
@click.option("--sinks", metavar="ID,ID", help="Deliver for these only, and do nothing else.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Calls in flight for each sink.",
)
@alive
@click.pass_context
def worker(ctx: click.Context, sinks: str | None, concurrency: int, alive: Path | None) -> int:
    """Poll, decide and deliver until SIGTERM or Ctrl-C; the calls in flight are finished first.

    As many as you like, on as many machines. Each sink has threads of its own, so that a slow one
    never delays another. Needs PostgreSQL, and a broker in CONNECTOR_BROKER.
    """
    log_to_stderr(ctx)
    settings, broker = settings_and_broker(ctx)
    chosen = None if sinks is None else [id.strip() for id in sinks.split(",")]
    for id in chosen or ():
        if id not in settings.sinks:
            known = ", ".join(settings.sinks)
            raise click.BadParameter(
                f"'{id}' does not exist; there are: {known}", param_hint="--sinks"
            )
    from connector.engine.worker import work

    with workspace(ctx, stays=True) as opened:
        return work(opened, broker, concurrency, chosen, alive)
