"""`connector demo`."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import as_json, log_to_stderr, print_json, stop_event

if TYPE_CHECKING:
    from connector.cli.demo.play import Running
    from connector.cli.demo.staging import Stage


@click.command()
@as_json
@click.option("--serve", is_flag=True, help="Stay up after the table, until Ctrl-C.")
@click.option(
    "--past/--no-past", default=None, help="Three made-up months come first; with --serve they do."
)
@click.option(
    "--keep",
    metavar="DIRECTORY",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep configuration, database and stand-ins there.",
)
@click.pass_context
def demo(
    ctx: click.Context, as_json: bool, serve: bool, past: bool | None, keep: Path | None
) -> int:
    """Watch the whole job against stand-ins of every vendor; nothing else is reached.

    Answers come in from Delighted, Google Forms, Hotjar, Typeform, an application and a CSV file;
    the shipped rules decide; tickets, tasks, mails and alerts are made at the stand-ins, which
    count them. Exit code 1 when their count and ours differ.

    \b
    With --keep the stand-ins can be opened again, and every other command tried on what is there:
      connector demo --keep DIRECTORY
      connector --config DIRECTORY/connector.yaml sandbox          (in one terminal)
      connector --config DIRECTORY/connector.yaml responses list   (in another; or doctor, run ...)
    """
    from connector.cli.demo import counting, showing
    from connector.cli.demo.play import perform, running
    from connector.cli.demo.posting import Poster
    from connector.cli.demo.staging import SHORT_SETTLE, staged

    say = showing.silent if as_json else showing.speaker()
    with _tidy_end(), _log(ctx), staged(keep) as stage:
        from connector.cli.demo.seeding import seed

        started = datetime.now(UTC)
        seed(stage.sandbox, started)
        say("ready", "stand-ins of eight vendors are up, with answers in three of them")
        say(
            "ready", f"this copy of the shipped rules says settle: {SHORT_SETTLE}: mails go at once"
        )
        with running(stage, started, say, lived=serve if past is None else past) as run:
            poster = Poster(run.url, say, run.watcher.look)
            perform(run, stage.sandbox, started, poster)
            urls, refused = stage.sandbox.urls, len(poster.refused)
            found = counting.result(run.workspace.store, urls, refused, started)
            wrong = counting.differences(found)
            if as_json:
                print_json(found)
                for line in wrong:
                    click.echo(line, err=True)
            else:
                showing.show(found, wrong)
            if serve:
                _serve(run, stage)
    if keep is not None and not as_json:
        click.echo(f"Kept in {keep}. Open it: connector --config {stage.config} sandbox")
    return 1 if wrong else 0


def _serve(run: Running, stage: Stage) -> None:
    from connector.cli.demo.serving import invitation, let_in
    from connector.cli.demo.watching import LOOK_EVERY_SECONDS

    with stop_event() as stop:
        stage.sandbox.zendesk.call_webhook(f"{run.url}/news/zendesk-main")
        password = let_in(run.workspace.store, datetime.now(UTC))
        click.echo(invitation(run.url, stage, password), err=True)
        while not stop.wait(LOOK_EVERY_SECONDS):
            run.watcher.look()


@contextlib.contextmanager
def _tidy_end() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: whatever was started is stopped first."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _log(ctx: click.Context) -> Iterator[None]:
    """The demo tells alarms and retries itself; with --verbose the log comes as well."""
    if ctx.find_root().obj["verbose"]:
        log_to_stderr(ctx)
        yield
        return
    chores = logging.getLogger("connector.engine.chores")
    chores.addFilter(_nothing)
    try:
        yield
    finally:
        chores.removeFilter(_nothing)


def _nothing(_record: logging.LogRecord) -> bool:
    return False
