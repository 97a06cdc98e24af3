"""The nouns, frozen. The same words are used from the tables to the reports."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from connector.text import storable

Scalar = str | int | float | bool | None
Segment = Literal["promoter", "passive", "detractor"]
Door = Literal["webhook", "poll", "file"]
Severity = Literal["error", "warning", "note"]
LanguageFrom = Literal["source", "customer", "detected", "survey"]


class Value(BaseModel):
    """A frozen value. Inputs stay out of error texts: they may hold a customer's words."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Problem(Value):
    """One thing that is wrong in a file, said so that its author can mend it."""

    file: str
    line: int = 0
    column: int = 0
    severity: Severity = "error"
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        note = "" if self.severity == "error" else f"{self.severity}: "
        return f"{place}: {note}{self.message}" + (f" ({self.hint})" if self.hint else "")


class Survey(Value):
    """What was asked. `promoter_from`/`passive_from` are the lowest scores of these segments."""

    id: str
    name: str = ""
    low: int = 0
    high: int = 10
    promoter_from: int | None = 9
    passive_from: int | None = 7
    language: str | None = None
    zone: str = "UTC"
    brand: str = ""
    retention_days: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Survey:
        if self.low >= self.high:
            raise ValueError("the lowest score must be below the highest")
        if (self.promoter_from is None) != (self.passive_from is None):
            raise ValueError("give both thresholds, or none for a rating without segments")
        if self.promoter_from is not None and self.passive_from is not None:
            inside = self.low < self.passive_from <= self.promoter_from <= self.high
            if not inside:
                raise ValueError("thresholds must rise within the scale: low < passive <= promoter")
        return self

    def segment(self, score: int | None) -> Segment | None:
        """The only place where a score becomes a segment. None without score or thresholds."""
        if score is None or self.promoter_from is None or self.passive_from is None:
            return None
        if score >= self.promoter_from:
            return "promoter"
        return "passive" if score >= self.passive_from else "detractor"


class Respondent(Value):
    """Who answered, as far as the source says; all empty is normal (an anonymous answer)."""

    email: str | None = None
    phone: str | None = None
    external_id: str | None = None
    name: str | None = None


class Response(Value):
    """One revision of one person's answer, as its source tells it.

    `record` is the vendor's id of the answer, the same for every revision and through every door.
    `survey_ref` is the vendor's id of the survey ("" where the source has only one). `score` is on
    the survey's own scale and unchecked here: the survey knows its range. `revised_at` is None
    where the source does not tell it; then the content decides whether it is a new revision.
    """

    record: str = Field(min_length=1, max_length=500)
    survey_ref: str = ""
    score: int | None = None
    comment: str = ""
    respondent: Respondent = Respondent()
    answered_at: AwareDatetime | None = None
    revised_at: AwareDatetime | None = None
    language: str | None = None
    complete: bool = True
    properties: dict[str, Scalar] = {}
    tags: tuple[str, ...] = ()
    link: str | None = None


class Note(Value):
    """A delivery note: the raw bytes of one vendor record, before anyone understood them."""

    door: Door
    body: bytes
    headers: dict[str, str] = {}  # lower-case names; only what `verify` or `parse` needs


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


class Intent(Value):
    """One effect that a rule asks for: rendered, validated, not yet an outbox row.

    `refused` says which limit keeps it from happening. `pool`: the one whose turn names its owner.
    """

    rule_id: str
    rule_name: str
    kind: str
    sink: str
    params: dict[str, object]
    respond_within: timedelta | None = None
    settle: timedelta = timedelta(0)
    hours: str = ""  # the calendar in which `respond_within` counts; empty: around the clock
    send_hours: str = ""  # the calendar in whose hours it goes out; empty: at any time
    digest: str = ""  # gathered with others: `1h`, or a time of day; empty: it goes out alone
    problem: str = ""  # why a field could not be rendered and a fallback was used
    refused: str = ""
    pool: str = ""


class RuleMatch(Value):
    """`held_out`: a live rule that asked for nothing, as its `holdout` has this customer."""

    rule_id: str
    status: Literal["shadow", "live", "held_out"]


class Verdict(Value):
    """What the rules say to some facts: which matched, and what they ask for, in file order.

    `flags`: `asks_for:NAME` for what the comment asks for, and `contradiction` where it holds words
    of complaint, `complaints`, beside a promoter's score.
    """

    matches: tuple[RuleMatch, ...] = ()
    intents: tuple[Intent, ...] = ()
    topics: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()


class DigestLine(Value):
    """One alert in a digest: its action's key and text; a link to its ticket, else to the answer.
    `case` is the ticket's number."""

    key: str
    text: str
    link: str | None = None
    case: str = ""


class Digest(Value):
    """Several alerts as one message, the newest first; `more` are only counted."""

    lines: tuple[DigestLine, ...]
    more: int = 0


class Order(Value):
    """One action as a sink gets it. `key` never changes over revisions, retries and restarts.

    For an amendment `amends` is the remote id of the case and `key` doubles as the marker that is
    looked up before any resend. `params` were validated by the sink's own `Params` when decided. A
    `digest` is about no single answer: its facts are empty. `windows` are the next times in which
    it may go out, in order; without any, and after the last of them, it may at any time. `topics`,
    `flags` and `complaints` are those of the verdict.
    """

    key: str
    kind: str
    rule_name: str
    params: dict[str, object]
    facts: Facts
    due_at: AwareDatetime | None = None
    amends: str | None = None
    digest: Digest | None = None
    windows: tuple[tuple[AwareDatetime, AwareDatetime], ...] = ()
    topics: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()

    def not_before(self, now: datetime) -> datetime | None:
        """When its next window opens, where it may not go out now."""
        for opens, closes in self.windows:
            if closes > now:
                return opens if opens > now else None
        return None


class Prepared(Value):
    """An order with the request bytes that were frozen at its first send."""

    order: Order
    body: bytes


class Receipt(Value):
    """What the far side gave back. `remark` says what a person should know (an ambiguous contact,
    a group that does not exist); it becomes an alarm when `needs_attention`."""

    remote_id: str
    url: str = ""
    remark: str = ""
    needs_attention: bool = False

    @field_validator("remote_id", "url", "remark", mode="before")
    @classmethod
    def _as_stored(cls, told: object) -> object:
        """One odd receipt must not cost a round all the others."""
        return storable(told) if isinstance(told, str) else told


class Finding(Value):
    """One line of `connector doctor`."""

    ok: bool
    subject: str
    message: str
    cure: str = ""


def response_id(source: str, record: str) -> str:
    """The id of a response: the same for ever, also in a store restored from a backup."""
    digest = hashlib.sha256(f"{source}\x00{record}".encode()).hexdigest()
    return f"r{digest[:20]}"


def case_key(response: str, account: str) -> str:
    """A case belongs to (response, sink account), never to the rule that opened it."""
    return "nps-" + hashlib.sha256(f"case\x00{response}\x00{account}".encode()).hexdigest()[:32]


def is_case_key(text: str) -> bool:
    """Does this mark a case of ours at a far side? Amendments and other texts do not count."""
    return re.fullmatch(r"nps-[0-9a-f]{32}", text) is not None


def amendment_key(case: str, revision: int) -> str:
    return f"{case}-r{revision}"


def raising_key(case: str, decision: int) -> str:
    """Of a note that no revision but a late answer to another survey brings."""
    return f"{case}-d{decision}"


def effect_key(response: str, sink: str, kind: str, rule_id: str) -> str:
    text = f"effect\x00{response}\x00{sink}\x00{kind}\x00{rule_id}"
    return "nps-" + hashlib.sha256(text.encode()).hexdigest()[:32]


def digest_key(sink: str, kind: str, about: str, digest: str, slot: datetime) -> str:
    """What goes out together: alerts of one sink, channel (`about`), digest and time."""
    text = (
        f"digest\x00{sink}\x00{kind}\x00{about}\x00{digest}\x00{slot.astimezone(UTC).isoformat()}"
    )
    return "nps-" + hashlib.sha256(text.encode()).hexdigest()[:32]


class Pulled(Value):
    """One page of a poll: raw records, and the cursor that is right once they are stored."""

    records: tuple[bytes, ...]
    cursor: str
    more: bool = False


class SourceState(Value):
    """What a pull may lean on besides its cursor."""

    now: datetime
    cursor: str | None = None
