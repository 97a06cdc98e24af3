"""`connector rules calendar`: when a calendar is open in the next two weeks."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import as_json, print_json, utc_now
from connector.cli.rules.named import named_rules
from connector.cli.tables import print_table

if TYPE_CHECKING:
    from connector.rules.calendars import WorkingTime

_DAYS = 14
_USUAL = timedelta(hours=4)


@click.command()
@click.argument("name")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="The first day; today.")
@click.option("--survey", help="Whose zone counts where the calendar has none; the first one.")
@as_json
@click.pass_context
def calendar(
    ctx: click.Context, name: str, first: datetime | None, survey: str | None, as_json: bool
) -> int:
    """Print the hours of the calendar NAME for two weeks, its holidays, and when a promise of four
    hours would be due."""
    from connector.cli.common import check_known
    from connector.errors import Invalid
    from connector.rules.load import load
    from connector.rules.timing import said

    _, place = named_rules(ctx, None)
    vocabulary = place.settings.vocabulary()
    loaded = load(place.text, vocabulary)
    if loaded.ruleset is None:
        raise Invalid([p.model_copy(update={"file": place.shown[p.file]}) for p in loaded.problems])
    times = loaded.ruleset.timetable
    check_known("calendar", name, times.calendars)
    check_known("survey", survey, vocabulary.surveys)
    working = times.working(name, survey or next(iter(vocabulary.surveys), ""))
    assert working is not None  # noqa: S101 - its name is known
    start = utc_now()
    if first is not None:
        start = datetime.combine(first.date(), time(), working.zone)
    day = start.astimezone(working.zone).date()
    days = [_day(working, day + timedelta(days=number)) for number in range(_DAYS)]
    due = working.add(start, _USUAL)
    if as_json:
        print_json({"calendar": name, "zone": str(working.zone), "days": days, "due_in_4h": due})
        return 0
    click.echo(f"{name}, {working.zone}")
    rows = [
        (f"{one['day']:%a %d %b}", ", ".join(one["open"]) or "closed", one["why"]) for one in days
    ]
    print_table(("day", "open", "why"), rows)
    begun = "begun now" if first is None else f"begun on {day}"
    click.echo(f"\n4h, {begun}: due {said(due, working.zone, name)}")
    return 0


def _day(working: WorkingTime, day: date) -> dict[str, Any]:
    calendar, zone = working.calendar, working.zone
    why = calendar.holiday(day)
    if day in calendar.opened:
        why = "hours of its own"
    elif day in calendar.closed:
        why = "closed by the file"
    spans = [
        f"{begin.astimezone(zone):%H:%M}-{end.astimezone(zone):%H:%M}".replace("-00:00", "-24:00")
        for begin, end in working.hours_of(day)
    ]
    return {"day": day, "open": spans, "why": why}
