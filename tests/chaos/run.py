"""The chaos suite: real processes, real faults, and the stand-ins count.

    python -m tests.chaos.run [--set-up embedded,redis,rabbitmq] [--seed N] [--seeds N] [--jobs N]
                              [--short] [--break GUARD] [--report FILE.md [--resume]] [--keep]

The last line is `chaos: N acknowledged, 0 lost, 0 doubled, K parked`; the exit code is 1 where
something was lost or doubled, or where a fault that was listed never happened.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import click

from tests.chaos.campaign import SET_UPS, Campaign
from tests.chaos.faults import Event
from tests.chaos.plan import GUARDS
from tests.chaos.report import Report, load, of_the_whole, save
from tests.chaos.servers import Unavailable

SEEDS = 20
ALL_SHORT = ("embedded", "redis")
FORK = multiprocessing.get_context("fork")
INTERRUPTED: Event = FORK.Event()  # whoever runs the suite wants to stop; all processes see it


def main(words: list[str] | None = None) -> int:
    given = _arguments(words)
    first = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    wanted = [
        Campaign(set_up, first + number, given.short, guard, given.keep)
        for guard in given.broken
        for number in range(given.seeds)
        for set_up in _set_ups(given, guard)
    ]
    kept = load(given.report) if given.report and given.resume else []
    kept = [report for report in kept if report.acknowledged]  # the others never began
    known = {(report.set_up, report.seed, report.broken) for report in kept}
    left = [one for one in wanted if (one.set_up, one.seed, one.broken) not in known]
    reports = list(kept)
    click.echo(f"chaos: {len(left)} runs from seed {first}")
    for report in _run(left, given.jobs):
        reports.append(report)
        click.echo(report.table())
        if given.report:
            save(reports, given.report)
    if INTERRUPTED.is_set():
        click.echo("interrupted; what had been started is ended")
        return 130
    return _verdict(reports, given)


def _verdict(reports: list[Report], given: argparse.Namespace) -> int:
    whole = [report for report in reports if not report.broken]
    problems = [f"{report.title}: {said}" for report in whole for said in report.shortcomings()]
    problems += of_the_whole(whole, given.short)
    for problem in problems:
        click.echo(f"FAILED {problem}")
    for report in reports:
        if report.broken:
            seen = "the suite sees it" if report.lost + report.doubled else "NOBODY NOTICED"
            click.echo(f"guard '{report.broken}' was switched off ({report.set_up}): {seen}")
    lost, doubled = sum(r.lost for r in reports), sum(r.doubled for r in reports)
    parked = sum(r.parked for r in reports)
    total = sum(r.acknowledged for r in reports)
    click.echo(f"chaos: {total} acknowledged, {lost} lost, {doubled} doubled, {parked} parked")
    return 1 if lost or doubled or problems or not reports else 0


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--set-up", default="")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--jobs", type=int, help="runs side by side")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--break", dest="broken", choices=["", "all", *GUARDS], default="")
    parser.add_argument("--report", type=Path, help="keep the table here, as Markdown and JSON")
    parser.add_argument("--resume", action="store_true", help="only what the report lacks")
    parser.add_argument("--keep", action="store_true", help="leave the run's folder behind")
    given = parser.parse_args(words)
    given.short = given.short or bool(given.broken)
    given.broken = GUARDS if given.broken == "all" else (given.broken,)
    given.seeds = given.seeds or (1 if given.short or given.seed is not None else SEEDS)
    given.jobs = given.jobs or (2 if given.short else 1)
    return given


def _set_ups(given: argparse.Namespace, guard: str) -> list[str]:
    if given.set_up:
        return str(given.set_up).split(",")
    if guard:
        # On SQLite nobody else may take a stopped process's work, so no fence is ever needed.
        return ["redis" if guard == "fence" else "embedded"]
    return list(ALL_SHORT if given.short else SET_UPS)


def _run(campaigns: list[Campaign], jobs: int) -> Iterator[Report]:
    """Each in a process of its own, as they end."""
    with ProcessPoolExecutor(jobs, FORK, initializer=_obey) as pool:
        for running in as_completed([pool.submit(_one, one) for one in campaigns]):
            report = running.result()
            if report is not None:
                yield report


def _one(campaign: Campaign) -> Report | None:
    if INTERRUPTED.is_set():
        return None
    try:
        return campaign.run(INTERRUPTED)
    except KeyboardInterrupt:
        return None
    except Unavailable as why:
        click.echo(f"{campaign.title}: skipped, {why}")
        return None
    except Exception:  # noqa: BLE001 - the other runs go on, and the table keeps this one's place
        problem = f"the run itself failed\n{traceback.format_exc()}"
        return Report(campaign.set_up, campaign.seed, campaign.broken, problems=[problem])


def _obey() -> None:
    """Ctrl-C reaches every process of the terminal; all of them end in good order."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: INTERRUPTED.set())  # type: ignore[attr-defined]


if __name__ == "__main__":
    _obey()
    sys.exit(main())
