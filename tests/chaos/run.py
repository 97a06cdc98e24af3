"""The chaos suite: real processes, real faults, and the stand-ins count.

    python -m tests.chaos.run [--set-up embedded,redis,rabbitmq] [--seed N] [--seeds N] [--short]
                              [--break key|lookup|fence|sending]

The last line is `chaos: N acknowledged, 0 lost, 0 doubled, K parked`; the exit code is 1 where
something was lost or doubled, or where a fault that was listed never happened.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import click

from tests.chaos.campaign import SET_UPS, Campaign, Report
from tests.chaos.faults import INTERRUPTED
from tests.chaos.plan import GUARDS
from tests.chaos.servers import Unavailable

SEEDS = 20
ALL_SHORT = ("embedded", "redis")


def main(words: list[str] | None = None) -> int:
    given = _arguments(words)
    first = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    seeds = range(first, first + given.seeds)
    reports = _run(given, seeds)
    if INTERRUPTED.is_set():
        click.echo("interrupted; what had been started is ended")
        return 130
    problems = [f"{r.title}: {p}" for r in reports for p in r.problems]
    for problem in problems:
        click.echo(f"FAILED {problem}")
    lost, doubled = sum(r.lost for r in reports), sum(r.doubled for r in reports)
    if given.broken:
        seen = "the suite sees it" if lost + doubled else "NOBODY NOTICED"
        click.echo(f"guard '{given.broken}' was switched off: {seen}")
    parked = sum(r.parked for r in reports)
    total = sum(r.acknowledged for r in reports)
    click.echo(f"chaos: {total} acknowledged, {lost} lost, {doubled} doubled, {parked} parked")
    return 1 if lost or doubled or problems or not reports else 0


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--set-up", default="")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--break", dest="broken", choices=["", *GUARDS], default="")
    parser.add_argument("--keep", action="store_true", help="leave the run's folder behind")
    given = parser.parse_args(words)
    if not given.set_up:
        # On SQLite nobody else may take a stopped process's work, so no fence is ever needed.
        one = ("redis",) if given.broken == "fence" else ("embedded",)
        given.set_up = ",".join(one if given.broken else ALL_SHORT if given.short else SET_UPS)
    given.short = given.short or bool(given.broken)
    given.seeds = given.seeds or (1 if given.short or given.seed is not None else SEEDS)
    return given


def _run(given: argparse.Namespace, seeds: range) -> list[Report]:
    """Short runs of several set-ups go on side by side."""
    names = given.set_up.split(",")
    campaigns = [
        Campaign(name, seed, given.short, given.broken, given.keep)
        for name in names
        for seed in seeds
    ]
    with ThreadPoolExecutor(len(names) if given.short else 1) as pool:
        return [report for report in pool.map(_one, campaigns) if report is not None]


def _one(campaign: Campaign) -> Report | None:
    try:
        report = campaign.run()
    except KeyboardInterrupt:
        return None
    except Unavailable as why:
        click.echo(f"{campaign.title}: skipped, {why}")
        return None
    click.echo(report.table())
    return report


if __name__ == "__main__":
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: INTERRUPTED.set())
    sys.exit(main())
