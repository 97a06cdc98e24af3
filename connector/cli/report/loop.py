"""`connector report loop`: on time, closed by cohort, both clocks, reopened, causes, per group."""

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
    utc_now,
)
from connector.cli.moments import period
from connector.cli.report.files import files, write_table
from connector.cli.report.nps import name_of, place_of
from connector.cli.tables import cell, print_table

_DAYS = (2, 7, 30)
_SHARES = ("on_time", "reopened", "with_cause", "with_action", "with_both")
_CLOCKS = ("customer_clock", "working_clock")
_PERCENTILES = ("p50", "p90", "p95")
_CSV = (
    *("survey", "by", "group", "since", "until", "as_of", "cases", "untouched", "unpromised"),
    *("due", "overdue", "open", "closed", "gone"),
    *(f"{name}_{part}" for name in _SHARES for part in ("n", "share", "low", "high")),
    *(f"{clock}_{part}" for clock in _CLOCKS for part in ("n", *_PERCENTILES)),
    *("partial", "best_place", "worst_place"),
)


@click.command()
@click.option(
    "--by",
    default="survey",
    show_default=True,
    help="source, segment, rule, owner, team, week, month, plan or another attribute of customers, "
    "company.NAME, properties.NAME.",
)
@click.option("--survey", help="Only cases of this survey.")
@period("90d")
@click.option(
    "--min-n",
    "least",
    default=30,
    show_default=True,
    type=click.IntRange(1),
    help="Cases that a share needs to be shown.",
)
@click.option("--recovery", is_flag=True, help="Also how segments changed by the next answer.")
@files("the groups")
@as_json
@click.pass_context
def loop(
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
    """How well the loop is closed: cases of the answers given in a time, as they stand now.

    Overdue cases that nobody has touched count as missed; what is not due yet does not count.
    Nothing is written into the database.
    """
    from connector.cli.rules.replays import window_of
    from connector.reports import loop_telling
    from connector.reports.grouping import case_grouping
    from connector.reports.loop import Question, report
    from connector.reports.nps import TooManyGroups
    from connector.reports.recovery import recovery
    from connector.store.counting import Period

    settings = load_settings(ctx, secrets=False)
    check_known("survey", survey, settings.surveys)
    try:
        groups = case_grouping(by, settings.vocabulary())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--by") from error
    window, now = window_of(last, since, until), utc_now()
    question = Question(Period(window.since, window.until), groups, survey, chosen["least"])
    with readonly_store(settings.store) as store, store.read() as connection:
        try:
            told = loop_telling.told(report(connection, question, now), question, now)
        except TooManyGroups as error:
            raise click.BadParameter(str(error), param_hint="--by") from error
        told["recovery"] = None
        if chosen["recovery"]:
            told["recovery"] = recovery(connection, settings.surveys, question)
    if chosen["table"] is not None:
        write_table(chosen["table"], _CSV, _csv_rows(told))
    if chosen["page"] is not None:
        from connector.cli.report.loop_page import page_of

        chosen["page"].write_text(page_of(told), encoding="utf-8")
    if as_json:
        print_json(told)
    else:
        _show(told)
    return 0


def _csv_rows(told: Mapping[str, Any]) -> Iterator[list[object]]:
    """Shares that rest on too few cases are left empty; their n is there. Times are seconds."""
    same = {"survey": told["survey"] or "", "by": told["by"]}
    same |= {name: cell(told[name]) for name in ("since", "until", "as_of")}
    for group in told["groups"]:
        row = {**group, **same, "group": name_of(group["group"])}
        row["partial"] = "yes" if group["partial"] else "no"
        for name in _SHARES:
            found = group[name]
            row[f"{name}_n"] = found["n"]
            for part in ("share", "low", "high") if found["enough"] else ():
                row[f"{name}_{part}"] = found[part]
        for clock in _CLOCKS:
            found = group[clock] or {"n": 0, "enough": False}
            row[f"{clock}_n"] = found["n"]
            for part in _PERCENTILES if found["enough"] else ():
                row[f"{clock}_{part}"] = found[part]["seconds"]
        yield [row.get(column) for column in _CSV]


def sentences(told: Mapping[str, Any]) -> Iterator[str]:
    """What can be said of all cases together."""
    from connector.reports.loop_telling import percent

    whole = told["whole"]
    yield (
        f"{counted(whole['cases'], 'case')}: {whole['closed']:,} closed, {whole['open']:,} open"
        f" ({whole['untouched']:,} untouched), {whole['gone']:,} deleted at the far side."
    )
    waiting = whole["cases"] - whole["due"] - whole["unpromised"]
    yield (
        f"On time: {percent(whole['on_time'])} due. {whole['overdue']:,} of the missed ones are "
        f"still untouched; {waiting:,} are not due yet, {whole['unpromised']:,} have no due time."
    )
    for name, clock, about in (
        ("Customer's clock", whole["customer_clock"], "cases"),
        ("Working clock", whole["working_clock"], "due cases"),
    ):
        if clock:
            yield f"{name} to the first touch: {clock_words(clock, about)}"
    yield f"Reopened: {percent(whole['reopened'])} that were closed."
    yield (
        f"Closed with a cause: {percent(whole['with_cause'])}; with an action: "
        f"{percent(whole['with_action'])}; with both: {percent(whole['with_both'])}."
    )


def clock_words(clock: Mapping[str, Any], about: str) -> str:
    """`p50 4.2 h (3.8 h to 4.9 h), p90 …; n 200 cases, 12 of them untouched.`"""
    from connector.reports.loop_telling import duration

    n, untouched = clock["n"], clock["n"] - clock["touched"]
    if not clock["enough"]:
        return f"too few to say, n {n:,} {about}, {untouched:,} of them untouched."
    parts = []
    for name in _PERCENTILES:
        one = clock[name]
        said = f"{name} {duration(one['seconds'])}"
        if one["seconds"] is not None:
            high = "open" if one["high"] is None else duration(one["high"])
            said += f" ({duration(one['low'] or 0)} to {high})"
        parts.append(said)
    return f"{', '.join(parts)}; n {n:,} {about}, {untouched:,} of them untouched."


def cohort_row(cohort: Mapping[str, Any]) -> tuple[object, ...]:
    def closed(days: int) -> str:
        number = cohort[f"closed_in_{days}"]
        if number is None:
            return "not over"
        return f"{number:,} ({100 * number / cohort['opened']:.0f} %)"

    counts = (cohort["closed"], cohort["open"], cohort["gone"])
    return cohort["week"], cohort["opened"], *map(closed, _DAYS), *counts


COHORTS = (
    *("week of the answer", "opened", "closed in 2 d", "in 7 d", "in 30 d", "closed"),
    *("open", "deleted"),
)
GROUPS = ("cases", "open", "untouched", "on time", "p50", "p90", "reopened", "cause and action")


def group_row(group: Mapping[str, Any]) -> tuple[object, ...]:
    from connector.reports.loop_telling import duration, percent

    clock = group["customer_clock"]
    times = [duration(clock[name]["seconds"]) for name in ("p50", "p90")] if clock else ["-", "-"]
    if clock and not clock["enough"]:
        times = ["-", "-"]
    return (
        *(group[name] for name in ("cases", "open", "untouched")),
        percent(group["on_time"]),
        *times,
        percent(group["reopened"]),
        percent(group["with_both"]),
    )


def _show(told: Mapping[str, Any]) -> None:
    click.echo(
        f"Cases of answers of {cell(told['since'])} to {cell(told['until'])} UTC, as they stood "
        f"at {cell(told['as_of'])} UTC."
    )
    if not told["whole"]["cases"]:
        click.echo("There are no such cases.")
    else:
        for sentence in sentences(told):
            click.echo(sentence)
        click.echo()
        print_table(COHORTS, [cohort_row(cohort) for cohort in told["cohorts"]])
        _show_groups(told)
        for name in ("causes", "actions"):
            _show_endings(name, told[name])
    if told["recovery"] is not None:
        from connector.reports.recovery import words

        click.echo()
        for line in words(told["recovery"]):
            click.echo(line)


def _show_groups(told: Mapping[str, Any]) -> None:
    placed = any(group["best_place"] for group in told["groups"])
    rows = []
    for group in told["groups"]:
        name = name_of(group["group"]) + (" (in part)" if group["partial"] else "")
        rows.append((name, *group_row(group), *((place_of(group),) if placed else ())))
    click.echo()
    print_table((told["by"], *GROUPS, *(("place",) if placed else ())), rows)
    if told["ranking"]:
        click.echo(told["ranking"])


def _show_endings(name: str, found: list[dict[str, Any]]) -> None:
    if found:
        click.echo()
        rows = [
            (one["name"], one["count"], f"{100 * one['count'] / one['of']:.0f} %") for one in found
        ]
        print_table((name, "cases", f"of {found[0]['of']:,} closed"), rows)
