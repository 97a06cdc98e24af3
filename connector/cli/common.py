"""What the commands share: finding the configuration, opening the store, printing."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from connector.cli.tables import cell
from connector.text import did_you_mean

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import Outline, Settings
    from connector.domain import Problem
    from connector.store import Store
    from connector.store.readonly import ReadOnlyStore
    from connector.workspace import Workspace

SHORT_ID = 10  # of a response, in lists; every command takes the beginning of an id

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


def load_settings(ctx: click.Context, secrets: bool = True, store: bool = True) -> Settings:
    """Raises Invalid with every problem of the file."""
    from connector import config

    return config.load(config_path(ctx), secrets=secrets, store=store)


@contextmanager
def workspace(
    ctx: click.Context, secrets: bool = True, follow: bool = False, stays: bool = False
) -> Iterator[Workspace]:
    """The installation, its store open at the newest schema. `follow`: what has changed in the
    rules files becomes active, unless connector.yaml says `follow_files: false`. `stays`: for a
    process that stays up; a database that is being restarted is waited for."""
    from connector.cli.starting import once_there
    from connector.workspace import open_workspace

    settings = load_settings(ctx, secrets)
    follows = follow and settings.follow_files
    with _hinting(settings.store):
        if stays and sqlite_path(settings.store) is None:
            opened = once_there(lambda: open_workspace(settings, utc_now(), follows))
        else:
            opened = open_workspace(settings, utc_now(), follows)
        try:
            yield opened
        finally:
            opened.store.close()


class Looking(NamedTuple):
    """The store of an installation, and the ids that its configuration names."""

    outline: Outline
    store: Store


@contextmanager
def looking(ctx: click.Context) -> Iterator[Looking]:
    """For commands that look at what is there: nothing is created, no adapter or rule is loaded.

    Raises ClickException where there is no database yet.
    """
    from connector import config

    outline = config.outline(config_path(ctx))
    with existing_store(outline.store) as store:
        yield Looking(outline, store)


@contextmanager
def existing_store(url: str) -> Iterator[Store]:
    """The database as it is, closed afterwards. Raises ClickException where there is none yet."""
    from connector.store import Store

    _check_exists(url)
    with _hinting(url):
        store = Store(url)
        try:
            _check_schema(store)
            yield store
        finally:
            store.close()


@contextmanager
def readonly_store(url: str) -> Iterator[ReadOnlyStore]:
    """The same, through connections that refuse to write."""
    from connector.store.readonly import ReadOnlyStore

    _check_exists(url)
    with _hinting(url):
        store = ReadOnlyStore(url)
        try:
            _check_schema(store)
            yield store
        finally:
            store.close()


def _check_exists(url: str) -> None:
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise click.ClickException(f"there is no database yet at {path}; `connector run` makes it")


@contextmanager
def refused_file(file: Path) -> Iterator[None]:
    """A data file that is refused as a whole is a file with a mistake: exit code 3."""
    from connector.domain import Problem
    from connector.errors import Invalid, Refused

    try:
        yield
    except Refused as error:
        raise Invalid([Problem(file=str(file), message=str(error))]) from error


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite store; None for any other."""
    prefix = "sqlite:///"
    return Path(url.removeprefix(prefix)) if url.startswith(prefix) else None


@contextmanager
def _hinting(url: str) -> Iterator[None]:
    from connector.store.database import StoreDown

    try:
        yield
    except StoreDown as error:
        path = sqlite_path(url)
        hint = f"; check that {path} is a database and can be written" if path else ""
        raise click.ClickException(f"{error}{hint}") from error


def _check_schema(store: Store | ReadOnlyStore) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import ProgrammingError

    from connector.store import schema
    from connector.store.database import StoreDown

    try:
        with store.read() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except (ProgrammingError, StoreDown) as error:
        if not _has_no_tables(error):
            raise
        found = None
    if found != schema.newest():
        raise click.ClickException(
            "the database has no tables of this version yet; `connector run` makes them"
        )


def _has_no_tables(error: Exception) -> bool:
    cause = error.__cause__ if error.__cause__ is not None else error
    said = str(getattr(cause, "orig", cause))
    return "no such table" in said or "does not exist" in said


def find_response(connection: Connection, wanted: str) -> str:
    """The id that `wanted` is, or begins.

    Raises ClickException where there is none, or several.
    """
    from connector.store import browsing

    found = browsing.ids_beginning(connection, wanted)
    if wanted in found:
        return wanted
    if not found:
        raise click.ClickException(
            f"there is no response '{wanted}'; find ids with: connector responses list"
        )
    if len(found) > 1:
        raise click.ClickException(f"'{wanted}' begins several ids: {', '.join(found)}, …")
    return found[0]


def check_known(what: str, wanted: str | None, known: Iterable[str]) -> None:
    """Raises ClickException, with the names that exist, for one that does not."""
    names = list(dict.fromkeys(known))
    if wanted is None or wanted in names:
        return
    near = did_you_mean(wanted, names)
    listed = f"there are: {', '.join(names)}" if names else "there are none"
    raise click.ClickException(f"there is no {what} '{wanted}'; {near or listed}")


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
    """Plain lines or JSON; what is logged holds no personal data."""
    from connector import logs

    options = ctx.find_root().obj
    logs.set_up(options["log_format"], options["verbose"])


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def print_fields(fields: Mapping[str, object]) -> None:
    """`name  value` lines; where there is nothing to say the line is left out."""
    told = {name: cell(value) for name, value in fields.items() if value not in (None, "")}
    room = max(map(len, told), default=0) + 2
    for name, value in told.items():
        click.echo(f"{name:<{room}}{value}")


def print_problems(problems: Sequence[Problem], err: bool = False) -> None:
    """Each with its place. The same cure is told once, and so is the same warning about the
    languages of one mail template."""
    told: set[str] = set()
    alike: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        where = problem.file.rpartition("/")[0] if problem.severity == "warning" else ""
        one = f"{problem.file}:{problem.line}:{problem.column}"
        alike.setdefault((where or one, problem.message), []).append(problem)
    for first, *more in alike.values():
        cure = "" if first.hint in told else first.hint
        told.add(first.hint)
        also = f"; so in {counted(len(more), 'more place')} of it" if more else ""
        said = first.model_copy(update={"message": first.message + also, "hint": cure})
        click.echo(str(said), err=err)


def counted(count: int, one: str, many: str = "") -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def confirm(question: str, otherwise: str) -> None:
    """Ask on the terminal.

    Raises:
        click.Abort: anything but yes, after `otherwise` was said.
    """
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        agreed = False
    if not agreed:
        click.echo(otherwise, err=True)
        raise click.Abort


def row_dict(row: Any) -> dict[str, Any]:
    """A database row as plain data; raw bytes are left out."""
    return {k: v for k, v in row._mapping.items() if not isinstance(v, bytes)}
