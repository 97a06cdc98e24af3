"""What the commands share: finding the configuration, opening the store, printing."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from connector.config import Settings
    from connector.workspace import Workspace

_WIDTH_OF_FILES = 160

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def utc_now() -> datetime:
    return datetime.now(UTC)


def config_path(ctx: click.Context) -> Path:
    """The file that --config names, else the first of the usual places."""
    chosen: Path | None = ctx.find_root().obj["config"]
    if chosen is not None:
        return chosen
    usual = (Path("connector.yaml"), Path("config/connector.yaml"))
    return next((path for path in usual if path.is_file()), usual[0])


def load_settings(ctx: click.Context, secrets: bool = True) -> Settings:
    """Raises Invalid with every problem of the file."""
    from connector import config

    return config.load(config_path(ctx), secrets=secrets)


@contextmanager
def workspace(ctx: click.Context, secrets: bool = True) -> Iterator[Workspace]:
    """The installation, its store open at the newest schema."""
    from connector.workspace import open_workspace

    opened = open_workspace(load_settings(ctx, secrets), utc_now())
    try:
        yield opened
    finally:
        opened.store.close()


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Set by SIGTERM and Ctrl-C while this lasts."""
    stop = threading.Event()
    names = (signal.SIGTERM, signal.SIGINT)
    before = {name: signal.signal(name, lambda *_: stop.set()) for name in names}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def log_to_stderr(ctx: click.Context) -> None:
    """Plain lines; what is logged holds no personal data."""
    level = logging.DEBUG if ctx.find_root().obj["verbose"] else logging.INFO
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """For people: cells on one line, no control characters of a customer's text."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # An id in two lines could not be copied.
        table.add_column(column, overflow="fold", no_wrap=column in ("response", "action"))
    for row in rows:
        table.add_row(*(Text(cell(value)) for value in row))
    print_wide(table)


def print_wide(table: Table) -> None:
    """As wide as the terminal; wider where the output goes into a file or to another program."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=_WIDTH_OF_FILES)
    console.print(table)


def cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return one_line(str(value), 120)


def print_fields(fields: Mapping[str, object]) -> None:
    width = max(len(name) for name in fields) + 2
    for name, value in fields.items():
        click.echo(f"{name:<{width}}{cell(value)}")


def row_dict(row: Any) -> dict[str, Any]:
    """A database row as plain data; raw bytes are left out."""
    return {k: v for k, v in row._mapping.items() if not isinstance(v, bytes)}
