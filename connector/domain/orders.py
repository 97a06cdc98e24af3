"""What sinks get and give back, and the keys by which each effect is known for ever."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from pydantic import AwareDatetime, field_validator

from connector.domain.facts import Facts
from connector.domain.values import Value
from connector.text import storable


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


class About(Value):
    """What is done to a case that exists, and what those who are told of it need.

    `why` is a sentence for its people. `moves`: group and owner change also where somebody has
    touched it, for it is taken from them. `reopens`: it was solved, and is opened again. `number`,
    `link` and `owner` name it where it is somebody else's message.
    """

    why: str
    moves: bool = False
    reopens: bool = False
    number: str = ""
    link: str = ""
    owner: str = ""


class Order(Value):
    """One action as a sink gets it. `key` never changes over revisions, retries and restarts.

    For an amendment `amends` is the remote id of the case and `key` doubles as the marker that is
    looked up before any resend. `params` were validated by the sink's own `Params` when decided. A
    `digest` is about no single answer: its facts are empty. `windows` are the next times in which
    it may go out, in order; without any, and after the last of them, it may at any time. `about` is
    the case that is changed for another reason than a revision, or of which is told. `topics`,
    `flags` and `complaints` are those of the verdict. `page` is our own page about the customer.
    """

    key: str
    kind: str
    rule_name: str
    params: dict[str, object]
    facts: Facts
    due_at: AwareDatetime | None = None
    amends: str | None = None
    digest: Digest | None = None
    about: About | None = None
    windows: tuple[tuple[AwareDatetime, AwareDatetime], ...] = ()
    topics: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
    page: str = ""

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


def escalation_key(case: str, step: str, kind: str) -> str:
    """Of what a step of `escalation` does about a case, once."""
    return f"{case}-e" + hashlib.sha256(f"{step}\x00{kind}".encode()).hexdigest()[:16]


def effect_key(response: str, sink: str, kind: str, rule_id: str) -> str:
    text = f"effect\x00{response}\x00{sink}\x00{kind}\x00{rule_id}"
    return "nps-" + hashlib.sha256(text.encode()).hexdigest()[:32]


def digest_key(sink: str, kind: str, about: str, digest: str, slot: datetime) -> str:
    """What goes out together: alerts of one sink, channel (`about`), digest and time."""
    text = (
        f"digest\x00{sink}\x00{kind}\x00{about}\x00{digest}\x00{slot.astimezone(UTC).isoformat()}"
    )
    return "nps-" + hashlib.sha256(text.encode()).hexdigest()[:32]
