"""The report on closing the loop as plain data: what `--json` prints, and what text, CSV and pages
are made of. Times are in seconds, shares between 0 and 1."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from connector.numbers.ranking import told_apart
from connector.numbers.shares import Share, share_interval
from connector.reports.grouping import is_partial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.numbers.survival import Quantile
    from connector.reports.loop import Cohort, Loop, Question, Sums

_PLAIN = ("cases", "untouched", "unpromised", "due", "overdue", "open", "closed", "gone")
MOST_ENDINGS = 20  # causes and actions that are told


def told(loop: Loop, question: Question, now: datetime) -> dict[str, Any]:
    """`enough` says whether n reaches `min_n`; below it text and CSV show no share."""
    least = question.least
    return {
        "since": question.period.since,
        "until": question.period.until,
        "as_of": now,
        "by": question.grouping.name,
        "survey": question.survey,
        "min_n": least,
        "confidence": 0.95,
        "whole": _sums(loop.whole, least),
        "cohorts": [_cohort(cohort) for cohort in loop.cohorts],
        "causes": _endings(loop.causes, loop.whole),
        "actions": _endings(loop.actions, loop.whole),
        "ranking": _ranking(loop),
        "groups": [
            {
                "group": name,
                **_sums(sums, least),
                "partial": is_partial(question.grouping.name, name, question.period),
                "best_place": sums.place.best if sums.place else None,
                "worst_place": sums.place.worst if sums.place else None,
            }
            for name, sums in loop.groups.items()
        ],
    }


def share(found: Share, least: int) -> dict[str, Any]:
    interval = share_interval(*found)
    return {
        "count": found.part,
        "n": found.n,
        "share": rounded(found.value),
        "low": rounded(interval and interval.low),
        "high": rounded(interval and interval.high),
        "enough": found.n >= max(least, 1),
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4) + 0.0


def _sums(sums: Sums, least: int) -> dict[str, Any]:
    clocks = sums.clocks
    return {
        **{name: sums.counts[name] for name in _PLAIN},
        "on_time": share(sums.on_time, least),
        "reopened": share(sums.reopened, least),
        "with_cause": share(sums.told("cause"), least),
        "with_action": share(sums.told("action"), least),
        "with_both": share(sums.told("both"), least),
        "customer_clock": clocks and _clock(clocks.customer, clocks.n, clocks.over, least),
        "working_clock": clocks
        and _clock(clocks.working, clocks.working_n, clocks.working_over, least),
    }


def _clock(found: Sequence[Quantile], n: int, over: int, least: int) -> dict[str, Any]:
    """A percentile is None where it is not reached: too many still wait."""
    told = {
        f"p{round(100 * one.share)}": {"seconds": one.value, "low": one.low, "high": one.high}
        for one in found
    }
    return {"n": n, "touched": over, "enough": n >= max(least, 1), **told}


def _cohort(cohort: Cohort) -> dict[str, Any]:
    counts = cohort.counts
    return {
        "week": cohort.week,
        "opened": counts["cases"],
        **{f"closed_in_{days}": closed for days, closed in cohort.within.items()},
        **{name: counts[name] for name in ("closed", "open", "gone")},
    }


def _endings(ranked: Sequence[tuple[str, int]], whole: Sums) -> list[dict[str, Any]]:
    closed = whole.counts["closed"]
    return [{"name": name, "count": count, "of": closed} for name, count in ranked[:MOST_ENDINGS]]


def _ranking(loop: Loop) -> str:
    placed = [sums.place for sums in loop.groups.values() if sums.place]
    if not placed:
        return ""
    if not told_apart(placed):
        return "The groups cannot be told apart: no order of theirs is more than chance."
    return "A place is what the cases allow; groups that share places cannot be told apart."


def percent(found: dict[str, Any]) -> str:
    """`82 % (76 to 87), n 200`; without a figure where there are too few."""
    if not found["n"]:
        return "-"
    if not found["enough"]:
        return f"too few to say, n {found['n']:,}"
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{100 * found['share']:.0f} % ({low:.0f} to {high:.0f}), n {found['n']:,}"


def duration(seconds: float | None) -> str:
    """`35 min`, `4.2 h`, `3.1 d`; `not reached` where there is none."""
    if seconds is None:
        return "not reached"
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
