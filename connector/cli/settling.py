"""`connector actions retry|resolve|release`: what a person decides about actions, one or many."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from connector.cli.common import check_known, confirm, counted, looking, utc_now
from connector.cli.moments import MOMENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.cli.common import Looking
    from connector.intervening import Verdict

Function = Callable[..., Any]
RESOLVABLE = ("parked", "in_doubt", "held")


class Chosen(NamedTuple):
    """Which actions are meant: by id, or all in a state, of a sink, made since a time."""

    ids: tuple[int, ...]
    states: tuple[str, ...]
    sink: str | None
    since: datetime | None
    everything: bool

    def of(self, connection: Connection, here: Looking, only: str) -> Sequence[int]:
        """Raises ClickException for an id that is none of these, and for an unknown sink."""
        from connector.store import browsing, settling

        known = browsing.all_sinks(connection, here.outline.sinks)
        check_known("sink", self.sink, known)
        states = browsing.states_of(connection, self.ids)
        wrong = [
            f"action {id} is {states[id]}" if id in states else f"there is no action {id}"
            for id in self.ids
            if states.get(id) not in self.states
        ]
        if wrong:
            raise click.ClickException(f"{'; '.join(wrong)}; {only}")
        if not self.everything:
            return self.ids
        return settling.choose(connection, self.states, self.sink, self.since)


def _selection(*states: str) -> Callable[[Function], Function]:
    """IDs, or --all with --state, --sink, --since; the function gets them as `chosen`."""

    def decorate(function: Function) -> Function:
        @wraps(function)
        def called(
            ids: tuple[int, ...],
            state: str | None,
            sink: str | None,
            since: datetime | None,
            everything: bool,
            **others: Any,
        ) -> Any:
            everything = others.pop("parked", False) or everything
            if bool(ids) == everything:
                raise click.UsageError("name actions, or give --all (--state, --sink, --since)")
            if ids and (state or sink or since):
                raise click.UsageError("--state, --sink and --since go with --all, not with ids")
            chosen = Chosen(ids, (state,) if state else states, sink, since, everything)
            return function(chosen=chosen, **others)

        for option in (
            click.option("--all", "everything", is_flag=True, help="All that the others choose."),
            click.option("--since", type=MOMENT, metavar="TIME", help="Only made since then."),
            click.option("--sink", help="Only of this sink."),
            click.option("--state", type=click.Choice(states), help="Only in this state."),
            click.argument("ids", type=int, nargs=-1),
        ):
            called = option(called)
        return called

    return decorate


@click.command()
@_selection("parked")
@click.option("--parked", is_flag=True, help="The same as --all: what can be retried is parked.")
@click.pass_context
def retry(ctx: click.Context, chosen: Chosen) -> int:
    """Try parked actions again, after their cause was mended. What is in doubt is not resent."""
    from connector import intervening

    only = "only parked actions can be tried again: connector actions list --state parked"

    def work(connection: Connection) -> dict[str, int]:
        ids = chosen.of(connection, here, only)
        return intervening.retry(connection, ids, getpass.getuser(), utc_now())

    with looking(ctx) as here:
        counts = here.store.write(work)
    return _say(counts, "will be tried again; `connector run` sends", "No action is parked.")


@click.command()
@_selection(*RESOLVABLE)
@click.option("--there", "verdict", flag_value="there", help="You looked: it is there.")
@click.option("--not-needed", "verdict", flag_value="not needed", help="Nothing is to be made.")
@click.option("--remote-id", help="With --there and one action: its id at the far side.")
@click.option("--url", help="With --there and one action: its link.")
@click.option("--note", default="", help="Why; it is kept.")
@click.option("--by", help="Who says so; by default you.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def resolve(
    ctx: click.Context,
    chosen: Chosen,
    verdict: Verdict | None,
    remote_id: str | None,
    url: str | None,
    note: str,
    by: str | None,
    yes: bool,
) -> int:
    """End actions that wait for a person (parked, in doubt, held): say what became of them.

    Their alarms are cleared; who said so, and why, is kept with each. A case that is said to be
    there without --remote-id gets no notes about revisions.
    """
    from connector import intervening

    if verdict is None:
        raise click.UsageError("say what became of them: --there or --not-needed")
    if (remote_id or url) and not (verdict == "there" and len(chosen.ids) == 1):
        raise click.UsageError("--remote-id and --url go with --there and one action")
    who = by or getpass.getuser()
    only = "only what is parked, in_doubt or held can be resolved"

    def work(connection: Connection) -> dict[str, int]:
        ids = chosen.of(connection, here, only)
        there_as = (remote_id, url)
        return intervening.resolve(connection, ids, verdict, who, utc_now(), note, there_as)

    with looking(ctx) as here:
        if chosen.everything and not yes:
            with here.store.read() as connection:
                count = len(chosen.of(connection, here, only))
            if count:
                confirm(f"End {counted(count, 'action')} as {verdict}?", "Nothing was changed.")
        counts = here.store.write(work)
    return _say(counts, f"ended: {verdict}", "There are no such actions.")


@click.command()
@click.argument("source", required=False)
@click.option("--all", "everything", is_flag=True, help="Of every source.")
@click.option("--restored", is_flag=True, help="What is held after a restore (connector recover).")
@click.option("--sink", help="With --restored: only of this sink.")
@click.pass_context
def release(
    ctx: click.Context, source: str | None, everything: bool, restored: bool, sink: str | None
) -> int:
    """Let the actions go that a flood from SOURCE held back, or a recovery after a restore."""
    from connector import intervening
    from connector.store import browsing

    if (source is not None) + everything + restored != 1:
        raise click.UsageError("name a source, or give --all or --restored")
    if sink is not None and not restored:
        raise click.UsageError("--sink goes with --restored")

    def work(connection: Connection) -> dict[str, int]:
        now, who = utc_now(), getpass.getuser()
        if restored:
            check_known("sink", sink, browsing.all_sinks(connection, here.outline.sinks))
            return intervening.release_restored(connection, sink, who, now)
        known = dict.fromkeys([*here.outline.sources, *browsing.sources_seen(connection)])
        check_known("source", source, known)
        chosen = [id for id in known if source in (None, id)]
        return intervening.release(connection, chosen, who, now)

    with looking(ctx) as here:
        counts = here.store.write(work)
    return _say(counts, "released; `connector run` sends", "Nothing is held.")


def _say(counts: dict[str, int], what: str, nothing: str) -> int:
    for sink, count in sorted(counts.items()):
        them = " them." if what.endswith("sends") else "."
        click.echo(f"{counted(count, 'action')} of {sink} {what}{them}")
    if not counts:
        click.echo(nothing)
    return 0
