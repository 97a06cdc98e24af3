"""Where effects happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import requests
from pydantic import Field

from connector.domain import Finding, Need, Order, Prepared, Receipt, Value
from connector.errors import ConnectorError
from connector.limits import USUAL_SHARE, Allowance, Meter
from connector.ports.fields import Duration, OwnLimit, Share, Transport


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
    follow_every: Duration = Field(
        timedelta(minutes=5),
        ge=timedelta(seconds=1),
        description="how often it is asked what became of its cases; a webhook is faster",
    )
    reopen_within: Duration = Field(
        timedelta(days=30),
        description="a case that was closed so recently is opened again by an unhappy answer",
    )
    close_needs: tuple[Need, ...] = Field(
        (), description="what must be told before a closed record counts as a closed case"
    )

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


SinkKinds = Mapping[str, type[Sink]]
