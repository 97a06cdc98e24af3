"""`connector actions`: what was made or will be, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli.common import (
    as_json,
    print_fields,
    print_json,
    print_table,
    row_dict,
    utc_now,
    workspace,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

STATES = (
    "waiting",
    "held",
    "sending",
    "done",
    "parked",
    "in_doubt",
    "superseded",
    "withheld",
)

_SHOWN = (
    *("id", "key", "kind", "sink", "rule_id", "response_id", "state", "due_at", "respond_by"),
    *("attempts", "remote_id", "url", "error", "remark", "request"),
)


@click.group()
def actions() -> None:
    """List, show, retry and release actions."""


@actions.command("list")
@click.option("--state", type=click.Choice(STATES))
@click.option("--sink")
@click.option("--response")
@click.option("--limit", default=50, show_default=True)
@as_json
@click.pass_context
def list_(
    ctx: click.Context,
    state: str | None,
    sink: str | None,
    response: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """The oldest first."""
    from connector.store import browsing

    with workspace(ctx, secrets=False) as opened, opened.store.read() as connection:
        rows = browsing.list_actions(connection, state, sink, response, limit)
    if as_json:
        print_json([row_dict(row) for row in rows])
        return 0
    columns = ("action", "response", "kind", "sink", "rule", "state", "remote id", "note")
    print_table(
        columns,
        [
            (r.id, r.response_id, r.kind, r.sink, r.rule_id, r.state, r.remote_id, r.error)
            for r in rows
        ],
    )
    return 0


@actions.command()
@click.argument("action", type=int)
@as_json
@click.pass_context
def show(ctx: click.Context, action: int, as_json: bool) -> int:
    """One action: its order, the frozen request, every attempt, and the receipt."""
    from connector.store import browsing

    with workspace(ctx, secrets=False) as opened, opened.store.read() as connection:
        row = browsing.show_action(connection, action)
        tries = browsing.attempts_of(connection, action)
    if row is None:
        raise click.ClickException(f"there is no action {action}; see: connector actions list")
    story = row_dict(row)
    story["request"] = row.request.decode("utf-8", "replace") if row.request else None
    story["attempts_made"] = [row_dict(attempt) for attempt in tries]
    if as_json:
        print_json(story)
        return 0
    print_fields({name: story[name] for name in _SHOWN})
    columns = ("attempt", "step", "started (UTC)", "outcome", "error")
    print_table(columns, [(t.number, t.step, t.started_at, t.outcome, t.error) for t in tries])
    return 0


@actions.command()
@click.argument("ids", type=int, nargs=-1)
@click.option("--parked", is_flag=True, help="All parked actions.")
@click.option("--sink", help="With --parked: only those of this sink.")
@click.pass_context
def retry(ctx: click.Context, ids: tuple[int, ...], parked: bool, sink: str | None) -> int:
    """Try parked actions again, after their cause was mended. What is in doubt is not resent."""
    from connector.store import browsing, outbox

    if not ids and not parked:
        raise click.UsageError("name actions, or give --parked")

    def work(connection: Connection) -> dict[str, int]:
        chosen = list(ids)
        if parked:
            rows = browsing.list_actions(connection, "parked", sink, limit=None)
            chosen += [row.id for row in rows]
        return outbox.retry(connection, chosen, utc_now())

    with workspace(ctx, secrets=False) as opened:
        counts = opened.store.write(work)
    return _say(counts, "will be tried again")


@actions.command()
@click.argument("source", required=False)
@click.option("--all", "everything", is_flag=True, help="Of every source.")
@click.pass_context
def release(ctx: click.Context, source: str | None, everything: bool) -> int:
    """Let the actions go that a flood from SOURCE held back."""
    from connector.store import alarms, outbox

    if source is None and not everything:
        raise click.UsageError("name a source, or give --all")

    def work(connection: Connection) -> dict[str, int]:
        now = utc_now()
        for id in opened.settings.sources:
            if source in (None, id):
                alarms.clear_alarm(connection, "surge", id, now)
        return outbox.release(connection, source, now)

    with workspace(ctx, secrets=False) as opened:
        counts = opened.store.write(work)
    return _say(counts, "released")


def _say(counts: dict[str, int], what: str) -> int:
    for sink, count in sorted(counts.items()):
        click.echo(f"{count} actions of {sink} {what}; a running `connector run` sends them.")
    if not counts:
        click.echo("There was nothing to do.")
    return 0
