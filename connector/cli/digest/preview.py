"""`connector digest preview`: the weekly digest as it would be today."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import config_path, load_settings, readonly_store, utc_now, workspace

if TYPE_CHECKING:
    from connector.config import DigestMail, Settings
    from connector.sinks.weekly.content import Weekly

_NOT_SET = "connector.yaml has no digest_mail: section; docs/configuration.md shows one"


@click.command()
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the page, with its charts inside, into this file.",
)
@click.option(
    "--send-now",
    is_flag=True,
    help="Put it into the outbox for all of `to`, besides those of the schedule.",
)
@click.pass_context
def preview(ctx: click.Context, /, page: Path | None, send_now: bool) -> int:
    """Show the digest of the seven days that ended last midnight; as text without an option.

    Only --send-now writes into the database; `connector run` or a worker then delivers it.
    """
    settings = load_settings(ctx, secrets=send_now)
    wanted = settings.digest_mail
    if wanted is None:
        raise click.ClickException(f"{config_path(ctx)}: {_NOT_SET}")
    if send_now:
        return _send(ctx, wanted)
    told = _told(settings, wanted)
    if page is not None:
        page.write_text(_page(told), encoding="utf-8")
        return 0
    from connector.sinks.weekly.telling import as_text, subject

    click.echo(f"Subject: {subject(told)}\n\n{as_text(told)}", nl=False)
    return 0


def _told(settings: Settings, wanted: DigestMail) -> Weekly:
    from connector.weekly import told_before

    now = utc_now()
    with readonly_store(settings.store) as store, store.read() as connection:
        return told_before(connection, settings, wanted, now, now)


def _page(told: Weekly) -> str:
    from connector.sinks.weekly import telling
    from connector.sinks.weekly.chart import nps_chart
    from connector.sinks.weekly.html import as_html

    drawn = [nps_chart(one.points) for one in telling.charted(told)]
    shown = [f"data:image/png;base64,{base64.b64encode(one).decode()}" for one in drawn]
    return as_html(told, lambda number: shown[number])


def _send(ctx: click.Context, wanted: DigestMail) -> int:
    from connector.weekly import put_now

    with workspace(ctx) as opened:
        put_now(opened, wanted, utc_now())
    many = len(wanted.to)
    click.echo(
        f"{many} mail{'' if many == 1 else 's'} put into the outbox of '{wanted.sink}'; "
        "see: connector actions list"
    )
    return 0
