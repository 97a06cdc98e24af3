"""What every report can be written into: a table for a spreadsheet, a page for a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


def files(what: str) -> Callable[[F], F]:
    """`--csv`, which holds `what`, and `--html`; the function gets them as `table` and `page`."""

    def decorate(function: F) -> F:
        page = click.option(
            "--html", "page", type=_FILE, help="Write one page that needs nothing else."
        )
        table = click.option("--csv", "table", type=_FILE, help=f"Write {what} into this file.")
        return table(page(function))

    return decorate


def write_table(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from connector.cli.spreadsheet import write_csv

    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        write_csv(opened, columns, rows)
