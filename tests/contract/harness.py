"""What the contract needs to know of one adapter to put it before its stand-in.

A new adapter is one entry in `SOURCES` or `SINKS`; an adapter without an entry fails
`tests/unit/test_completeness.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connector.sandbox import Sandbox

Raw = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a person answers at the stand-in; `score` None is an answer without a score."""

    score: int | None
    at: datetime
    comment: str = ""
    email: str | None = None


@dataclass(frozen=True)
class Signed:
    """A webhook as its sender signs it; `headers` are those that the signature needs."""

    settings: Raw
    body: bytes
    headers: Mapping[str, str]
    now: datetime
    ages: bool = False  # whether an old one is refused


@dataclass(frozen=True)
class SourceHarness:
    """`settings`: as in connector.yaml, secrets filled in. `scored`: a record for `parse` whose
    score is this raw value. A source that can be polled gives its stand-in and what follows."""

    type: str
    settings: Callable[[Sandbox], Raw]
    scored: Callable[[Any], bytes]
    signed: Callable[[Sandbox], list[Signed]]
    vendor: str = ""
    why_no_vendor: str = ""
    set_up: Callable[[Sandbox], None] = lambda sandbox: None
    add: Callable[[Sandbox, Answer], str] | None = None  # gives the vendor's id of the answer
    revise: Callable[[Sandbox, str, str, datetime], object] | None = None  # id, new comment, when
    erase: Callable[[Sandbox, str, str], object] | None = None  # id, e-mail address
    webhook: Callable[[Sandbox, str], tuple[bytes, dict[str, str]]] | None = None
    api: str = ""  # how paths of the API begin; tokens are fetched elsewhere
    rows_per_page: int = 0
    exempt: Mapping[str, str] = field(default_factory=dict)  # check -> reason


@dataclass(frozen=True)
class Shown:
    """A text that a person sees at the far side, and how their program reads it: `html`, `mrkdwn`
    (Slack), `plain`, `line` (a subject) or `cell` (a subject that is exported to spreadsheets)."""

    text: str
    form: Literal["html", "mrkdwn", "plain", "line", "cell"]


@dataclass(frozen=True)
class SinkHarness:
    """`settings`: as in connector.yaml, secrets filled in. `params`: as the rules decided them;
    `subject`: which of them holds a line of the rule's own words.

    `writes`: method and start of the path of the request that makes an effect, `count` the key
    under which the stand-in counts effects. `refuse_second`: arm the stand-in so that of several
    actions the second is refused, with `words`. `echo`: how the vendor refuses by repeating a
    text. `revoke` and `restore`: the credentials, at the vendor's side.

    `shown`: what people see there, `notes` how often they see a marker, `amends` the request that
    adds a note, `close` what makes the case closed; all read or change the stand-in's state. So do
    `delete` and `by_hand`, for sinks that can be listed, and `touch`, for sinks that are followed:
    a person works on the case, but does not close it. `strangers` are the records made `by_hand`.

    `webhook`: what the far side sends when this record has changed, body and headers, signed with
    what stands in the setting `webhook_secret` names.
    """

    kind: str
    vendor: str
    settings: Callable[[Sandbox], Raw]
    params: Raw
    subject: str
    writes: tuple[str, str]
    refuse_second: Callable[[Sandbox], object]
    words: str
    echo: Callable[[str], Raw]
    revoke: Callable[[Sandbox], None]
    restore: Callable[[Sandbox], None]
    shown: Callable[[Raw], list[Shown]]
    has_url: bool = True
    amends: tuple[str, str] = ("", "")
    notes: Callable[[Raw, str], int] = lambda state, marker: 0
    close: Callable[[Sandbox, str], object] = lambda sandbox, remote_id: None
    delete: Callable[[Sandbox, str], object] = lambda sandbox, remote_id: None
    by_hand: Callable[[Sandbox], object] = lambda sandbox: None  # a case that is not ours
    lists: tuple[str, str] = ("", "")  # the request that lists what we made
    page_size: str = ""  # dotted name of the constant that says how much a page of it holds
    touch: Callable[[Sandbox, str], object] = lambda sandbox, remote_id: None
    strangers: Callable[[Raw], list[str]] = lambda state: []
    news_page_size: str = ""  # as `page_size`, of what `follow` reads
    webhook: Callable[[Sandbox, str], tuple[bytes, dict[str, str]]] | None = None
    webhook_secret: str = "webhook_secret"
    exempt: Mapping[str, str] = field(default_factory=dict)  # check -> reason
