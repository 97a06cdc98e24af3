"""What a weekly digest tells, as plain data: kept with its action until it goes out."""

from __future__ import annotations

from datetime import date
from typing import Literal

from connector.domain import Segment, Value

Language = Literal["en", "es", "it", "pt"]
Verdict = Literal["fell", "rose", "no evidence of change", "too few to say"]


class Point(Value):
    """One week of a survey; no figures where it has too few answers."""

    monday: date
    n: int
    nps: float | None = None
    low: float | None = None
    high: float | None = None


class SurveyFigures(Value):
    """`answers` of the week; the NPS is that of four weeks, with its interval; None: too few."""

    name: str
    answers: int
    n: int
    nps: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    difference: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    weeks: int = 4  # that the verdict compares with those before
    points: tuple[Point, ...] = ()


class LoopFigures(Value):
    """`opened` and `closed` in the week; `open`, `overdue` and `untouched` (detractors) at its end.
    On time: of the cases of four weeks that are due."""

    opened: int
    closed: int
    open: int
    overdue: int
    untouched: int
    on_time: int
    due: int
    low: float | None = None
    high: float | None = None


class Gap(Value):
    what: str
    number: int


class Topic(Value):
    name: str
    number: int


class Verbatim(Value):
    """What somebody wrote; it goes when they are erased."""

    response: str
    score: int | None
    high: int
    segment: Segment | None
    survey: str
    words: str


class Weekly(Value):
    """`first` and `last` are days of `zone`."""

    language: Language
    first: date
    last: date
    zone: str
    surveys: tuple[SurveyFigures, ...] = ()
    loop: LoopFigures
    gaps: tuple[Gap, ...] = ()
    topics: tuple[Topic, ...] = ()
    verbatims: tuple[Verbatim, ...] = ()
    dashboard: str = ""
