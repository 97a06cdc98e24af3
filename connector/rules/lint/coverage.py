"""Scores for which no rule stands ready when nothing else is known of the answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime

from connector.domain import Problem, Severity
from connector.rules.lint.answers import Answers
from connector.rules.lint.places import Places
from connector.rules.lint.reach import standing
from connector.rules.match import View, holds
from connector.rules.model import Rule, Ruleset

Cell = tuple[int, str]  # score, segment
_SEVERITIES: tuple[Severity, ...] = ("warning", "note")
_CURE = "an answer of which nothing else is known gets only 'default': add a rule for it"


def uncovered(
    ruleset: Ruleset, places: Places, answers: Answers, now: datetime
) -> Iterator[Problem]:
    """One finding for all gaps of a kind.

    A whole segment for which nothing is done is a decision where the file has a `default`, a part
    of one is a hole. A survey without segments is covered as soon as any rule may match its
    answers: words and customers are then all that tells them apart.
    """
    live = [rule for rule in ruleset.rules if standing(rule, now) == "live"]
    if ruleset.default or not live:
        return
    decided = places.has_default()
    gaps: dict[tuple[tuple[Cell, ...], Severity], list[str]] = {}
    for survey, numbered in itertools.groupby(
        enumerate(answers.cells), key=lambda numbered: numbered[1]["survey"]
    ):
        cells = [
            (cell["score"], cell["segment"] or "", _covered(live, number, answers))
            for number, cell in numbered
            if cell["score"] is not None
        ]
        helped = {segment for _, segment, covered in cells if covered}
        for severity in _SEVERITIES:
            missed = tuple(
                (score, segment)
                for score, segment, covered in cells
                if not covered and (segment in helped or not decided) is (severity == "warning")
            )
            if missed:
                gaps.setdefault((missed, severity), []).append(str(survey))
    for severity in _SEVERITIES:
        told = [
            f"{_told(missed)} of {', '.join(surveys)}"
            for (missed, kind), surveys in gaps.items()
            if kind == severity
        ]
        if not told:
            continue
        yield places.of_file(
            f"no rule covers {'; '.join(told)}",
            "default",
            hint=_CURE if decided else f"{_CURE}, or write 'default: {{then: [{{log: {{}}}}]}}'",
            severity=severity,
        )


def _covered(live: Sequence[Rule], number: int, answers: Answers) -> bool:
    cell = answers.cells[number]
    if cell["segment"] is None:
        return any(answers.mask(rule.when) >> number & 1 for rule in live)
    view = View(answers.facts({"survey": cell["survey"], "score": cell["score"]}))
    return any(holds(rule.when, view) for rule in live)


def _told(cells: Sequence[Cell]) -> str:
    """`score 7-8 (passive)`."""
    told = []
    for segment, of in itertools.groupby(cells, key=lambda cell: cell[1]):
        scores = [score for score, _ in of]
        runs = itertools.groupby(enumerate(scores), key=lambda pair: pair[1] - pair[0])
        spans = [[score for _, score in run] for _, run in runs]
        listed = ", ".join(
            str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in spans
        )
        told.append(f"{listed} ({segment})" if segment else listed)
    several = len(cells) > 1
    return f"score{'s' if several else ''} {' and '.join(told)}"
