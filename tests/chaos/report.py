"""What a run has found: on the terminal, as a table for the docs, and as JSON to go on from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.verdict import MOST_PARKED, Tally

FEWEST = 500  # acknowledged answers, over all seeds of a set-up
FEWEST_SHORT = 250
FEWEST_A_SEED = 100


@dataclass
class Report:
    """One set-up and seed. `fired` counts each listed fault, those that never happened with 0."""

    set_up: str
    seed: int
    broken: str = ""
    acknowledged: int = 0
    seconds: float = 0.0
    tallies: list[Tally] = field(default_factory=list)
    may_be_in_doubt: int = 0
    fired: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    parked_because: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        guard = f" without its {self.broken} guard" if self.broken else ""
        return f"{self.set_up}, seed {self.seed}{guard}"

    @property
    def actions(self) -> int:
        return sum(tally.actions for tally in self.tallies)

    @property
    def lost(self) -> int:
        return sum(len(tally.lost) for tally in self.tallies)

    @property
    def doubled(self) -> int:
        return sum(len(tally.doubled) for tally in self.tallies)

    @property
    def parked(self) -> int:
        return sum(tally.parked for tally in self.tallies)

    @property
    def in_doubt(self) -> int:
        return sum(tally.in_doubt for tally in self.tallies)

    @property
    def faults(self) -> int:
        return sum(self.fired.values())

    def shortcomings(self) -> list[str]:
        """What makes this seed fail beside what is lost or doubled."""
        found = list(self.problems)
        if self.acknowledged < FEWEST_A_SEED:
            found.append(f"only {self.acknowledged} answers were acknowledged")
        if self.parked > MOST_PARKED * self.actions:
            found.append(f"{self.parked} of {self.actions} actions were parked")
        if self.in_doubt > self.may_be_in_doubt:
            found.append(f"{self.in_doubt} in doubt, but faults hit only {self.may_be_in_doubt}")
        return found

    def table(self) -> str:
        head = f"{'':<16}{'actions':>8}{'effects':>8}{'parked':>8}{'in doubt':>9}"
        head += f"{'lost':>6}{'doubled':>9}"
        rows = [
            f"{t.name:<16}{t.actions:>8}{t.effects:>8}{t.parked:>8}{t.in_doubt:>9}"
            f"{len(t.lost):>6}{len(t.doubled):>9}"
            for t in self.tallies
        ]
        told = [f"  {said}" for t in self.tallies for said in (t.lost + t.doubled)[:5]]
        told += [f"  {said}" for said in self.parked_because[:5]]
        faults = "; ".join(f"{name} x{times}" for name, times in self.fired.items())
        first = f"== {self.title}: {self.acknowledged} answers in {self.seconds:.0f} s"
        return "\n".join([first, f"{self.faults} faults: {faults}", head, *rows, *told])


def of_the_whole(reports: Sequence[Report], short: bool) -> list[str]:
    """What makes the run fail that no single seed shows."""
    found = []
    for set_up in dict.fromkeys(report.set_up for report in reports):
        mine = [report for report in reports if report.set_up == set_up]
        acknowledged = sum(report.acknowledged for report in mine)
        fewest = FEWEST_SHORT if short else FEWEST
        if acknowledged < fewest:
            found.append(f"{set_up}: only {acknowledged} answers were acknowledged, not {fewest}")
        times: dict[str, int] = {}
        for report in mine:
            for name, fired in report.fired.items():
                times[name] = times.get(name, 0) + fired
        found += [f"{set_up}: never happened: {name}" for name, n in times.items() if not n]
    return found


def save(reports: Iterable[Report], file: Path) -> None:
    """The table as Markdown in `file`, everything as JSON beside it."""
    kept = sorted(reports, key=lambda report: (report.broken, report.set_up, report.seed))
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file.with_suffix(".json"), json.dumps([asdict(report) for report in kept], indent=1))
    _write(file, markdown(kept, datetime.now(UTC)))


def load(file: Path) -> list[Report]:
    """What an earlier run has saved; nothing where there was none."""
    beside = file.with_suffix(".json")
    found = json.loads(beside.read_text()) if beside.exists() else []
    return [
        Report(**{**row, "tallies": [Tally(**tally) for tally in row["tallies"]]}) for row in found
    ]


def markdown(reports: Sequence[Report], now: datetime) -> str:
    """A table of the runs with all guards on, and one of those without."""
    whole = [report for report in reports if not report.broken]
    broken = [report for report in reports if report.broken]
    lines = [f"As of {now:%Y-%m-%d}.", ""]
    if whole:
        lines += _rows("set-up", "seed", whole, [[r.set_up, str(r.seed)] for r in whole])
        total = [sum(r.acknowledged for r in whole), sum(r.actions for r in whole)]
        total += [sum(r.lost for r in whole), sum(r.doubled for r in whole)]
        lines += ["", "{} answers acknowledged, {} actions: {} lost, {} doubled.".format(*total)]
    if broken:
        names = [[r.broken, f"{r.set_up}, seed {r.seed}"] for r in broken]
        lines += [""] if whole else []
        lines += _rows("guard that is off", "set-up", broken, names)
    return "\n".join(lines) + "\n"


_COLUMNS = ("acknowledged", "actions", "lost", "doubled", "parked", "in doubt", "faults", "seconds")


def _rows(one: str, other: str, reports: Iterable[Report], names: Iterable[list[str]]) -> list[str]:
    lines = [f"| {' | '.join((one, other, *_COLUMNS))} |", "|---|---|" + "---:|" * len(_COLUMNS)]
    for report, cells in zip(reports, names, strict=True):
        figures = [report.acknowledged, report.actions, report.lost, report.doubled]
        figures += [report.parked, report.in_doubt, report.faults, round(report.seconds)]
        lines.append(f"| {' | '.join([*cells, *map(str, figures)])} |")
    return lines


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(text)
    draft.replace(file)
