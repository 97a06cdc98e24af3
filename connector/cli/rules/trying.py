"""`connector rules try`: what changed rules would have done with the answers of the past."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from connector.cli.common import as_json, check_known, print_json, print_problems
from connector.cli.moments import SPAN, period

if TYPE_CHECKING:
    from connector.cli.rules.surroundings import Place
    from connector.config import Settings
    from connector.rules.model import Ruleset


class Zone(click.ParamType[ZoneInfo]):
    name = "zone"

    def convert(self, value: Any, param: Any, ctx: Any) -> ZoneInfo:
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            self.fail(f"'{value}' is no time zone; write one such as Europe/Madrid", param, ctx)


class Capacity(click.ParamType[tuple[str, int]]):
    """`20`, or `TEAM=10`."""

    name = "[team=]cases"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        team, _, number = value.rpartition("=")
        if not number.strip().isdecimal():
            self.fail(f"'{value}': write 20 (cases a day) or Retention=10", param, ctx)
        return team.strip(), int(number)


@click.command("try")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@period("90d")
@click.option("--survey", help="Count only answers to this survey.")
@click.option(
    "--capacity",
    type=Capacity(),
    multiple=True,
    help="Cases a day that can be worked on: 20 for all, Retention=10 for one team. Repeat it.",
)
@click.option("--zone", type=Zone(), default="UTC", show_default=True, help="Where days begin.")
@click.option("--closes-after", type=SPAN, help="How long a case is open that was never made.")
@click.option("--as-news", is_flag=True, help="Act on history (imports, old answers) as well.")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="Differences that are shown, the newest.",
)
@click.option(
    "--csv",
    "table",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write every difference into this file.",
)
@as_json
@click.pass_context
def try_(
    ctx: click.Context,
    /,
    file: Path | None,
    last: timedelta | None,
    since: datetime | None,
    until: datetime | None,
    table: Path | None,
    as_json: bool,
    limit: int,
    **chosen: Any,
) -> int:
    """Replay stored answers under the rules of FILE and under the active ones, and compare.

    FILE is a rules file with the templates/ beside it; without it, the configured one. Nothing is
    made, sent or written. With mistakes in FILE nothing is replayed: exit code 3.
    """
    from connector import config
    from connector.cli.rules import replays, showing
    from connector.cli.rules.surroundings import installation
    from connector.replaying import Question, replay

    window = replays.window_of(last, since, until, chosen["as_news"])
    place = installation(ctx, file)
    settings = config.load(place.config, secrets=False)
    check_known("survey", chosen["survey"], settings.surveys)
    candidate = _candidate(place, settings)
    if candidate is None:
        return 3
    active, begun = replays.active_rules(settings)
    question = Question(
        active=active,
        candidate=candidate,
        window=window,
        within=settings.act_on_customers_within,
        accounts=replays.accounts_of(settings),
        survey=chosen["survey"],
        zone=chosen["zone"],
        closes_after=chosen["closes_after"],
        limit=limit if table is None else None,
    )
    with replays.progress_bar(quiet=as_json) as progress:
        replayed = replay(settings.store, question, progress)
    told = showing.told(question, replayed, dict(chosen["capacity"]), begun)
    if table is not None:
        with table.open("w", encoding="utf-8-sig", newline="") as opened:
            showing.write_table(opened, replayed.tally.differences)
        del told["differences"][limit:]
    if as_json:
        print_json(told)
    else:
        showing.show(told, str(file or settings.rules))
    return 0


def _candidate(place: Place, settings: Settings) -> Ruleset | None:
    from connector.rules.load import load

    loaded = load(place.text, settings.vocabulary())
    if loaded.ruleset is None:
        wrong = (problem for problem in loaded.problems if problem.severity == "error")
        shown = [p.model_copy(update={"file": place.shown.get(p.file, p.file)}) for p in wrong]
        print_problems(shown, err=True)
    return loaded.ruleset
