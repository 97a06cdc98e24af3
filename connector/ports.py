"""What an adapter is: a table of facts plus one translation.

Retry, rate limits, leases, idempotency bookkeeping, storing and logging live around adapters,
written once. An adapter gets a `requests.Session` that already has time-outs, no hidden retries,
the `base_url` override and an error policy (see `connector.http`): it always writes the vendor's
own URLs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Protocol, cast, runtime_checkable

import requests
from pydantic import AwareDatetime, BeforeValidator, Field, SecretStr

from connector.domain import (
    Finding,
    Note,
    Order,
    Prepared,
    Pulled,
    Receipt,
    Response,
    Value,
)
from connector.errors import ConnectorError
from connector.limits import USUAL_SHARE, Allowance, Limit, Meter, parse_limit, parse_share
from connector.text import parse_duration


class Templated:
    """Marks a `Params` field in which a rule author may write `{{ … }}`."""


class TemplateNamed:
    """Marks a `Params` field that names a mail template (`thank_you` -> templates/thank_you/).

    The rules render it in the customer's language and hand the result to the sink as
    `params["rendered"] = {"subject", "text", "html", "language"}`.
    """


Template = Annotated[str, Templated()]
TemplateName = Annotated[str, TemplateNamed()]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Secret = SecretStr
Share = Annotated[float, BeforeValidator(parse_share)]
OwnLimit = Annotated[Limit, BeforeValidator(parse_limit)]


class Transport(Protocol):
    """What the session of an adapter can beyond a `requests.Session` (see `connector.http`)."""

    def reading(self) -> AbstractContextManager[None]:
        """POSTs inside only read or fetch a token: whatever fails, nothing happened."""
        ...

    def exactly(
        self, body: bytes, headers: Mapping[str, str] | None = None
    ) -> AbstractContextManager[None]:
        """The next write inside goes out with exactly these bytes and extra headers."""
        ...

    def report_to(self, meter: Meter) -> None:
        """Tell this meter of every request and every answer from now on."""
        ...


class SourceSettings(Value):
    """What every source takes in `connector.yaml`; adapters add their own fields.

    Give `survey` (all answers belong to it) or `surveys` (vendor's survey id -> ours).
    """

    type: str
    name: str = ""
    survey: str | None = None
    surveys: dict[str, str] = {}
    act_since: AwareDatetime | None = Field(
        None, description="act on answers given after this time"
    )
    act_within: Duration = timedelta(days=7)
    surge: int = Field(200, ge=1, description="cases in ten minutes above which they are held")
    poll_every: Duration = Field(timedelta(minutes=1), ge=timedelta(seconds=1))
    expect_every: Duration | None = None
    base_url: str | None = None

    def survey_for(self, ref: str) -> str | None:
        """Our survey id for the vendor's, or None: nothing is guessed."""
        return self.surveys.get(ref, self.survey)


class Source(Protocol):
    """Where answers come from. Built as `Adapter(settings, session)`."""

    Settings: ClassVar[type[SourceSettings]]
    type: ClassVar[str]

    def __init__(self, settings: Any, session: requests.Session) -> None: ...

    def verify(self, note: Note, now: datetime) -> bool:
        """Is this webhook authentic? Constant-time, over the raw bytes. Never raises."""
        ...

    def split(self, note: Note) -> Sequence[bytes]:
        """The vendor records in one webhook body, each as bytes that `parse` reads.

        Raises `Unreadable`; then the whole body is kept as one record and quarantined.
        """
        ...

    def parse(self, note: Note) -> Response | None:
        """One record -> one response; None where it is none (a test ping, an unsubscribe).

        Raises `Unreadable` with a sentence that names the field and what is allowed.
        """
        ...


@runtime_checkable
class Pollable(Protocol):
    def pull(self, cursor: str | None, now: datetime) -> Iterator[Pulled]:
        """Pages from the vendor's API. Each page's cursor is stored in the same transaction as its
        records, so a stop between pages loses and repeats nothing but what overlaps by design.

        Raises `TryLater`, `Paused`, `Refused`.
        """
        ...

    def check(self, now: datetime) -> Sequence[Finding]:
        """Reach the vendor read-only and say what is wrong and how to mend it."""
        ...


class FileRow(Value):
    """One row of a file: a record for `parse`, or what is wrong with it. `line` is from 1."""

    line: int
    record: bytes | None = None
    problem: str = ""


@runtime_checkable
class Importable(Protocol):
    def rows(self, data: bytes) -> Iterator[FileRow]:
        """The answers in a file, row by row; a bad row never stops the others.

        Raises `Refused` with a sentence when the file as a whole cannot be read.
        """
        ...


class SinkSettings(Value):
    """What every sink takes in `connector.yaml`; adapters add their own fields."""

    type: str
    name: str = ""
    base_url: str | None = None
    names: dict[str, list[str]] = Field(
        {}, description="what rules may name there, for checks that reach nothing: group: [Support]"
    )
    use_at_most: Share = Field(
        USUAL_SHARE, description="of the account's limit; the rest is left to people and others"
    )
    limit: OwnLimit | None = Field(None, description="calls, where the vendor does not tell it")

    def meter(self, allowance: Allowance, session: requests.Session | None = None) -> Meter:
        """A meter for one adapter; what goes over `session` is counted."""
        meter = Meter(allowance, self.use_at_most, self.limit)
        if session is not None:
            cast("Transport", session).report_to(meter)
        return meter


class Params(Value):
    """What every action in a rule may say, whatever its kind."""

    sink: str | None = None


@dataclass(frozen=True)
class Capabilities:
    """What makes a resend safe, and how the outbox treats this kind.

    `key_lifetime`: for so long after the first send the same bytes with the same key make nothing
    twice. `can_find`: a consistent look-up exists. With neither, an unknown outcome stays in doubt
    and is never resent. `look_again_after`: a look-up that finds nothing counts only when this
    long has passed since the last send (a slow far side may still commit). `settle`: how long a
    message waits for a revision of the answer before it goes out. `digest_by`: orders that hold a
    `digest` are written as one message, for all that have the same value of this parameter.
    """

    opens_case: bool = False
    to_customer: bool = False
    batch: int = 1
    key_lifetime: timedelta = timedelta(0)
    can_find: bool = False
    look_again_after: timedelta = timedelta(0)
    settle: timedelta = timedelta(0)
    digest_by: str = ""


class Sink(Protocol):
    """Where effects happen. Built as `Adapter(settings, session)`; used by one thread at a time.

    Errors that concern the whole call are raised; those of one item are returned in its place.
    """

    Settings: ClassVar[type[SinkSettings]]
    Params: ClassVar[type[Params]]
    type: ClassVar[str]  # below the two above: in this class it hides the built-in `type`
    kind: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    def __init__(self, settings: Any, session: requests.Session) -> None: ...

    @property
    def account(self) -> str:
        """What the vendor limits, for example `zendesk:acme`. Never a secret."""
        ...

    def prepare(self, orders: Sequence[Order], now: datetime) -> Sequence[bytes | ConnectorError]:
        """Look up people, groups, owners (reads only) and build the request bytes to freeze."""
        ...

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Receipt | ConnectorError]:
        """Send the frozen bytes, exactly these. One call where the vendor has batches."""
        ...

    def find(
        self, batch: Sequence[Prepared], now: datetime
    ) -> Sequence[Receipt | ConnectorError | None]:
        """What an earlier, unheard send of these made; None where there is nothing."""
        ...

    def check(self, now: datetime) -> Sequence[Finding]:
        """Reach the vendor read-only and say what is wrong and how to mend it."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A sink whose calls are counted and limited; `settings.meter(…)` makes its meter. Every
    registered sink is one, so that `use_at_most` and `limit` hold for all of them."""

    meter: Meter


@runtime_checkable
class Naming(Protocol):
    """A sink that can list what some fields of a rule may name: for `connector doctor`, for
    `connector rules check` and for the schema that editors complete from."""

    named: ClassVar[tuple[str, ...]]  # these fields of `Params`; of a map its keys

    def known(self, field: str, now: datetime) -> Sequence[str]:
        """The names that exist at the far side; a read. Case does not matter.

        Raises `TryLater`, `Paused`, `Refused`.
        """
        ...


@dataclass(frozen=True)
class Made:
    """One record of ours at the far side. `gone`: it was deleted there."""

    key: str
    remote_id: str
    url: str
    made_at: datetime
    gone: bool = False


@runtime_checkable
class Listing(Protocol):
    """A sink that can list the cases that carry our keys. Only `connector reconcile` asks."""

    @property
    def unmarked(self) -> str:
        """Why its records carry no key of ours, and nothing can be looked for; empty where they
        do."""
        ...

    listing_gaps: ClassVar[str]  # what `made_since` cannot see, in one sentence

    def made_since(self, since: datetime, now: datetime) -> Iterator[Made]:
        """Everything with a key of ours that was made at or after `since`, and perhaps older
        records; reads only, page by page, waiting where the vendor asks for it.

        Raises `TryLater`, `Paused`, `Refused`.
        """
        ...


SourceTypes = Mapping[str, type[Source]]
SinkKinds = Mapping[str, type[Sink]]
