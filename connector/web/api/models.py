"""What the API answers; the OpenAPI document is made of these."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AwareDatetime, Field

from connector.domain import Scalar, Value

T = TypeVar("T")
Next = Annotated[
    str | None, Field(description="Send it as `after` for the next page; null on the last.")
]


class Page(Value, Generic[T]):
    items: list[T]
    next: Next

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return f"PageOf{params[0].__name__}s"


class Error(Value):
    error: str
    details: list[str] = []


class Person(Value):
    """Who answered, as far as the source said; null is usual."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    external_id: str | None = None


class Response(Value):
    """One person's answer to one survey, as its newest revision tells it."""

    id: str
    source: str
    survey: str
    score: int | None
    segment: str | None = Field(description="promoter, passive, detractor; null without score")
    comment: str
    language: str | None
    respondent: Person
    customer_id: str | None
    tags: list[str]
    properties: dict[str, Scalar]
    revision: int
    history: bool = Field(description="It was no news when it came in: nothing was made for it.")
    answered_at: AwareDatetime | None
    received_at: AwareDatetime
    erased_at: AwareDatetime | None


class Case(Value):
    """A ticket or task that a person has to close."""

    action: int
    response: str
    customer_id: str | None
    survey: str
    score: int | None
    segment: str | None
    rule: str
    sink: str
    remote_id: str
    url: str | None
    state: str = Field(description="open, contacted, closed or gone")
    status: str | None = Field(description="in the far side's words")
    owner: str | None
    team: str | None
    priority: str | None
    answered_at: AwareDatetime
    opened_at: AwareDatetime
    respond_by: AwareDatetime | None
    contacted_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    missing: str | None
    cause: str | None
    action_taken: str | None
    reopened: int


class Action(Value):
    """One intended effect, and what became of it."""

    id: int
    key: str
    kind: str
    sink: str
    account: str
    rule: str
    response: str | None
    customer_id: str | None
    amends: int | None
    opens_case: bool
    to_customer: bool
    state: str
    error: str | None
    remark: str | None
    attempts: int
    remote_id: str | None
    url: str | None
    created_at: AwareDatetime
    due_at: AwareDatetime
    respond_by: AwareDatetime | None
    finished_at: AwareDatetime | None


class Alarm(Value):
    id: int
    kind: str
    subject: str
    message: str
    count: int
    raised_at: AwareDatetime
    last_at: AwareDatetime
    cleared_at: AwareDatetime | None


class Source(Value):
    """`silent_since`: no answer since then, though one was expected."""

    id: str
    type: str
    last_answer_at: AwareDatetime | None
    polled_at: AwareDatetime | None
    paused_until: AwareDatetime | None
    reason: str
    silent_since: AwareDatetime | None


class Sink(Value):
    """`left` of `limit` calls may be made now in `window_seconds`; null where no limit is known."""

    id: str
    type: str
    account: str
    waiting: int
    parked: int
    in_doubt: int
    held: int
    due_since: AwareDatetime | None
    paused_until: AwareDatetime | None
    paused_by: str
    reason: str
    limit: int | None
    window_seconds: float | None
    left: int | None
    quota: int | None
    quota_used: int | None
    followed_at: AwareDatetime | None
    follow_error: str


class Health(Value):
    sources: list[Source]
    sinks: list[Sink]


class Scale(Value):
    low: int
    high: int
    promoter_from: int | None
    passive_from: int | None


class Side(Value):
    n: int
    nps: float | None


class Comparison(Value):
    weeks: int
    word: str
    since: date
    until: date
    difference: float | None
    low: float | None
    high: float | None
    after: Side
    before: Side


class Change(Comparison):
    """Whether it changed, and how sure that is."""

    words: str
    confidence: float
    windows: list[Comparison]


class Figures(Value):
    """NPS with its 95 % interval; `enough`: it rests on as many answers as a figure needs."""

    n: int
    nps: float | None
    low: float | None
    high: float | None
    promoters: int | None
    passives: int | None
    detractors: int | None
    enough: bool


class Group(Figures):
    group: str | None
    partial: bool
    best_place: int | None
    worst_place: int | None


class SurveyNps(Figures):
    survey: str
    name: str
    scale: Scale | None
    scores: dict[str, int]
    unscored: int
    off_scale: int
    note: str
    change: Change | None
    ranking: str
    groups: list[Group]


class Nps(Value):
    since: AwareDatetime
    until: AwareDatetime
    by: str
    min_n: int
    confidence: float
    surveys: list[SurveyNps]


class Gap(Value):
    what: str
    number: int
    command: str


class Sums(Value):
    """received = decided + duplicate + stale + ignored + erased + waiting + held + quarantined;
    decided = by_rule + by_default + history + undecided; actions = delivered + superseded +
    withheld + unsent + actions_held + parked + in_doubt; delivered = confirmed + by_hand."""

    received: int
    decided: int
    duplicate: int
    stale: int
    ignored: int
    erased: int
    waiting: int
    held: int
    quarantined: int
    by_rule: int
    by_default: int
    history: int
    undecided: int
    actions: int
    delivered: int
    superseded: int
    withheld: int
    unsent: int
    actions_held: int
    parked: int
    in_doubt: int
    confirmed: int
    by_hand: int
    repeats: int


class Day(Sums):
    source: str
    day: date


class Coverage(Value):
    since: AwareDatetime
    until: AwareDatetime
    complete: bool
    adds_up: bool
    total: Sums
    gaps: list[Gap]
    days: list[Day]
