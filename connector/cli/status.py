"""`connector status`: what waits for each sink, and what each vendor's account still allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import as_json, counted, looking, print_json, utc_now
from connector.cli.tables import cell, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from connector.store.health import Moment, Totals
    from connector.store.limits import Standing

_WAIT_FOR_US = ("waiting", "sending")
_WAIT_FOR_A_PERSON = ("held", "parked", "in_doubt")


@click.command()
@as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> int:
    """What waits for each sink, what each vendor's account still allows, how many alarms are open.

    It only looks into the database; `connector doctor` reaches the vendors.
    """
    from connector.store import health

    now = utc_now()
    with looking(ctx) as here, here.store.read() as connection:
        totals = health.totals(connection)
        seen = dict.fromkeys([*here.outline.sinks, *(sink for sink, _ in totals.actions)])
        moment = health.moment(connection, seen, now)
    sinks = {sink: _of_sink(sink, totals, moment) for sink in seen}
    if as_json:
        print_json(
            {
                "undecided_since": moment.undecided_since,
                "sinks": sinks,
                "accounts": {one.account: _plain(one) for one in moment.accounts},
                "alarms": moment.alarms,
            }
        )
        return 0
    since = moment.undecided_since
    click.echo(
        f"Undecided answers wait since {cell(since)} UTC." if since else "Every answer is decided."
    )
    if sinks:
        states = (*_WAIT_FOR_US, *_WAIT_FOR_A_PERSON)
        columns = ("sink", *states, "oldest due (UTC)")
        told = [(sink, *(one[s] for s in states), one["due_since"]) for sink, one in sinks.items()]
        print_table(columns, told)
    for one in moment.accounts:
        click.echo(f"{one.account}: {in_words(one, now)}")
    open_ones = sum(moment.alarms.values())
    if open_ones:
        click.echo(f"{counted(open_ones, 'alarm')} open; see: connector doctor")
    return 0


def _of_sink(sink: str, totals: Totals, moment: Moment) -> dict[str, Any]:
    states = (*_WAIT_FOR_US, *_WAIT_FOR_A_PERSON)
    counts = {state: totals.actions.get((sink, state), 0) for state in states}
    return {**counts, "due_since": moment.due_since.get(sink)}


def _plain(one: Standing) -> dict[str, Any]:
    return {
        "limit_calls": one.limit.calls if one.limit else None,
        "limit_seconds": one.limit.seconds if one.limit else None,
        "use_at_most": one.share or None,
        "calls_left": one.left if one.limit else None,
        "wait_until": one.wait_until,
        "reason": one.reason,
        "paused_by": one.paused_by or None,
        "quota_calls": one.quota.calls if one.quota else None,
        "quota_used": one.quota.used if one.quota else None,
    }


def in_words(one: Standing, now: datetime) -> str:
    """How an account stands, in one line."""
    from datetime import timedelta

    from connector.limits import usable
    from connector.text import describe_duration

    said = []
    if one.limit:
        span = describe_duration(timedelta(seconds=one.limit.seconds))
        ours = usable(one.limit, one.share)
        said.append(
            f"{one.limit.calls:,} calls in {span}, of which we use {ours:,} at most; "
            f"{one.left:,} may go now"
        )
    if one.quota:
        part = one.quota.used / one.quota.calls
        said.append(f"{one.quota.used:,} of {one.quota.calls:,} calls of the day used ({part:.0%})")
    if one.paused_by:
        why = f": {one.reason}" if one.reason else ""
        said.append(f"paused by {one.paused_by} until `connector actions resume`{why}")
    elif one.reason and one.wait_until:
        said.append(f"paused until {cell(one.wait_until)} UTC: {one.reason}")
    elif one.wait_until:
        said.append(f"the next in {(one.wait_until - now).total_seconds():.1f} s")
    return "; ".join(said) or "not paused"
