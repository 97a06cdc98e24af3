"""`connector report lift`: what rules with a holdout bring, with both sides and their n."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from connector.cli.common import as_json, load_settings, print_json, readonly_store, utc_now
from connector.cli.moments import SPAN, period
from connector.cli.report.files import files, write_table
from connector.cli.tables import cell

_CSV = (
    *("rule", "survey", "holdout", "since", "until", "within", "acted", "held_out"),
    *("acted_again", "held_out_again", "acted_next_score", "held_out_next_score"),
    *("score_word", "score_difference", "score_low", "score_high"),
    *("again_word", "again_difference", "again_low", "again_high", "too_new", "anonymous"),
)


@click.command()
@period("365d")
@click.option(
    "--within",
    type=SPAN,
    default="90d",
    show_default=True,
    help="An answer counts as the next one if it comes within that long.",
)
@click.option(
    "--min-n",
    "least",
    default=30,
    show_default=True,
    type=click.IntRange(30),
    help="Customers that each side needs.",
)
@files("the figures")
@as_json
@click.pass_context
def lift(
    ctx: click.Context,
    /,
    last: timedelta | None,
    since: datetime | None,
    until: datetime | None,
    table: Path | None,
    page: Path | None,
    as_json: bool,
    **chosen: Any,
) -> int:
    """What a rule with `holdout` brings: next score and answering again, beside the held out.

    Everybody whom the rule matched counts on the side that chance drew, with the first match.
    Nothing is written into the database.
    """
    from connector.cli.rules.replays import active_rules, window_of
    from connector.reports.lift import Question, report
    from connector.store.counting import Period

    settings = load_settings(ctx, secrets=False)
    within, least = chosen["within"], chosen["least"]
    window = window_of(last or (None if since else timedelta(days=365)), since, until)
    active, _ = active_rules(settings)
    holdouts = {rule.id: rule.holdout for rule in active.rules if rule.holdout}
    question = Question(Period(window.since, window.until), within, least)
    with readonly_store(settings.store) as store, store.read() as connection:
        found = report(connection, holdouts, question, utc_now())
    told = {"since": window.since, "until": window.until, "within": within, "min_n": least}
    told["rules"] = found
    if table is not None:
        write_table(table, _CSV, _csv_rows(told))
    if page is not None:
        page.write_text(_page(told), encoding="utf-8")
    if as_json:
        print_json(told)
    else:
        _show(told)
    return 0


def _csv_rows(told: Mapping[str, Any]) -> Iterator[list[object]]:
    for one in told["rules"]:
        row = {name: one[name] for name in ("rule", "survey", "holdout", "too_new", "anonymous")}
        row |= {name: cell(told[name]) for name in ("since", "until", "within")}
        for side in ("acted", "held_out"):
            row[side] = one[side]["customers"]
            row[f"{side}_again"] = one[side]["answered_again"]["count"]
            row[f"{side}_next_score"] = one[side]["next_score"]
        for short, name in (("score", "next_score"), ("again", "answered_again")):
            row |= {f"{short}_{part}": value for part, value in one[name].items()}
        yield [row.get(column) for column in _CSV]


def _show(told: Mapping[str, Any]) -> None:
    for line in _about(told):
        click.echo(line)
    for one in told["rules"]:
        click.echo()
        click.secho(_heading(one), bold=True)
        for line in _lines(one):
            click.echo(line)


def _about(told: Mapping[str, Any]) -> Iterator[str]:
    from connector.text import describe_duration

    yield (
        f"Matches of {cell(told['since'])} to {cell(told['until'])} UTC; an answer within "
        f"{describe_duration(told['within'])} is the next one."
    )
    if not told["rules"]:
        yield "No active rule has a holdout: write holdout: 10% to see what one brings."


def _page(told: Mapping[str, Any]) -> str:
    from html import escape

    from connector.cli.report.page import paragraphs, whole_page

    parts = [*paragraphs(_about(told))]
    for one in told["rules"]:
        parts += [f"<h2>{escape(_heading(one))}</h2>", *paragraphs(_lines(one))]
    about = (
        "Everybody whom the rule matched counts on the side that chance drew. The verdicts may be "
        "read every week: in a year without an effect one in twenty raises an alarm at most."
    )
    title = f"What holdouts say, {cell(told['since'])} to {cell(told['until'])} UTC"
    return whole_page(title, "\n".join(parts), about)


def _heading(one: Mapping[str, Any]) -> str:
    about = f", {one['survey']}" if one["survey"] else ""
    return f"{one['rule']}{about} (holdout {one['holdout']})"


def _lines(one: Mapping[str, Any]) -> Iterator[str]:
    acted, held_out = one["acted"], one["held_out"]
    yield f"Acted on: {_side(acted)}"
    yield f"Held out: {_side(held_out)}"
    yield f"Next score: {_verdict(one['next_score'], 1, '')}"
    yield f"Answered again: {_verdict(one['answered_again'], 100, ' points')}"
    left = [
        f"{one['too_new']:,} matched so lately that they can still answer"
        if one["too_new"]
        else "",
        f"{one['anonymous']:,} anonymous answers" if one["anonymous"] else "",
    ]
    if any(left):
        yield f"Not counted: {'; '.join(filter(None, left))}."


def _side(side: Mapping[str, Any]) -> str:
    again = side["answered_again"]
    score = "-" if side["next_score"] is None else f"{side['next_score']:.2f}"
    return f"{side['customers']:,} customers, {again['count']:,} answered again, mean score {score}"


def _verdict(found: Mapping[str, Any], factor: int, unit: str) -> str:
    word = found["word"]
    if found["difference"] is None:
        return f"{word}."
    difference, low, high = (factor * found[name] for name in ("difference", "low", "high"))
    shape = "+.2f" if factor == 1 else "+.0f"
    return f"{word}; {difference:{shape}}{unit}, interval {low:{shape}} to {high:{shape}}."
