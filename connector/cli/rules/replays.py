"""What every command that replays the past needs: its time, the active ruleset, a progress bar."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from connector.cli.common import readonly_store, utc_now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import Settings
    from connector.replaying import Progress
    from connector.rules.model import Ruleset
    from connector.store.replaying import Window

_USUAL = timedelta(days=90)


def window_of(
    last: timedelta | None, since: datetime | None, until: datetime | None, as_news: bool = False
) -> Window:
    """The time that was asked for; the last 90 days where nothing was said.

    Raises:
        click.UsageError: for a time that is none.
    """
    from connector.store.replaying import Window

    if last is not None and since is not None:
        raise click.UsageError("--last and --since say the same: give one of them")
    until = until or utc_now()
    since = since or until - (last or _USUAL)
    if since >= until:
        raise click.UsageError("--since has to lie before --until")
    return Window(since, until, as_news)


def active_rules(settings: Settings) -> tuple[Ruleset, datetime | None]:
    """The ruleset that decides, and since when."""
    from connector.store import activations

    with readonly_store(settings.store) as store, store.read() as connection:
        active = _active(connection, settings)
        return active, activations.active_since(connection, active.hash, datetime.now(UTC))


def _active(connection: Connection, settings: Settings) -> Ruleset:
    from connector.rules.load import load
    from connector.rules.model import RulesetText
    from connector.store import answers

    identity = answers.active_ruleset(connection)
    if identity is None:
        raise click.ClickException("no rules are active yet; `connector run` makes them so")
    text = RulesetText(files=answers.ruleset_files(connection, identity) or {})
    loaded = load(text, settings.vocabulary())
    if loaded.ruleset is None or text.hash != identity:
        raise click.ClickException(
            f"the active ruleset {identity[:12]} cannot be loaded with this connector.yaml; "
            "connector check says why"
        )
    return loaded.ruleset


def accounts_of(settings: Settings) -> dict[str, str]:
    """Sink id -> what its vendor limits."""
    from connector import catalog
    from connector.http import Session

    return {
        id: catalog.sink_type(chosen.type)(chosen, Session(chosen.base_url)).account
        for id, chosen in settings.sinks.items()
    }


@contextlib.contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal, drawn by this thread: another would not survive a fork."""
    if quiet or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("Replaying", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, advance=done, total=total)
            bar.refresh()

        yield advance
