"""`connector import SOURCE FILE`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import (
    as_json,
    check_known,
    confirm,
    counted,
    print_json,
    refused_file,
    utc_now,
    workspace,
)

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
    go through (exit code 4). A file that cannot be read at all changes nothing (exit code 3).
    """
    from connector import importing
    from connector.ports import Importable

    data = file.read_bytes()
    with workspace(ctx, secrets=False) as opened:
        check_known("source", source, opened.settings.sources)
        if not isinstance(opened.sources[source], Importable):
            raise click.ClickException(
                f"source '{source}' takes no files; import into a source of type csv"
            )
        with refused_file(file):
            rows = importing.read_rows(opened, source, data)
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
        confirm("Make these actions?", "Nothing was imported.")


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
        good = done.rows - len(done.refused)
        click.echo(f"{good} of {counted(done.rows, 'row')} can be imported.")
    else:
        kept = "as news" if act else "as history, no action"
        changes = ", ".join(f"{n} {change}" for change, n in sorted(done.changes.items()))
        click.echo(
            f"{counted(done.rows, 'row')}: {counted(done.new, 'new record')} "
            f"({changes or 'none'}), {kept}; {done.repeated} we held already."
        )
    print_refused([(row.line, row.reason) for row in done.refused])


def print_refused(refused: Sequence[tuple[int, str]]) -> None:
    """The first rows that did not go through, and how many more there are."""
    for line, reason in refused[:_MOST_SHOWN]:
        click.echo(f"line {line}: {reason}", err=True)
    hidden = len(refused) - _MOST_SHOWN
    if hidden > 0:
        rows = counted(hidden, "more refused row")
        click.echo(f"and {rows}; see them all with --json", err=True)
