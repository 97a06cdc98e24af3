"""The shapes of a ruleset: as text, as its file's keys, and ready to decide with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from connector.domain import Facts, Problem, Scalar, Segment, Survey, Value
from connector.ports import Duration, Params
from connector.rules.templates import MailTemplate

if TYPE_CHECKING:
    from connector.rules.index import Index

AttributeType = Literal["text", "number", "flag"]
Status = Literal["draft", "shadow", "live"]
GroupWord = Literal["all", "any", "none"]
FieldType = Literal[
    "score", "number", "count", "text", "choice", "language", "tags", "flag", "free"
]

RULES_FILE = "rules.yaml"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
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

    `attributes` are those that `customer_attributes` declares, beside the built-in ones.
    """

    actions: Mapping[str, ActionKind] = field(default_factory=dict)
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)


@dataclass(frozen=True)
class RulesetText:
    """Everything that decides, as text: `rules.yaml` and `templates/NAME/LANG.txt|html`."""

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

    respond_within: Duration | None = None
    settle: Duration | None = None


class FileText(Value):
    """The keys of `rules.yaml`. Their values stay raw, so that each is judged on its own."""

    defaults: Any = None
    rules: list[Any]
    default: Any = None


class DefaultText(Value):
    """`default`: what happens when no live rule matched."""

    then: Annotated[list[Any], Field(min_length=1)]


class HistoryText(Value):
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
    given: GivenText
    fires: bool


def _plain_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("may only hold a-z, 0-9 and '-', at most 60 of them")
    return text


class RuleText(Value):
    """The keys of a rule. `when` and `then` are read by `conditions` and `actions`."""

    id: Annotated[str, AfterValidator(_plain_id)]
    name: str = Field("", max_length=120)
    owner: str = ""
    status: Status = "live"
    when: dict[str, Any]
    then: Annotated[list[Any], Field(min_length=1)]
    stop: bool = False
    examples: list[ExampleText] = []
    note: str = ""


@dataclass(frozen=True)
class Condition:
    """One line of a `when`. `wanted` is what the file says, `probe` what is compared with."""

    field: str
    type: FieldType
    operator: str
    wanted: Any
    probe: Any


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


@dataclass(frozen=True)
class Ruleset:
    """Ready to decide with; the same text and vocabulary give the same decisions."""

    hash: str
    rules: tuple[Rule, ...]
    default: tuple[Action, ...]
    mails: Mapping[str, MailTemplate]

    @cached_property
    def index(self) -> Index:
        """Which rules hold; built when the first facts are judged."""
        from connector.rules.index import Index

        return Index(self.rules)


@dataclass(frozen=True)
class Loaded:
    """`ruleset` is None where at least one problem is an error."""

    ruleset: Ruleset | None
    problems: tuple[Problem, ...]
