"""`connector report nps`: NPS per survey and group, with interval, n and the verdict on change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import click

from connector.cli.common import (
    as_json,
    check_known,
    counted,
    load_settings,
    print_json,
    readonly_store,
)
from connector.cli.moments import period
from connector.cli.report.files import files, write_table
from connector.cli.tables import cell, print_table

_UNKNOWN = "(unknown)"
_CSV = (
    *("survey", "by", "group", "since", "until", "n", "nps", "low", "high", "promoters"),
    *("passives", "detractors", "enough", "partial", "best_place", "worst_place"),
)


@click.command()
@click.option(
    "--by",
    default="survey",
    show_default=True,
    help="source, day, week, month, language, brand, rule, plan or another attribute of customers, "
    "company.NAME, properties.NAME.",
)
@click.option("--survey", help="Only answers to this survey.")
@period("90d")
@click.option(
    "--min-n",
    "least",
    default=30,
    show_default=True,
    type=click.IntRange(1),
    help="Answers that a figure needs to be shown.",
)
@files("the groups")
@as_json
@click.pass_context
def nps(
    ctx: click.Context,
    /,
    by: str,
    survey: str | None,
    last: timedelta | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
    **chosen: Any,
) -> int:
    """NPS of each survey and group with its 95 % interval and n, and whether it changed.

    Scales are never merged: each survey stands alone. Answers of erased persons and imported ones
    count. Days, weeks and months are those of UTC. Nothing is written into the database.
    """
    from connector.cli.rules.replays import window_of
    from connector.reports import telling
    from connector.reports.grouping import grouping
    from connector.reports.nps import Question, TooManyGroups, report
    from connector.store.counting import Period

    settings = load_settings(ctx, secrets=False)
    check_known("survey", survey, settings.surveys)
    try:
        groups = grouping(by, settings.vocabulary())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--by") from error
    window = window_of(last, since, until)
    question = Question(Period(window.since, window.until), groups, survey, chosen["least"])
    with readonly_store(settings.store) as store, store.read() as connection:
        try:
            blocks = report(connection, settings.surveys, question)
        except TooManyGroups as error:
            raise click.BadParameter(str(error), param_hint="--by") from error
    told = telling.told(blocks, question)
    if chosen["table"] is not None:
        write_table(chosen["table"], _CSV, _csv_rows(told))
    if chosen["page"] is not None:
        from connector.cli.report.page import page_of

        chosen["page"].write_text(page_of(told), encoding="utf-8")
    if as_json:
        print_json(told)
    else:
        _show(told)
    return 0


def _csv_rows(told: Mapping[str, Any]) -> Iterator[list[object]]:
    """Figures that rest on too few answers are left empty; their n is there."""
    period = {"by": told["by"], "since": cell(told["since"]), "until": cell(told["until"])}
    for block in told["surveys"]:
        for group in block["groups"]:
            row = {**group, **period, "survey": block["survey"], "group": name_of(group["group"])}
            if not group["enough"]:
                row |= dict.fromkeys(("nps", "low", "high"))
            for flag in ("enough", "partial"):
                row[flag] = "yes" if row.get(flag) else "no"
            yield [row.get(column) for column in _CSV]


def name_of(group: str | None) -> str:
    return _UNKNOWN if group is None else group


def heading(block: Mapping[str, Any]) -> str:
    """`Relationship NPS (relationship; 0 to 10, promoters from 9, passives from 7)`."""
    scale, name = block["scale"], block["name"]
    if scale is None:
        said = "no longer in connector.yaml: counted by the segments that were stored"
    else:
        said = f"{scale['low']} to {scale['high']}"
        if scale["promoter_from"] is not None:
            said += f", promoters from {scale['promoter_from']}"
            said += f", passives from {scale['passive_from']}"
    return f"{name} ({block['survey']}; {said})" if name else f"{block['survey']} ({said})"


def summary(block: Mapping[str, Any], least: int) -> str:
    """What can be said about all answers of a survey, in one or two sentences."""
    from connector.reports.telling import points

    many = counted(block["n"], "answer")
    if block["note"]:
        scores = ", ".join(f"{score}: {count:,}" for score, count in block["scores"].items())
        return f"{many}; {block['note']}. Scores: {scores or '-'}."
    if not block["enough"]:
        return f"NPS: too few to say, n {block['n']:,} (a figure needs {least:,})."
    shares = ", ".join(
        f"{100 * block[segment] / block['n']:.0f} % {segment}"
        for segment in ("promoters", "passives", "detractors")
    )
    between = f"{points(block['low'])} to {points(block['high'])}"
    return f"NPS {points(block['nps'])}, 95 % interval {between}, n {block['n']:,}: {shares}."


def left_out(block: Mapping[str, Any]) -> str:
    """Answers that are in no figure; empty where there are none."""
    parts = []
    if block["unscored"]:
        parts.append(f"{counted(block['unscored'], 'answer')} without a score")
    if block["off_scale"]:
        parts.append(f"{counted(block['off_scale'], 'score')} outside of today's scale")
    return f"Not counted: {' and '.join(parts)}." if parts else ""


def figures(group: Mapping[str, Any]) -> tuple[str, str]:
    """(NPS, interval) in words for people."""
    from connector.reports.telling import TOO_FEW, points

    if group["nps"] is None:
        return "-", "-"
    if not group["enough"]:
        return TOO_FEW, "-"
    return points(group["nps"]), f"{points(group['low'])} to {points(group['high'])}"


def place_of(group: Mapping[str, Any]) -> str:
    best, worst = group["best_place"], group["worst_place"]
    if best is None:
        return ""
    return str(best) if best == worst else f"{best} to {worst}"


def _show(told: Mapping[str, Any]) -> None:
    click.echo(f"Answers of {cell(told['since'])} to {cell(told['until'])} UTC.")
    if not told["surveys"]:
        click.echo("There are no such answers.")
    for block in told["surveys"]:
        click.echo()
        click.secho(heading(block), bold=True)
        click.echo(summary(block, told["min_n"]))
        if block["change"]:
            click.echo(f"Change: {block['change']['words']}")
        if missing := left_out(block):
            click.echo(missing)
        if told["by"] != "survey":
            click.echo()
            _show_groups(block, told["by"])
        if block["ranking"]:
            click.echo(block["ranking"])
        elif told["by"] == "rule":
            click.echo("An answer that several rules matched is counted with each of them.")


def _show_groups(block: Mapping[str, Any], by: str) -> None:
    placed = any(group["best_place"] for group in block["groups"])
    segments = () if block["note"] else ("promoters", "passives", "detractors")
    columns = (by, "n", "NPS", "95 % interval", *segments, *(("place",) if placed else ()))
    if block["note"]:
        columns = (by, "n")
    rows = []
    for group in block["groups"]:
        name = name_of(group["group"]) + (" (in part)" if group["partial"] else "")
        told = (*figures(group), *(group[segment] for segment in segments))
        row = (name, group["n"], *told, *((place_of(group),) if placed else ()))
        rows.append(row[: len(columns)])
    print_table(columns, rows)
