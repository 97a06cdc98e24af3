"""`connector actions`: what was made or will be, and why not."""

from __future__ import annotations

import email
import email.policy
import json
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import (
    SHORT_ID,
    as_json,
    check_known,
    counted,
    find_response,
    looking,
    print_fields,
    print_json,
    row_dict,
    utc_now,
)
from connector.cli.tables import cell, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

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

_TO_COME = ("waiting", "sending")


@click.group()
def actions() -> None:
    """List, show, retry and release actions."""


@actions.command("list")
@click.option("--state", type=click.Choice(STATES))
@click.option("--sink", help="Only actions of this sink.")
@click.option("--response", help="Only actions of this response (or the beginning of its id).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
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

    with looking(ctx) as here, here.store.read() as connection:
        if sink not in (None, *here.outline.sinks):
            check_known("sink", sink, [*here.outline.sinks, *browsing.sinks_seen(connection)])
        whole = find_response(connection, response) if response else None
        rows = browsing.list_actions(connection, state, sink, whole, limit)
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
    response = row.response_id[:SHORT_ID] if row.response_id else "an alarm"
    note = row.error or row.remark or (row.remote_id if row.opens_case else "")
    where = [row.sink] if sink else []
    return (row.id, response, row.kind, *where, row.rule_id, row.state, note or "")


@actions.command()
@click.argument("action", type=int)
@as_json
@click.pass_context
def show(ctx: click.Context, action: int, as_json: bool) -> int:
    """One action: its order, the frozen request, every attempt, and the receipt."""
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
            "note": row.error,
            "remark": row.remark,
            due: _moment(row.due_at) if row.state in _TO_COME else "",
            "respond by": row.respond_by and _moment(row.respond_by),
            "remote id": row.remote_id,
            "link": row.url,
            "key": row.key,
        }
    )
    if tries:
        click.echo()
        columns = ("attempt", "step", "started (UTC)", "outcome", "error")
        told = [(t.number, t.step, t.started_at, t.outcome, t.error or "") for t in tries]
        print_table(columns, told)
    if row.request:
        click.echo("\nrequest, frozen at its first send:")
        click.echo(_readable(row.request))
    return 0


def _moment(at: object) -> str:
    return f"{cell(at)} UTC"


def _readable(request: bytes) -> str:
    """JSON indented; of a mail the headers and its text. Control characters are not printed."""
    text = request.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        pass
    message = email.message_from_bytes(request, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    if not message.keys() or body is None:
        return _printable(text)
    headers = "".join(f"{name}: {value}\n" for name, value in message.items())
    return _printable(f"{headers}\n{body.get_content()}".strip())


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text.replace("\r\n", "\n"))


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
        _check_parked(ids, browsing.states_of(connection, ids))
        chosen = list(ids)
        if parked:
            rows = browsing.list_actions(connection, "parked", sink, limit=None)
            chosen += [row.id for row in rows]
        return outbox.retry(connection, chosen, utc_now())

    with looking(ctx) as here:
        check_known("sink", sink, here.outline.sinks)
        counts = here.store.write(work)
    return _say(counts, "will be tried again", "No action is parked.")


def _check_parked(ids: Sequence[int], states: dict[int, str]) -> None:
    wrong = [
        f"action {id} is {states[id]}" if id in states else f"there is no action {id}"
        for id in ids
        if states.get(id) != "parked"
    ]
    if wrong:
        parked = "only parked actions can be tried again: connector actions list --state parked"
        raise click.ClickException(f"{'; '.join(wrong)}; {parked}")


@actions.command()
@click.argument("source", required=False)
@click.option("--all", "everything", is_flag=True, help="Of every source.")
@click.pass_context
def release(ctx: click.Context, source: str | None, everything: bool) -> int:
    """Let the actions go that a flood from SOURCE held back."""
    from connector.store import alarms, browsing, outbox

    if source is None and not everything:
        raise click.UsageError("name a source, or give --all")

    def work(connection: Connection) -> dict[str, int]:
        now = utc_now()
        known = dict.fromkeys([*here.outline.sources, *browsing.sources_seen(connection)])
        check_known("source", source, known)
        for id in known:
            if source in (None, id):
                alarms.clear_alarm(connection, "surge", id, now)
        return outbox.release(connection, source, now)

    with looking(ctx) as here:
        counts = here.store.write(work)
    return _say(counts, "released", "Nothing is held.")


def _say(counts: dict[str, int], what: str, nothing: str) -> int:
    for sink, count in sorted(counts.items()):
        click.echo(f"{counted(count, 'action')} of {sink} {what}; `connector run` sends them.")
    if not counts:
        click.echo(nothing)
    return 0
