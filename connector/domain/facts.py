"""What rules may see about an answer."""

from __future__ import annotations

from pydantic import AwareDatetime

from connector.domain.values import LanguageFrom, Scalar, Segment, Value


class EarlierAnswer(Value):
    """One earlier answer of the same customer, for the person who will make the call."""

    answered_at: AwareDatetime | None
    survey: str
    score: int | None
    segment: Segment | None
    comment: str = ""


class PastEffect(Value):
    """Something that earlier answers of this customer led to. `at` is when it was decided, `case`
    whether a person was to close it. Nothing that was taken back, withheld or refused."""

    kind: str
    sink: str
    rule_id: str
    at: AwareDatetime
    case: bool = False


class PastAnswer(Value):
    """One earlier answer as conditions see it. `answered_at` is when it came in, where its source
    does not tell; the scale is None where its survey is not configured any more."""

    answered_at: AwareDatetime
    scale_low: int | None
    scale_high: int | None
    score: int | None
    segment: Segment | None


MOST_PAST = 20  # earlier answers that are kept with a decision


class History(Value):
    """The customer's answers that were given before this one and decided before its number.

    `past` are the newest `MOST_PAST` of them, newest first; `answers` counts all. `effects` are
    those that limits or contacts are counted by, newest first, where the rules ask.
    """

    answers: int = 0
    detractor_answers: int = 0
    previous_score: int | None = None
    previous_segment: Segment | None = None
    previous_at: AwareDatetime | None = None
    open_cases: int = 0
    days_since_contact: int | None = None  # whole days; None: never, or no rule asks
    effects: tuple[PastEffect, ...] = ()
    earlier: tuple[EarlierAnswer, ...] = ()  # newest first, at most three
    past: tuple[PastAnswer, ...] = ()


class Facts(Value):
    """All that a rule or a template may see; kept with the decision.

    `customer` and `company` hold attributes by name (email, name, phone, external_id, language,
    plan, value, owner, company and whatever else `customer_attributes` declares). `customer_id` is
    our own, None for an anonymous answer. `positions`: by pool, the turn that this answer took.
    """

    response_id: str
    revision: int = 1
    source: str
    survey: str
    survey_name: str = ""
    brand: str = ""
    scale_low: int = 0
    scale_high: int = 10
    score: int | None
    segment: Segment | None
    comment: str = ""
    language: str = "en"
    language_from: LanguageFrom | None = None  # None: kept before that was noted
    answered_at: AwareDatetime | None = None
    decided_at: AwareDatetime | None = None
    link: str | None = None
    tags: tuple[str, ...] = ()
    properties: dict[str, Scalar] = {}
    customer_id: str | None = None
    customer: dict[str, Scalar] = {}
    company: dict[str, Scalar] = {}
    history: History = History()
    positions: dict[str, int] = {}
