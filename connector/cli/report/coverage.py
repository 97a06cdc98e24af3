"""`connector report coverage`: whether everything received was decided and delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from connector.cli.common import as_json, config_path, print_json, readonly_store, utc_now
from connector.cli.moments import period
from connector.cli.report.files import files, write_table
from connector.cli.tables import cell, print_table

_USUAL = timedelta(days=30)
_NO_NEWS = ("duplicate", "stale", "ignored", "erased")
_NEEDS = ("held", "quarantined")
_NOT_SENT = ("superseded", "withheld")
_PERSON = ("actions_held", "parked", "in_doubt")
_COLUMNS = (
    *("source", "day (UTC)", "received", "decided", "no news", "waits", "unread"),
    *("acted", "actions", "sent", "receipt", "waits", "person"),
)


@click.command()
@period("30d")
@files("each source and day")
@as_json
@click.pass_context
def coverage(
    ctx: click.Context,
    /,
    last: timedelta | None,
    since: datetime | None,
    until: datetime | None,
    table: Path | None,
    page: Path | None,
    as_json: bool,
) -> int:
    """Received = decided = acted on = delivered = confirmed, per source and day, with every gap.

    Days are those of UTC. Exit code 1 where something needs a look.
    """
    from connector import config
    from connector.cli.rules.replays import window_of
    from connector.reports.coverage import cover, plain
    from connector.store.counting import Period

    window = window_of(last or (None if since else _USUAL), since, until)
    period = Period(window.since, window.until)
    # One snapshot for all sums: what is decided meanwhile must not look like a gap.
    outline = config.outline(config_path(ctx))
    with readonly_store(outline.store) as store, store.read() as connection:
        found = plain(cover(connection, period, utc_now()), period)
    if table is not None:
        write_table(table, ("source", "day", *found["total"]), map(_csv_row, found["days"]))
    if page is not None:
        page.write_text(_page(found), encoding="utf-8")
    if as_json:
        print_json(found)
    else:
        _show(found)
    return 0 if found["complete"] and found["adds_up"] else 1


def _show(found: Mapping[str, Any]) -> None:
    for line in _sums(found):
        click.echo(line)
    for line in _remarks(found):
        click.secho(line, bold=True)
    if found["days"]:
        click.echo()
        print_table(_COLUMNS, [_line(day) for day in found["days"]])


def _sums(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{cell(found['since'])} to {cell(found['until'])} UTC."
    total = found["total"]
    if not found["days"]:
        yield "Nothing was received and nothing was made in that time."
        return
    again = f" ({total['repeats']:,} came again, word for word)" if total["repeats"] else ""
    yield (
        f"Received {total['received']:,}{again} = {total['decided']:,} decided"
        f" + {_parts(total, _NO_NEWS, 'no news')}"
        f" + {total['waiting']:,} waiting + {_parts(total, _NEEDS, 'not understood')}"
    )
    lost = f" + {total['undecided']:,} without a decision" if total["undecided"] else ""
    yield (
        f"Decided {total['decided']:,} = {total['by_rule']:,} by a rule"
        f" + {total['by_default']:,} by default + {total['history']:,} history, which makes nothing"
        f"{lost}"
    )
    yield (
        f"Actions {total['actions']:,} = {total['delivered']:,} delivered"
        f" + {total['unsent']:,} on their way + {_parts(total, _NOT_SENT, 'not wanted')}"
        f" + {_parts(total, _PERSON, 'with a person')}"
    )
    yield (
        f"Delivered {total['delivered']:,} = {total['confirmed']:,} confirmed by a receipt"
        f" + {total['by_hand']:,} said by a person"
    )


def _remarks(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["adds_up"]:
        yield "These sums do not add up; please report it: connector doctor"
    for gap in found["gaps"]:
        yield f"Gap: {gap['number']:,} {gap['what']}; see: {gap['command']}"
    if found["days"] and not found["gaps"]:
        yield "No gap."


def _page(found: Mapping[str, Any]) -> str:
    from connector.cli.report.page import paragraphs, table, whole_page

    parts = [*paragraphs(_sums(found)), *paragraphs(_remarks(found))]
    rows = [(f"{day['source']}, {day['day']}", *_line(day)[2:]) for day in found["days"]]
    parts += table("By source and day (UTC)", ("source, day", *_COLUMNS[2:]), rows)
    about = (
        "Records stand on the day on which they were received, actions on the day on which they "
        "were made. What is with a person, not understood, or has not moved on for 15 minutes is a "
        "gap."
    )
    title = f"Coverage, {cell(found['since'])} to {cell(found['until'])} UTC"
    return whole_page(title, "\n".join(parts), about)


def _csv_row(day: Mapping[str, Any]) -> list[object]:
    return list(day.values())


def _parts(counts: Mapping[str, int], names: Sequence[str], whole: str) -> str:
    """`3 no news (duplicate 2, stale 1)`."""
    said = ", ".join(
        f"{name.removeprefix('actions_').replace('_', ' ')} {counts[name]:,}"
        for name in names
        if counts[name]
    )
    return f"{_sum(counts, names):,} {whole}" + (f" ({said})" if said else "")


def _sum(counts: Mapping[str, int], names: Sequence[str]) -> int:
    return sum(counts[name] for name in names)


def _line(day: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        day["source"],
        day["day"],
        day["received"],
        day["decided"],
        _sum(day, _NO_NEWS),
        day["waiting"],
        _sum(day, _NEEDS),
        day["by_rule"] + day["by_default"],
        day["actions"],
        day["delivered"],
        day["confirmed"],
        day["unsent"],
        _sum(day, _PERSON),
    )
