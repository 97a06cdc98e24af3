"""`connector report load`: cases a day and team, what to expect beside a capacity, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from connector.cli.common import as_json, config_path, print_json, readonly_store, utc_now
from connector.cli.report.files import files, write_table
from connector.cli.rules.trying import Capacity, Zone
from connector.cli.tables import cell, print_table

_CSV = ("team", "weekday", "n", "p50", "p90", "p95", "capacity", "since", "until", "zone")


@click.command()
@click.option(
    "--weeks",
    default=26,
    show_default=True,
    type=click.IntRange(1, 104),
    help="Whole weeks before today that are looked at.",
)
@click.option(
    "--capacity",
    type=Capacity(),
    multiple=True,
    help="Cases a day that can be worked on: 20 for all, Retention=10 for one team. Repeat it.",
)
@click.option("--zone", type=Zone(), default="UTC", show_default=True, help="Where days begin.")
@files("the weekdays of every team")
@as_json
@click.pass_context
def load(
    ctx: click.Context,
    /,
    weeks: int,
    capacity: tuple[tuple[str, int], ...],
    zone: ZoneInfo,
    table: Path | None,
    page: Path | None,
    as_json: bool,
) -> int:
    """How many cases come to each team on a weekday, what to expect, and what is open now.

    Percentiles are those of past days; how well they would have told the past stands beside them.
    Nothing is written into the database.
    """
    from connector import config
    from connector.reports.load import Question, report

    outline = config.outline(config_path(ctx))
    with readonly_store(outline.store) as store, store.read() as connection:
        told = report(connection, Question(zone, dict(capacity), weeks), utc_now())
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
    same = {"since": cell(told["since"]), "until": cell(told["until"]), "zone": told["zone"]}
    for team in told["teams"]:
        for weekday in team["weekdays"]:
            row = {**weekday, **same, "team": _name(team), "capacity": team["capacity"]}
            yield [row.get(column) for column in _CSV]


def _name(team: Mapping[str, Any]) -> str:
    return team["team"] or "(all)"


def _show(told: Mapping[str, Any]) -> None:
    click.echo(_about(told))
    for caption, heads, rows in _tables(told):
        click.echo(f"\n{caption}:")
        print_table(heads, rows)
    if any(one["over"] for team in told["teams"] for one in team["expected"]):
        click.echo("! More than the capacity on one such day in ten or more.")


def _about(told: Mapping[str, Any]) -> str:
    whole = told["teams"][0]
    return (
        f"{whole['cases']:,} cases opened on {whole['days']:,} days, {cell(told['since'])} to "
        f"{cell(told['until'])} UTC; days are those of {told['zone']}."
    )


def _tables(
    told: Mapping[str, Any],
) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[object]]]]:
    """Caption, heads and rows of each."""
    whole = told["teams"][0]
    columns = ("team", "n weeks", *(one["weekday"] for one in whole["weekdays"]), "most")
    usual = "On a day, half and nine of ten days keep to (p50, p90)"
    yield usual, (*columns, "open", "untouched", "oldest"), list(_lines(told))
    days = [f"{one['weekday']} {one['day'].day:02}" for one in whole["expected"]]
    rows = [
        (_name(team), *map(_expected, team["expected"]), cell(team["capacity"]), _over(team))
        for team in told["teams"]
    ]
    heads = ("team", *days, "capacity", "days over")
    yield f"Expected, p50 to p90, as {_checked(whole)}", heads, rows


def _page(told: Mapping[str, Any]) -> str:
    from connector.cli.report.page import paragraphs, table, whole_page

    parts = [*paragraphs([_about(told)])]
    for caption, heads, rows in _tables(told):
        parts += table(caption, heads, rows)
    about = (
        "Percentiles are those of past days; whole weeks before today. ! says that more than the "
        "capacity came on one such day in ten or more."
    )
    title = f"Cases a day, {cell(told['since'])} to {cell(told['until'])} UTC"
    return whole_page(title, "\n".join(parts), about)


def _lines(told: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for team in told["teams"]:
        usual = (
            "-" if one["p50"] is None else f"{one['p50']}, {one['p90']}" for one in team["weekdays"]
        )
        least = min(one["n"] for one in team["weekdays"])
        waiting = (team["open"], team["untouched"], cell(team["oldest"]))
        yield (_name(team), least, *usual, team["most"], *waiting)


def _checked(whole: Mapping[str, Any]) -> str:
    kept = whole["kept_to_p90"]
    if not kept["n"]:
        return "soon as a weekday has been seen eight times"
    days = f"{kept['count']:,} of {kept['n']:,} days"
    return f"the weeks before would have said; {days} kept to the p90"


def _expected(one: Mapping[str, Any]) -> str:
    if one["p50"] is None:
        return "-"
    return f"{one['p50']} to {one['p90']}{' !' if one['over'] else ''}"


def _over(team: Mapping[str, Any]) -> str:
    return "-" if team["days_over"] is None else f"{team['days_over']} of {team['days']}"
