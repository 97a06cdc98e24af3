"""The NPS report as plain data: what `--json` prints, and what text, CSV and HTML are made of."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from connector.numbers.change import CONFIDENCE, Change, Comparison
from connector.numbers.ranking import told_apart
from connector.numbers.score import Counts, nps, nps_interval
from connector.reports.grouping import SURVEY, is_partial

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connector.reports.nps import Block, Question, Tally

INTERVAL = 0.95
TOO_FEW = "too few to say"
NO_SEGMENTS = "a rating without segments has no NPS"


def told(blocks: Sequence[Block], question: Question) -> dict[str, Any]:
    """Points of NPS are rounded to one decimal; `enough` says whether n reaches `min_n`."""
    return {
        "since": question.period.since,
        "until": question.period.until,
        "by": question.grouping.name,
        "min_n": question.least,
        "confidence": INTERVAL,
        "surveys": [_block(block, question) for block in blocks],
    }


def _block(block: Block, question: Question) -> dict[str, Any]:
    survey = block.survey
    scale = survey and survey.model_dump(include={"low", "high", "promoter_from", "passive_from"})
    return {
        "survey": block.id,
        "name": survey.name if survey else "",
        "scale": scale,
        **_figures(block.whole, block.has_segments, question.least),
        "scores": {str(score): block.whole.scores[score] for score in sorted(block.whole.scores)},
        "unscored": block.unscored,
        "off_scale": block.off_scale,
        "note": "" if block.has_segments else NO_SEGMENTS,
        "change": _change(block.change, block.monday) if block.change and block.monday else None,
        "ranking": _ranking(block),
        "groups": [
            _group(name, tally, block, question) for name, tally in _groups(block, question)
        ],
    }


def _groups(block: Block, question: Question) -> Iterable[tuple[str | None, Tally]]:
    """By survey, every survey is a group of its own."""
    if question.grouping.name == SURVEY:
        return [(block.id, block.whole)]
    return block.groups.items()


def _group(name: str | None, tally: Tally, block: Block, question: Question) -> dict[str, Any]:
    place = block.places.get(name)
    return {
        "group": name,
        **_figures(tally, block.has_segments, question.least),
        "partial": is_partial(question.grouping.name, name, question.period),
        "best_place": place.best if place else None,
        "worst_place": place.worst if place else None,
    }


def _figures(tally: Tally, has_segments: bool, least: int) -> dict[str, Any]:
    counts = tally.counts if has_segments else Counts()
    interval = nps_interval(counts, INTERVAL)
    return {
        "n": tally.n,
        "nps": rounded(nps(counts)),
        "low": rounded(interval and interval.low),
        "high": rounded(interval and interval.high),
        "promoters": counts.promoters if has_segments else None,
        "passives": counts.passives if has_segments else None,
        "detractors": counts.detractors if has_segments else None,
        "enough": has_segments and tally.n >= max(least, 1),
    }


def rounded(value: float | None) -> float | None:
    """To one decimal, as JSON has it."""
    return None if value is None else round(value, 1) + 0.0  # no -0.0


def _ranking(block: Block) -> str:
    if not block.places:
        return ""
    if not told_apart(list(block.places.values())):
        return "The groups cannot be told apart: no order of theirs is more than chance."
    return "A place is what the answers allow; groups that share places cannot be told apart."


def _change(found: Change, monday: date) -> dict[str, Any]:
    one = found.told
    return {
        "word": found.word,
        "words": change_words(found, monday),
        "confidence": round(CONFIDENCE, 6),
        **_comparison(one, monday),
        "windows": [_comparison(each, monday) for each in found.every],
    }


def _comparison(one: Comparison, monday: date) -> dict[str, Any]:
    return {
        "weeks": one.weeks,
        "word": one.word,
        "since": monday - timedelta(weeks=one.weeks),
        "until": monday,
        "difference": rounded(one.difference),
        "low": rounded(one.low),
        "high": rounded(one.high),
        "after": {"n": one.after.n, "nps": rounded(nps(one.after))},
        "before": {"n": one.before.n, "nps": rounded(nps(one.before))},
    }


def change_words(found: Change, monday: date) -> str:
    """The verdict as a sentence or two, with both sides, their n and their time."""
    one = found.told
    last = monday - timedelta(days=1)
    when = f"{one.weeks} weeks to {last}"
    if one.difference is None or one.low is None or one.high is None:
        return (
            f"{found.word[0].upper()}{found.word[1:]}: {one.after.n:,} answers in the {when}, "
            f"{one.before.n:,} in the year before them."
        )
    return (
        f"{found.word[0].upper()}{found.word[1:]}: {points(nps(one.after))} in the {when} "
        f"(n {one.after.n:,}) against {points(nps(one.before))} in up to 52 weeks before them "
        f"(n {one.before.n:,}); difference {signed(one.difference)}, interval "
        f"{signed(one.low)} to {signed(one.high)}."
    )


def points(value: float | None) -> str:
    """A whole number of points; a dash where there is none."""
    return "-" if value is None else str(round(value))


def signed(value: float) -> str:
    """With its sign: `+4`, `-15`, `0`."""
    return f"{round(value):+d}" if round(value) else "0"
