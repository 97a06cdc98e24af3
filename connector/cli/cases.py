"""`connector cases`: what became of the tickets and tasks, and what nobody has begun with."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import (
    as_json,
    check_known,
    looking,
    print_fields,
    print_json,
    row_dict,
    utc_now,
)
from connector.cli.tables import cell, print_table
from connector.text import one_line

if TYPE_CHECKING:
    from datetime import datetime, timedelta

STATES = ("open", "contacted", "closed", "gone")


@click.group()
def cases() -> None:
    """List cases with their owners and clocks; show the story of one."""


@cases.command("list")
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Default: open, contacted.")
@click.option("--overdue", is_flag=True, help="Only where the time to respond is over.")
@click.option("--untouched", is_flag=True, help="Only where nobody has begun.")
@click.option("--sink", help="Only of this sink.")
@click.option("--owner", help="Only of this person, as their system names them.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@click.pass_context
def list_(
    ctx: click.Context,
    state: tuple[str, ...],
    overdue: bool,
    untouched: bool,
    sink: str | None,
    owner: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """What is due first stands at the top."""
    from connector.store import browsing, cases

    now = utc_now()
    with looking(ctx) as here, here.store.read() as connection:
        if sink not in (None, *here.outline.sinks):
            check_known("sink", sink, browsing.all_sinks(connection, here.outline.sinks))
        rows = cases.listed(
            connection,
            state or cases.UNFINISHED,
            limit,
            overdue_at=now if overdue else None,
            untouched=untouched,
            sink=sink,
            owner=owner,
        )
    if as_json:
        print_json([row_dict(row) for row in rows])
    elif not rows:
        click.echo("There are no such cases.")
    else:
        columns = ("case", "record", "score", "state", "owner", "due (UTC)", "waits", "note")
        print_table(columns, [_line(row, now) for row in rows], fold=False)
    return 0


def _line(row: Any, now: datetime) -> tuple[object, ...]:
    record = f"{row.sink} {row.remote_id}"
    due = cell(row.respond_by) if row.respond_by else "-"
    touched = row.contacted_at or row.closed_at
    waits = _length((touched or now) - row.answered_at)
    score = "-" if row.score is None else row.score
    return (row.action_id, record, score, row.state, row.owner or "-", due, waits, _note(row, now))


def _note(row: Any, now: datetime) -> str:
    if row.missing:
        return f"closed without {row.missing}"
    if row.state == "closed":
        return "opened again later" if row.continued_in else ""
    late = row.respond_by is not None and row.respond_by < now and row.contacted_at is None
    return "overdue" if late and row.state != "gone" else ""


def _length(time: timedelta) -> str:
    """How long the customer has waited, or had to wait for the first touch: `3d 4h`, `25m`."""
    minutes = max(int(time.total_seconds() // 60), 0)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days}d {hours % 24}h"
    return f"{hours}h {minutes % 60}m" if hours else f"{minutes}m"


@cases.command()
@click.argument("case", type=int)
@as_json
@click.pass_context
def show(ctx: click.Context, case: int, as_json: bool) -> int:
    """One case: whose it is, both clocks, and everything that happened to it."""
    from connector.store import cases

    with looking(ctx) as here, here.store.read() as connection:
        row = cases.show(connection, case)
        events = cases.events_of(connection, case)
    if row is None:
        raise click.ClickException(f"there is no case {case}; see: connector cases list")
    if as_json:
        print_json({**row_dict(row), "events": [row_dict(event) for event in events]})
        return 0
    now = utc_now()
    worked = row.working_seconds
    print_fields(
        {
            "case": row.action_id,
            "record": f"{row.sink} {row.remote_id}",
            "state": row.state,
            "there": row.status,
            "owner": row.owner,
            "team": row.team,
            "note": _note(row, now),
            "score": None if row.score is None else f"{row.score} {row.segment or ''}".strip(),
            "response": row.response_id,
            "rule": row.rule_id,
            "answered": _moment(row.answered_at),
            "opened": _moment(row.opened_at),
            "respond by": _moment(row.respond_by),
            "first touch": _moment(row.contacted_at),
            "customer's clock": _length((row.contacted_at or now) - row.answered_at),
            "working clock": None if worked is None else _length(_seconds(worked)),
            "closed": _moment(row.closed_at),
            "cause": row.cause,
            "action taken": row.action_taken,
            "opened again": row.reopened or None,
            "next answer": row.next_response_id,
            "goes on in": row.continued_in and f"case {row.continued_in}",
            "goes on from": row.continues and f"case {row.continues}",
            "link": row.url,
        }
    )
    if events:
        click.echo()
        columns = ("at (UTC)", "what", "who", "detail")
        print_table(columns, [(e.at, e.kind, e.who or "", e.detail or "") for e in events])
    return 0


@cases.command()
@click.argument("case", type=int)
@click.option("--note", default="", help="What was done; it is kept.")
@click.option("--by", help="Who did it; by default you.")
@click.pass_context
def close(ctx: click.Context, case: int, note: str, by: str | None) -> int:
    """Close a case whose far side will never say so: its record was purged, its sink was taken out.

    Nothing is written there. News of the record, if they come, count again.
    """
    from connector.store import cases

    who = one_line(by or getpass.getuser(), 60)
    with looking(ctx) as here:
        closed = here.store.write(
            lambda c: cases.close(c, case, who, one_line(note, 300), utc_now())
        )
    if not closed:
        message = f"case {case} is not open; see: connector cases list"
        raise click.ClickException(message)
    click.echo(f"Case {case} is closed here; nothing was written at its far side.")
    return 0


def _seconds(number: float) -> timedelta:
    from datetime import timedelta

    return timedelta(seconds=number)


def _moment(at: datetime | None) -> str | None:
    return f"{cell(at)} UTC" if at is not None else None
