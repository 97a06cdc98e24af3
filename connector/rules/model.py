"""The shapes of a ruleset: as text, as its file's keys, and ready to decide with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from connector.documents import Document
from connector.domain import Facts, Problem, Scalar, Segment, Survey, Value
from connector.ports import Duration, Params
from connector.rules.templates import MailTemplate
from connector.rules.topics import NO_TOPICS, TopicBook

if TYPE_CHECKING:
    from connector.rules.index import Index

AttributeType = Literal["text", "number", "flag"]
Status = Literal["draft", "shadow", "live"]
GroupWord = Literal["all", "any", "none"]
FieldType = Literal[
    "score", "number", "count", "text", "choice", "language", "tags", "topics", "flag", "free"
]

RULES_FILE = "rules.yaml"
TOPICS_FILE = "topics.yaml"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_DAY = re.compile(r"20\d\d-\d\d-\d\d")
DEFAULT_ID = "default"
LOG = "log"


@dataclass(frozen=True)
class ActionKind:
    """What a rule may ask of one kind of sink, and the sinks of this kind that exist here.

    `settle` is how long an action waits for a revision of the answer before it goes out.
    """

    params: type[Params]
    opens_case: bool = False
    to_customer: bool = False
    settle: timedelta = timedelta(0)
    sinks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)  # one installation has one
class Vocabulary:
    """What exists in this installation, so that a rule can only speak of that.

    `attributes` are those that `customer_attributes` declares, beside the built-in ones. `book`
    belongs to the rules that are read, not to the installation.
    """

    actions: Mapping[str, ActionKind] = field(default_factory=dict)
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)
    book: TopicBook = NO_TOPICS


@dataclass(frozen=True)
class RulesetText:
    """Everything that decides, as text: `rules.yaml`, `topics.yaml` and
    `templates/NAME/LANG.txt|html`."""

    files: Mapping[str, str]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the sorted names and texts, in hex."""
        digest = hashlib.sha256()
        for name in sorted(self.files):
            for part in (name, self.files[name]):
                data = part.encode("utf-8", "surrogatepass")
                digest.update(len(data).to_bytes(8, "big"))
                digest.update(data)
        return digest.hexdigest()


class DefaultsText(Value):
    """`defaults`: what actions inherit that do not say it themselves.

    `respond_within` goes to what opens a case; `settle` to messages that wait anyway.
    """

    respond_within: Duration | None = Field(
        None, description="time until a case is due, for cases that say nothing else"
    )
    settle: Duration | None = Field(
        None, description="how long messages to customers wait for a revision of the answer"
    )


class FileText(Value):
    """The keys of `rules.yaml`. Their values stay raw, so that each is judged on its own."""

    defaults: Any = None
    rules: list[Any]
    default: Any = None


class DefaultText(Value):
    """`default`: what happens when no live rule matched."""

    then: Annotated[list[Any], Field(min_length=1)]


class HistoryText(Value):
    """What is known of the customer before this answer."""

    answers: int = Field(0, ge=0)
    detractor_answers: int = Field(0, ge=0)
    previous_score: int | None = None
    previous_segment: Segment | None = None
    open_cases: int = Field(0, ge=0)


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


def _plain_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("may only hold a-z, 0-9 and '-', at most 60 of them")
    return text


def _day(value: object) -> object:
    """Only a day as people write it: pydantic would also take seconds since 1970."""
    if value is None:
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # there is no 30th of February
    raise ValueError("write a day such as 2026-12-31")


class RuleText(Value):
    """The keys of a rule. `when` and `then` are read by `conditions` and `actions`."""

    id: Annotated[str, AfterValidator(_plain_id)] = Field(
        description="a-z, 0-9 and '-'; unique; never changes", examples=["detractor-refund"]
    )
    name: str = Field("", max_length=120, description="what people see in tickets and reports")
    owner: str = Field("", description="whom to ask when it misfires", examples=["cx@example.com"])
    status: Status = Field("live", description="shadow: judged, asks for nothing; draft: off")
    until: Annotated[date | None, BeforeValidator(_day)] = Field(
        None,
        description="the last day on which it counts, in the survey's zone; then it is a draft",
        examples=["2026-12-31"],
    )
    when: dict[str, Any]
    then: Annotated[list[Any], Field(min_length=1)]
    stop: bool = Field(False, description="true: no later rule is read after a match")
    examples: list[ExampleText] = Field([], description="answers, with what should happen")
    note: str = Field("", description="for your colleagues")


@dataclass(frozen=True)
class Condition:
    """One line of a `when`. `wanted` is what the file says, `probe` what is compared with. `book`
    is where the value comes from, if it is no fact."""

    field: str
    type: FieldType
    operator: str
    wanted: Any
    probe: Any
    book: TopicBook | None = None


@dataclass(frozen=True)
class Group:
    word: GroupWord
    members: tuple[Condition | Group, ...]


@dataclass(frozen=True)
class Action:
    """One effect of a rule. `templates` are the fields of `params` that depend on the answer."""

    kind: str
    sink: str
    params: Params
    templates: Mapping[str, Any]  # field -> TextTemplate, or a list or map of them
    mail: str | None
    settle: timedelta
    respond_within: timedelta | None
    opens_case: bool
    to_customer: bool


@dataclass(frozen=True)
class Example:
    facts: Facts
    fires: bool
    place: tuple[int, int]


@dataclass(frozen=True)
class Rule:
    id: str
    name: str
    owner: str
    status: Status
    when: Group
    then: tuple[Action, ...]
    stop: bool
    examples: tuple[Example, ...]
    place: tuple[int, int]
    until: date | None = None
    ends: Mapping[str, datetime] = field(default_factory=dict)  # survey -> when `until` is over

    def status_for(self, facts: Facts) -> Status:
        """A draft for answers given after `until`. An answer without a time is not after it."""
        end = self.ends.get(facts.survey)
        over = end is not None and facts.answered_at is not None and facts.answered_at >= end
        return "draft" if over else self.status


@dataclass(frozen=True)
class Ruleset:
    """Ready to decide with; the same text and vocabulary give the same decisions."""

    hash: str
    rules: tuple[Rule, ...]
    default: tuple[Action, ...]
    mails: Mapping[str, MailTemplate]
    book: TopicBook = NO_TOPICS

    @cached_property
    def languages(self) -> frozenset[str]:
        """Those that its mails, its topics and its rules have words of."""
        from connector.rules.spoken import spoken

        return spoken(self.rules, self.mails, self.book)

    @cached_property
    def index(self) -> Index:
        """Which rules hold; built when the first facts are judged."""
        from connector.rules.index import Index

        return Index(self.rules)


@dataclass(frozen=True)
class Loaded:
    """`ruleset` is None where at least one problem is an error.

    `sound` holds the rules that are right by themselves, so that they can be looked at although
    others are not; None where nothing could be read.
    """

    ruleset: Ruleset | None
    problems: tuple[Problem, ...]
    sound: Ruleset | None = None
    document: Document | None = None  # `rules.yaml` with its places
