"""Where the points of a chart lie; the templates draw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connector.reports.programme import Week

LEFT, RIGHT, TOP, BOTTOM = 40.0, 712.0, 10.0, 190.0
_STEPS = (10, 20, 25, 50, 100)


class Line(NamedTuple):
    """A run of weeks that all have a figure: the band as a polygon, the NPS as a line."""

    band: str
    line: str
    dots: tuple[tuple[float, float, str], ...]  # with what a reader is told


class Mark(NamedTuple):
    at: float
    label: str


class Chart(NamedTuple):
    lines: tuple[Line, ...]
    rows: tuple[Mark, ...]  # of NPS
    columns: tuple[Mark, ...]  # of months
    zero: float | None
    words: str


class Bar(NamedTuple):
    score: int
    answers: int
    share: float  # in per cent
    x: float
    y: float
    width: float
    height: float
    segment: str


def weekly(weeks: Sequence[Week]) -> Chart | None:
    """NPS over weeks with its band; None where no week has enough answers."""
    told = [(n, week) for n, week in enumerate(weeks) if week.nps is not None]
    if not told:
        return None
    lows = [week.low for _, week in told if week.low is not None]
    highs = [week.high for _, week in told if week.high is not None]
    low, high, step = _scale(min(lows), max(highs))

    def x(place: int) -> float:
        return round(LEFT + (RIGHT - LEFT) * place / max(len(weeks) - 1, 1), 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low), 1)

    lines = tuple(_line(run, x, y) for run in _runs(told))
    rows = tuple(Mark(y(value), str(value)) for value in range(low, high + 1, step))
    first, last = told[0][1], told[-1][1]
    words = (
        f"{len(told)} of {len(weeks)} weeks have enough answers. "
        f"Week of {first.monday}: {first.nps:.0f}; week of {last.monday}: {last.nps:.0f}. "
        f"Lowest {min(week.nps or 0 for _, week in told):.0f}, "
        f"highest {max(week.nps or 0 for _, week in told):.0f}."
    )
    zero = y(0) if low < 0 < high else None
    return Chart(lines, rows, tuple(_months(weeks, x)), zero, words)


def _scale(least: float, most: float) -> tuple[int, int, int]:
    """Bounds and steps in round numbers within -100 to 100."""
    step = next((one for one in _STEPS if (most - least) / one <= 6), _STEPS[-1])
    low = max(int(least // step) * step, -100)
    high = min(int(-(-most // step)) * step, 100)
    return (low, high, step) if low < high else (low - step, high + step, step)


def _runs(told: Sequence[tuple[int, Week]]) -> list[list[tuple[int, Week]]]:
    """Weeks without a figure are gaps."""
    runs: list[list[tuple[int, Week]]] = []
    for n, week in told:
        if runs and runs[-1][-1][0] == n - 1:
            runs[-1].append((n, week))
        else:
            runs.append([(n, week)])
    return runs


def _line(run: Sequence[tuple[int, Week]], x: object, y: object) -> Line:
    assert callable(x)  # noqa: S101 - closures of `weekly`
    assert callable(y)  # noqa: S101
    upper = [f"{x(n)},{y(week.high)}" for n, week in run]
    lower = [f"{x(n)},{y(week.low)}" for n, week in reversed(run)]
    dots = tuple(
        (x(n), y(week.nps), f"Week of {week.monday}: {week.nps:.0f}, n {week.n:,}")
        for n, week in run
    )
    return Line(" ".join(upper + lower), " ".join(f"{a},{b}" for a, b, _ in dots), dots)


def _months(weeks: Sequence[Week], x: object) -> list[Mark]:
    assert callable(x)  # noqa: S101 - a closure of `weekly`
    found: list[Mark] = []
    for n, week in enumerate(weeks):
        if n and week.monday.month != weeks[n - 1].monday.month and week.monday.month % 3 == 1:
            found.append(Mark(x(n), f"{week.monday:%b %Y}"))
    return found


def distribution(scores: Mapping[str, int], scale: Mapping[str, int | None] | None) -> list[Bar]:
    """A bar for each score of the survey's own scale, also for those that nobody gave."""
    counts = {int(score): n for score, n in scores.items()}
    if not counts:
        return []
    low = min(counts) if scale is None else int(scale["low"] or 0)
    high = max(counts) if scale is None else int(scale["high"] or 0)
    if high - low > 20:
        return []
    total, most = sum(counts.values()), max(counts.values())
    wide = (RIGHT - LEFT) / (high - low + 1)
    bars: list[Bar] = []
    for place, score in enumerate(range(low, high + 1)):
        n = counts.get(score, 0)
        height = round(120 * n / most, 1)
        bars.append(
            Bar(
                score=score,
                answers=n,
                share=100 * n / total,
                x=round(LEFT + place * wide + wide * 0.12, 1),
                y=round(140 - height, 1),
                width=round(wide * 0.76, 1),
                height=height,
                segment=_segment(score, scale),
            )
        )
    return bars


def _segment(score: int, scale: Mapping[str, int | None] | None) -> str:
    if scale is None or scale["promoter_from"] is None or scale["passive_from"] is None:
        return ""
    if score >= scale["promoter_from"]:
        return "promoter"
    return "passive" if score >= scale["passive_from"] else "detractor"
