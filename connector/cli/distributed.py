"""What `web`, `worker` and `beat` share: what several processes need, and saying so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import config_path, load_settings

if TYPE_CHECKING:
    from connector.config import Settings

alive = click.option(
    "--alive",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Touch this file every few seconds, for a health check.",
)


def settings_and_broker(ctx: click.Context, secrets: bool = True) -> tuple[Settings, str]:
    """`secrets=False` is for a process that opens neither database nor vendor.

    Raises Invalid when the store is SQLite, or the broker is not set.
    """
    from connector.domain import Problem
    from connector.errors import Invalid

    try:
        from connector.engine.broker import broker_url
    except ImportError as error:
        raise click.ClickException(
            "several processes need celery: pip install 'nps-connector[distributed]'"
        ) from error
    settings = load_settings(ctx, secrets=secrets, store=secrets)
    if settings.store.startswith("sqlite"):
        message = (
            f"store: SQLite is for one process, and `connector {ctx.info_name}` is one of several"
        )
        hint = "store: postgresql://user:password@host/name, or use: connector run"
        raise Invalid([Problem(file=str(config_path(ctx)), message=message, hint=hint)])
    return settings, broker_url(settings.directory)
