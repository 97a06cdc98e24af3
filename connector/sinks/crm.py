"""What the two CRM adapters share: frozen orders, refused batches, names, notes, vendors' words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError
from requests import Response

from connector.domain import Facts, Order, Receipt
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.ports import Params
from connector.sinks.summary import headline, score_words
from connector.text import clean_email, one_line, storable

Outcome = Receipt | ConnectorError
T = TypeVar("T")
P = TypeVar("P", bound=Params)

KNOWN_FOR = timedelta(minutes=10)
UNKNOWN_FOR = timedelta(minutes=1)
WINDOW = 12  # so many characters in a row that are also the customer's are the customer's

_ADDRESS = re.compile(r"[^\s\"'<>(),;:]+(?:@|%40)[^\s\"'<>(),;:]+", re.IGNORECASE)


class Transport(Protocol):
    """What `connector.http.Session` can do beyond a plain session."""

    def request(self, method: str | bytes, url: str | bytes, **kwargs: Any) -> Response: ...
    def reading(self) -> AbstractContextManager[None]: ...
    def exactly(
        self, body: bytes, headers: Mapping[str, str] | None = None
    ) -> AbstractContextManager[None]: ...


class Rejected(Refused):
    """The vendor refused the whole call: nothing was written. Its words stay out of the text: only
    the order tells which of them are the customer's (see `vendor_words`)."""

    def __init__(self, vendor: str, status: int, code: str, words: str) -> None:
        super().__init__(f"{vendor} refused it: {code}")
        self.status = status
        self.code = code
        self.words = words


@dataclass(frozen=True)
class Frozen:
    """What is kept of one order between `prepare` and the last resend.

    `request` is the vendor's JSON of this one record. The remark is frozen beside it, because the
    receipt that carries it may be written by another process, hours later.
    """

    request: dict[str, Any]
    remark: str = ""
    needs_attention: bool = False

    def body(self) -> bytes:
        return json.dumps(vars(self), separators=(",", ":"), sort_keys=True).encode()

    @staticmethod
    def read(body: bytes) -> Frozen:
        return Frozen(**json.loads(body))

    def receipt(self, remote_id: str, url: str, *more: str) -> Receipt:
        """`more` are things that went wrong while sending; they always need attention."""
        remark = " ".join(part for part in (self.remark, *more) if part)
        return Receipt(
            remote_id=remote_id,
            url=url,
            remark=remark,
            needs_attention=self.needs_attention or any(more),
        )


@dataclass
class Remarks:
    """Collects what a person should know about one order while it is prepared."""

    said: list[str] = field(default_factory=list)
    needs_attention: bool = False

    def note(self, sentence: str) -> None:
        self.said.append(sentence)

    def alarm(self, sentence: str) -> None:
        self.said.append(sentence)
        self.needs_attention = True

    @property
    def text(self) -> str:
        return " ".join(self.said)


class Names:
    """name -> id, remembered for ten minutes; what is unknown is asked again after one."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str | None, datetime]] = {}

    def resolve(
        self,
        names: Iterable[str],
        now: datetime,
        look_up: Callable[[list[str]], Mapping[str, str]],
    ) -> dict[str, str]:
        """The ids of those names that exist. `look_up` gets what is not known, case-folded."""
        asked = {name.strip().casefold() for name in names} - {""}
        missing = sorted(name for name in asked if not self._fresh(name, now))
        if missing:
            found = look_up(missing)
            for name in missing:
                self._known[name] = (found.get(name), now)
        return {name: known for name in asked if (known := self._known[name][0]) is not None}

    def _fresh(self, name: str, now: datetime) -> bool:
        if name not in self._known:
            return False
        known, since = self._known[name]
        return now - since < (UNKNOWN_FOR if known is None else KNOWN_FOR)


def each_settled(items: Sequence[T], send: Callable[[Sequence[T]], list[Outcome]]) -> list[Outcome]:
    """`send` all in one call; where the far side refuses the whole call, in two halves, and so on.

    A refusal of the whole call means that nothing was written, so the halves may go out, and one
    bad record costs only itself. Any other error is the outcome of every item of its call.
    """
    if not items:
        return []
    try:
        return send(items)
    except Refused as refusal:
        if len(items) == 1:
            return [refusal]
    except ConnectorError as error:
        return [error] * len(items)
    middle = len(items) // 2
    first = each_settled(items[:middle], send)
    if halt := stopping(first):
        return [*first, *[halt] * (len(items) - middle)]
    return [*first, *each_settled(items[middle:], send)]


def stopping(outcomes: Iterable[Outcome | None]) -> ConnectorError | None:
    """The error among these that makes further calls to this account pointless for now."""
    for outcome in outcomes:
        if isinstance(outcome, Paused) or (isinstance(outcome, TryLater) and outcome.account_wide):
            return outcome
    return None


def raised_if_common(outcomes: Sequence[Outcome | None]) -> None:
    """Raise the error that every item shares: it concerned the whole call."""
    first = outcomes[0] if outcomes else None
    if isinstance(first, TryLater | LookFirst | Paused) and all(o is first for o in outcomes):
        raise first


def params_of(order: Order, model: type[P]) -> P:
    """The order's parameters as this version knows them.

    Raises:
        Refused: they were decided by another version and do not fit any more.
    """
    # `respond_within` has become `order.due_at`; its stored form is not that of the rule file.
    written = {name: v for name, v in order.params.items() if name != "respond_within"}
    try:
        return model.model_validate(written)
    except ValidationError as wrong:
        names = ", ".join(sorted({str(one["loc"][0]) for one in wrong.errors() if one["loc"]}))
        raise Refused(f"the action's parameters do not fit this version: {names}") from None


def address_of(order: Order) -> str | None:
    """The customer's address, lower case; None where there is none that could be looked up."""
    address = order.facts.customer.get("email")
    return clean_email(address) if isinstance(address, str) else None


def marker(order: Order) -> str:
    """What stands in an appended note, so that it can be found again."""
    return f"[{order.key}]"


def why(order: Order) -> str:
    """Why a note is written onto a task."""
    return order.about.why if order.about else "The answer was revised."


def is_told(order: Order) -> bool:
    """Does the note tell an answer? Of an escalation nothing else is new."""
    return order.about is None or order.about.reopens


def reopens(order: Order) -> bool:
    return order.about is not None and order.about.reopens


def units(text: str) -> int:
    """Length as both vendors may count it: an emoji is two UTF-16 units."""
    return len(text.encode("utf-16-le", "replace")) // 2


def cut(text: str, limit: int) -> str:
    """At most `limit` units, never half a character."""
    if units(text) <= limit:
        return text
    return text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", "ignore") + "…"


def subject_line(text: str, order: Order) -> str:
    """One inert line, never empty. A leading apostrophe keeps a spreadsheet from running `=...`:
    task lists are exported as CSV. https://owasp.org/www-community/attacks/CSV_Injection
    """
    line = headline(text, 255) or f"NPS {score_words(order.facts)}"
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line


def appended(
    old: str, gap: str, notes: Sequence[str], limit: int, size: Callable[[str], int] = len
) -> str:
    """`old` and the first of `notes` (longest first) that fits into `limit`.

    Raises:
        Refused: not even the shortest fits; what people wrote there is never cut.
    """
    for note in notes:
        whole = f"{old}{gap}{note}" if old else note
        if size(whole) <= limit:
            return whole
    raise Refused(
        f"the task's text is full ({limit} characters), so the new note was not written; "
        "shorten it there, then retry this action"
    )


def vendor_words(code: str, text: str, facts: Facts) -> str:
    """The vendor's reason without addresses and without anything that the customer wrote."""
    plain = _ADDRESS.sub("…", one_line(storable(text), 1000))
    hidden: set[int] = set()
    for words in _private(facts):
        size = min(WINDOW, len(words))
        for start in range(len(plain) - size + 1):
            if plain[start : start + size].casefold() in words:
                hidden.update(range(start, start + size))
    shown = "".join("\0" if place in hidden else c for place, c in enumerate(plain))
    reason = one_line(re.sub("\0+", "…", shown), 200)
    return f"{code}: {reason}" if code else reason


def _private(facts: Facts) -> Iterator[str]:
    values: list[object] = [facts.comment, *(earlier.comment for earlier in facts.history.earlier)]
    for attributes in (facts.customer, facts.properties):
        values.extend(attributes.values())
    for value in values:
        words = one_line(value, 100_000).casefold() if isinstance(value, str) else ""
        if len(words) >= 4:
            yield words
