"""`connector actions`: what was made or will be, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import (
    SHORT_ID,
    as_json,
    check_known,
    find_response,
    looking,
    print_fields,
    print_json,
    row_dict,
)
from connector.cli.moments import MOMENT
from connector.cli.pausing import pause, resume
from connector.cli.rules.asking import note_of
from connector.cli.settling import release, resolve, retry
from connector.cli.tables import cell, print_table
from connector.states import ACTION_STATES

if TYPE_CHECKING:
    from datetime import datetime

_TO_COME = ("waiting", "gathering", "sending")


@click.group()
def actions() -> None:
    """List, show, retry, resolve and release actions; pause and resume what they go to."""


@actions.command("list")
@click.option("--state", type=click.Choice(ACTION_STATES))
@click.option("--sink", help="Only actions of this sink.")
@click.option("--response", help="Only actions of this response (or the beginning of its id).")
@click.option("--since", type=MOMENT, metavar="TIME", help="Only made since then.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@click.pass_context
def list_(
    ctx: click.Context,
    state: str | None,
    sink: str | None,
    response: str | None,
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> int:
    """The oldest first."""
    from connector.store import browsing

    with looking(ctx) as here, here.store.read() as connection:
        if sink not in (None, *here.outline.sinks):
            check_known("sink", sink, browsing.all_sinks(connection, here.outline.sinks))
        whole = find_response(connection, response) if response else None
        rows = browsing.list_actions(connection, state, sink, whole, limit, since)
    if as_json:
        print_json([row_dict(row) for row in rows])
    elif not rows:
        click.echo("There are no such actions.")
    else:
        several = len({row.sink for row in rows}) > len({row.kind for row in rows})
        columns = ("action", "response", "kind", *(["sink"] if several else []))
        columns += ("rule", "state", "note")
        print_table(columns, [_line(row, several) for row in rows], fold=False)
    return 0


def _line(row: Any, sink: bool) -> tuple[object, ...]:
    """The kind names the vendor; the sink is told where there are several of a kind."""
    about = "a digest" if row.digest else "an alarm"
    response = row.response_id[:SHORT_ID] if row.response_id else about
    note = note_of(row) or row.remark or (row.remote_id if row.opens_case else "")
    where = [row.sink] if sink else []
    return (row.id, response, row.kind, *where, row.rule_id, row.state, note or "")


@actions.command()
@click.argument("action", type=int)
@as_json
@click.pass_context
def show(ctx: click.Context, action: int, as_json: bool) -> int:
    """One action: its order, the frozen request, every attempt, and the receipt."""
    from connector.reports.request import readable
    from connector.store import browsing

    with looking(ctx) as here, here.store.read() as connection:
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
    due = "next try" if row.attempts else "due"
    print_fields(
        {
            "action": row.id,
            "kind": row.kind,
            "sink": row.sink,
            "rule": row.rule_id,
            "response": row.response_id,
            "amends": row.amends and f"action {row.amends}",
            "state": row.state,
            "note": note_of(row),
            "remark": row.remark,
            due: _moment(row.due_at) if row.state in _TO_COME else "",
            "respond by": row.respond_by and _moment(row.respond_by),
            "remote id": row.remote_id,
            "link": row.url,
            "key": row.key,
        }
    )
    if told := (row.order.get("digest") or {}).get("lines"):
        click.echo("\nalerts in it, the newest first:")
        for line in told:
            click.echo(f"  {cell(line['text'])}")
    if tries:
        click.echo()
        columns = ("attempt", "step", "started (UTC)", "outcome", "error")
        told = [(t.number, t.step, t.started_at, t.outcome, t.error or "") for t in tries]
        print_table(columns, told)
    if row.request:
        click.echo("\nrequest, frozen at its first send:")
        click.echo(readable(row.request))
    return 0


def _moment(at: object) -> str:
    return f"{cell(at)} UTC"


actions.add_command(retry)
actions.add_command(resolve)
actions.add_command(release)
actions.add_command(pause)
actions.add_command(resume)
