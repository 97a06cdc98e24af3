"""`connector import SOURCE FILE`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import as_json, print_json, utc_now, workspace

if TYPE_CHECKING:
    from connector.importing import Imported

_MOST_SHOWN = 50


@click.command("import")
@click.argument("source")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--act", is_flag=True, help="Treat the answers as news: make tickets, tasks, mails.")
@click.option("--yes", is_flag=True, help="With --act: do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be refused; store nothing.")
@as_json
@click.pass_context
def import_(
    ctx: click.Context, source: str, file: Path, act: bool, yes: bool, dry_run: bool, as_json: bool
) -> int:
    """Import a file of answers (CSV, or what the source's vendor exports) into SOURCE.

    Answers of a file are history: they are stored and decided, and make no action. Importing the
    same file twice changes nothing. Rows that cannot be read are listed with their line; the others
    go through (exit code 4).
    """
    from connector import importing

    with workspace(ctx, secrets=False) as opened:
        if source not in opened.settings.sources:
            known = ", ".join(opened.settings.sources)
            raise click.ClickException(f"there is no source '{source}'; there are: {known}")
        rows = importing.read_rows(opened, source, file.read_bytes())
        if dry_run:
            done = importing.Imported(rows=len(rows))
            done.refused = [
                importing.RefusedRow(row.line, row.problem) for row in rows if row.record is None
            ]
        else:
            if act:
                _ask(importing.preview_actions(opened, source, rows, utc_now()), yes)
            with _progress(len(rows), quiet=as_json) as progress:
                done = importing.import_rows(opened, source, rows, utc_now(), act, progress)
    if as_json:
        refused = [row._asdict() for row in done.refused]
        print_json({**vars(done), "refused": refused})
    else:
        _print(done, act, dry_run)
    return 4 if done.refused else 0


def _ask(counts: dict[tuple[str, str], int], yes: bool) -> None:
    if not counts:
        click.echo("The rules ask for no action for these answers.", err=True)
    for (sink, kind), count in sorted(counts.items()):
        click.echo(f"  {count:>6}  {kind} in {sink}", err=True)
    if counts and not yes:
        click.confirm("Make these actions?", abort=True, err=True)


@contextlib.contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    if quiet:
        yield lambda _rows: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Importing", total=total)
        yield lambda rows: bar.advance(task, rows)


def _print(done: Imported, act: bool, dry_run: bool) -> None:
    if dry_run:
        click.echo(f"{done.rows - len(done.refused)} of {done.rows} rows can be imported.")
    else:
        kept = "as news" if act else "as history, no action"
        changes = ", ".join(f"{n} {change}" for change, n in sorted(done.changes.items()))
        click.echo(
            f"{done.rows} rows: {done.new} new records ({changes or 'none'}), {kept}; "
            f"{done.repeated} we held already."
        )
    for row in done.refused[:_MOST_SHOWN]:
        click.echo(f"line {row.line}: {row.reason}", err=True)
    hidden = len(done.refused) - _MOST_SHOWN
    if hidden > 0:
        click.echo(f"and {hidden} more refused rows; see them all with --json", err=True)
