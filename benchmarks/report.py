"""What a benchmark found, as a table for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Figure:
    """One measured number. `reach` is the bound it has to keep; None where it is only reported."""

    what: str
    value: float
    unit: str
    reach: float | None = None
    bound: Literal["least", "most"] = "least"
    beside: str = ""  # what was measured beside it, in the same run

    @property
    def is_reached(self) -> bool | None:
        if self.reach is None:
            return None
        return self.value >= self.reach if self.bound == "least" else self.value <= self.reach


@dataclass(frozen=True)
class Row:
    """One benchmark: its name, its figures, and how long it took."""

    name: str
    figures: tuple[Figure, ...]
    seconds: float


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def lines(row: Row) -> list[str]:
    """The row as aligned text; each figure says whether it is where it should be."""
    found = [f"{row.name} ({row.seconds:.0f} s)"]
    for figure in row.figures:
        verdict = {True: "ok", False: "SHORT", None: ""}[figure.is_reached]
        said = (
            f"  {figure.what:<58} {number(figure.value):>9} {figure.unit:<10} {_wanted(figure):>8}"
        )
        found.append(f"{said} {verdict:<5} {figure.beside}".rstrip())
    return found


def markdown(machine: Mapping[str, str], rows: Sequence[Row]) -> str:
    """What stands in docs/performance.md."""
    found = [f"- {name}: {value}" for name, value in machine.items()]
    found += ["", "| benchmark | what | measured | reach | |", "|---|---|---|---|---|"]
    for row in rows:
        for figure in row.figures:
            verdict = {True: "ok", False: "**short**", None: ""}[figure.is_reached]
            cells = (row.name, _said(figure), f"{number(figure.value)} {figure.unit}")
            found.append(f"| {' | '.join((*cells, _wanted(figure), verdict))} |")
    return "\n".join(found)


def _said(figure: Figure) -> str:
    return f"{figure.what} ({figure.beside})" if figure.beside else figure.what


def _wanted(figure: Figure) -> str:
    if figure.reach is None:
        return ""
    return f"{'≥' if figure.bound == 'least' else '≤'} {number(figure.reach)}"


def as_json(machine: Mapping[str, str], rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "machine": dict(machine),
        "benchmarks": [
            {
                "name": row.name,
                "seconds": round(row.seconds, 1),
                "figures": [{**asdict(f), "is_reached": f.is_reached} for f in row.figures],
            }
            for row in rows
        ],
    }
