"""The shapes of a ruleset: as text, as its file's keys, and ready to decide with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from connector.documents import Document
from connector.domain import Facts, Problem, Survey
from connector.ports import Params
from connector.rules.caps import Cap, Recall
from connector.rules.holdout import Holdout
from connector.rules.templates import MailTemplate
from connector.rules.timing import Timetable
from connector.rules.topics import NO_TOPICS, TopicBook

if TYPE_CHECKING:
    from connector.rules.escalation import Step
    from connector.rules.index import Index
    from connector.rules.routing import Routing

AttributeType = Literal["text", "number", "flag"]
Status = Literal["draft", "shadow", "live"]
GroupWord = Literal["all", "any", "none"]
FieldType = Literal[
    "score", "number", "count", "text", "choice", "language", "tags", "topics", "flag", "free"
]

RULES_FILE = "rules.yaml"
TOPICS_FILE = "topics.yaml"
DEFAULT_ID = "default"
LOG = "log"


@dataclass(frozen=True)
class ActionKind:
    """What a rule may ask of one kind of sink, and the sinks of this kind that exist here.

    `settle` is how long an action waits for a revision of the answer before it goes out;
    `digest_by` is the parameter that the alerts of one digest share, empty where there are none.
    """

    params: type[Params]
    opens_case: bool = False
    to_customer: bool = False
    settle: timedelta = timedelta(0)
    sinks: tuple[str, ...] = ()
    digest_by: str = ""


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
    """One effect of a rule. `templates` are the fields of `params` that depend on the answer;
    `routed`: one of its texts names the owner that `routing` says."""

    kind: str
    sink: str
    params: Params
    templates: Mapping[str, Any]  # field -> TextTemplate, or a list or map of them
    mail: str | None
    settle: timedelta
    respond_within: timedelta | None
    opens_case: bool
    to_customer: bool
    cap: Cap | None = None
    routed: bool = False
    hours: str = ""  # a calendar; empty: around the clock
    send_hours: str = ""
    digest: str = ""


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
    cap: Cap | None = None
    holdout: Holdout | None = None

    def status_for(self, facts: Facts) -> Status:
        """A draft for answers given after `until`. An answer without a time is not after it."""
        end = self.ends.get(facts.survey)
        over = end is not None and facts.answered_at is not None and facts.answered_at >= end
        return "draft" if over else self.status

    def holds_out(self, facts: Facts) -> bool:
        """Is this one of the customers for whom a live rule asks for nothing?"""
        return self.holdout is not None and self.holdout.has(self.id, facts)


@dataclass(frozen=True)
class Ruleset:
    """Ready to decide with; the same text and vocabulary give the same decisions. `recall` is what
    it has to know of earlier effects."""

    hash: str
    rules: tuple[Rule, ...]
    default: tuple[Action, ...]
    mails: Mapping[str, MailTemplate]
    routing: Routing | None = None
    escalation: tuple[Step, ...] = ()
    recall: Recall = field(default_factory=Recall)
    timetable: Timetable = field(default_factory=Timetable)
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
