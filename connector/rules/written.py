"""The keys of `rules.yaml`, as they are written."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from connector.domain import Scalar, Segment, Value
from connector.ports import Duration
from connector.rules import caps, holdout
from connector.rules.caps import CapText
from connector.rules.days import day
from connector.rules.holdout import HoldoutText
from connector.rules.model import Status

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
HOURS = "the calendar in which respond_within counts; always: around the clock"
SEND_HOURS = "the calendar in whose hours messages to customers go out; always: at any time"


def plain_id(text: str) -> str:
    """An id as it is written in the file. Raises ValueError for another."""
    if not _ID.fullmatch(text):
        raise ValueError("may only hold a-z, 0-9 and '-', at most 60 of them")
    return text


class DefaultsText(Value):
    """`defaults`: what actions inherit that do not say it themselves.

    `respond_within` goes to what opens a case; `settle` to messages that wait anyway; `cap` to
    what opens none. `hours` and `send_hours` name a calendar, or `always`.
    """

    respond_within: Duration | None = Field(
        None, description="time until a case is due, for cases that say nothing else"
    )
    settle: Duration | None = Field(
        None, description="how long messages to customers wait for a revision of the answer"
    )
    cap: CapText = Field(
        None,
        description="how many of the same messages or alerts for one customer in some time",
        examples=caps.EXAMPLES,
    )
    hours: str | None = Field(None, description=HOURS, examples=["office", "always"])
    send_hours: str | None = Field(None, description=SEND_HOURS, examples=["daytime", "always"])


class FileText(Value):
    """The keys of `rules.yaml`. Their values stay raw, so that each is judged on its own."""

    calendars: Any = None
    defaults: Any = None
    pools: Any = None
    routing: Any = None
    escalation: Any = None
    rules: list[Any]
    default: Any = None


class DefaultText(Value):
    """`default`: what happens when no live rule matched."""

    then: Annotated[list[Any], Field(min_length=1)]


class EscalationText(Value):
    """The keys of a step of `escalation`."""

    id: Annotated[str, AfterValidator(plain_id)] = Field(
        description="a-z, 0-9 and '-'; unique; never changes", examples=["nobody-called"]
    )
    name: str = Field("", max_length=120, description="what people see in tickets and messages")
    when: dict[str, Any] = Field({}, description="which cases; without it all of them")
    still: Literal["untouched", "open"] = Field(
        "untouched", description="untouched: nobody has begun; open: nobody has closed it"
    )
    overdue_by: Duration = Field(
        timedelta(0), description="working time after the case was due", examples=["0m", "4h"]
    )
    then: Annotated[list[Any], Field(min_length=1)]
    note: str = Field("", description="for your colleagues")


class PastText(Value):
    """One earlier answer. Without `survey` it was to the same one as this answer."""

    score: int | None = None
    survey: str | None = None
    days_ago: float = Field(ge=0, le=36_500, description="days before this answer")


class HistoryText(Value):
    """What is known of the customer before this answer; `past` or the parts of it by themselves."""

    past: list[PastText] = Field([], description="earlier answers; the rest follows from them")
    answers: int = Field(0, ge=0)
    detractor_answers: int = Field(0, ge=0)
    previous_score: int | None = None
    previous_segment: Segment | None = None
    open_cases: int = Field(0, ge=0)
    days_since_contact: int | None = Field(None, ge=0)


class GivenText(Value):
    """`given` of an example. Without `survey` it is the first survey of the installation."""

    score: int | None = None
    comment: str = ""
    survey: str | None = None
    source: str | None = None
    language: str | None = None
    brand: str | None = None
    link: str | None = None
    tags: tuple[str, ...] = ()
    properties: dict[str, Scalar] = {}
    customer: dict[str, Scalar] = {}
    company: dict[str, Scalar] = {}
    history: HistoryText = HistoryText()


class ExampleText(Value):
    """An answer, and whether the rule fires for it; tried by `connector rules check`."""

    given: GivenText
    fires: bool = Field(description="does this rule fire for the answer?")


class RuleText(Value):
    """The keys of a rule. `when` and `then` are read by `conditions` and `actions`."""

    id: Annotated[str, AfterValidator(plain_id)] = Field(
        description="a-z, 0-9 and '-'; unique; never changes", examples=["detractor-refund"]
    )
    name: str = Field("", max_length=120, description="what people see in tickets and reports")
    owner: str = Field("", description="whom to ask when it misfires", examples=["cx@example.com"])
    status: Status = Field("live", description="shadow: judged, asks for nothing; draft: off")
    until: Annotated[date | None, BeforeValidator(day)] = Field(
        None,
        description="the last day on which it counts, in the survey's zone; then it is a draft",
        examples=["2026-12-31"],
    )
    hours: str | None = Field(None, description=HOURS, examples=["office", "always"])
    send_hours: str | None = Field(None, description=SEND_HOURS, examples=["daytime", "always"])
    when: dict[str, Any]
    then: Annotated[list[Any], Field(min_length=1)]
    stop: bool = Field(False, description="true: no later rule is read after a match")
    cap: CapText = Field(
        None,
        description="how often one customer gets its messages, or causes its alerts; never cases",
        examples=caps.EXAMPLES,
    )
    holdout: HoldoutText = Field(
        None,
        description="share of customers for whom it asks for nothing, to see what it brings",
        examples=holdout.EXAMPLES,
    )
    examples: list[ExampleText] = Field([], description="answers, with what should happen")
    note: str = Field("", description="for your colleagues")
