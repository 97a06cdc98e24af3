"""`connector rules report`: what the rules do, and beside it what each shadow would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import as_json, check_known, counted, load_settings, print_json
from connector.cli.moments import period
from connector.cli.tables import cell, print_table

if TYPE_CHECKING:
    from connector.replaying import Question, Replayed
    from connector.rules.model import Ruleset
    from connector.rules.tally import Tally


@click.command()
@period("90d")
@click.option("--survey", help="Count only answers to this survey.")
@click.option(
    "--limit",
    default=5,
    show_default=True,
    type=click.IntRange(0),
    help="Differences that are shown for each shadow, the newest.",
)
@as_json
@click.pass_context
def report(
    ctx: click.Context,
    /,
    last: timedelta | None,
    since: datetime | None,
    until: datetime | None,
    survey: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """Say what each active rule does, and what each shadow would do if it alone were live too.

    Stored answers are replayed under the active rules. Nothing is made, sent or written.
    """
    from connector.cli.rules import replays
    from connector.replaying import Question, replay
    from connector.rules.shadows import as_live, shadows

    settings = load_settings(ctx, secrets=False)
    check_known("survey", survey, settings.surveys)
    active, begun = replays.active_rules(settings)
    question = Question(
        active=active,
        candidate=active,
        window=replays.window_of(last, since, until),
        within=settings.act_on_customers_within,
        accounts=replays.accounts_of(settings),
        survey=survey,
        limit=limit,
    )
    wanted = {rule.id: as_live(active, rule.id) for rule in shadows(active)}
    replayed: dict[str, Replayed] = {}
    with replays.progress_bar(quiet=as_json) as progress:
        for rule_id, candidate in wanted.items():
            asked = replace(question, candidate=candidate)
            replayed[rule_id] = replay(settings.store, asked, progress)
        live = next(iter(replayed.values()), None) or replay(settings.store, question, progress)
    told = _told(question, live, replayed, begun)
    if as_json:
        print_json(told)
    else:
        _show(told)
    return 0


def _told(
    question: Question,
    live: Replayed,
    replayed: Mapping[str, Replayed],
    active_since: datetime | None,
) -> dict[str, Any]:
    tally, span = live.tally, live.span
    return {
        "ruleset": question.active.hash,
        "active_since": active_since,
        "since": question.window.since,
        "until": question.window.until,
        "survey": question.survey,
        "answers": tally.answers,
        "history": tally.history,
        "erased": span.erased if span else 0,
        "rules": list(_rules(question.active, tally)),
        "shadows": [_shadow(id, one.tally) for id, one in replayed.items()],
    }


def _rules(active: Ruleset, tally: Tally) -> Iterator[dict[str, Any]]:
    """Every rule, also one that matched nothing."""
    from connector.rules.model import DEFAULT_ID

    known = [(rule.id, rule.name, rule.status) for rule in active.rules]
    for id, name, status in [*known, (DEFAULT_ID, "", "live")]:
        counts = _counts(tally, id, 0)
        if counts or id != DEFAULT_ID:
            yield {"rule": id, "name": name, "status": status, "counts": counts}


def _counts(tally: Tally, rule: str, side: int) -> dict[str, int]:
    """What was counted -> how often; answers first. Side 1 is the one with the shadow live."""
    from connector.rules.tally import MATCHED

    found = {what: pair[side] for (id, what), pair in tally.rules.items() if id == rule}
    ordered = sorted(found, key=lambda what: (what != MATCHED, what))
    return {what: found[what] for what in ordered if found[what]}


def _shadow(rule: str, tally: Tally) -> dict[str, Any]:
    from connector.cli.rules.showing import changes_of

    return {
        "rule": rule,
        "counts": _counts(tally, rule, 1),
        "changes": changes_of(tally),
        "differences": [one._asdict() for one in tally.differences],
    }


def _show(found: Mapping[str, Any]) -> None:
    from connector.cli.rules.showing import show_left_out

    since = f", active since {cell(found['active_since'])} UTC" if found["active_since"] else ""
    about = f" to {found['survey']}" if found["survey"] else ""
    click.echo(
        f"Ruleset {found['ruleset'][:12]}{since}, replayed over "
        f"{counted(found['answers'], 'answer')}{about} of {cell(found['since'])} to "
        f"{cell(found['until'])} UTC. Nothing is made or sent."
    )
    show_left_out(found)
    shadows = {one["rule"]: one["counts"] for one in found["shadows"]}
    click.echo()
    print_table(("rule", "status", "what", "live", "if live"), list(_lines(found, shadows)))
    if not shadows:
        click.echo("\nNo rule is a shadow: write status: shadow to try one beside the others.")
    for one in found["shadows"]:
        _show_shadow(one)


def _lines(
    found: Mapping[str, Any], shadows: Mapping[str, Mapping[str, int]]
) -> Iterator[tuple[object, ...]]:
    for one in found["rules"]:
        would = shadows.get(one["rule"])
        counts = one["counts"] if would is None else would
        for what in counts or ("answers",):
            count = counts.get(what, 0)
            shown = (count, "") if would is None else ("", count)
            yield one["rule"], one["status"], what, *shown


def _show_shadow(one: Mapping[str, Any]) -> None:
    from connector.cli.rules.showing import show_changes

    click.echo(f"\nIf {one['rule']} were live:", nl=False)
    show_changes(one["changes"], one["differences"], "--limit")
