"""The sink: one ticket per answer, one internal note per newer answer, whatever gets lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

import requests
from pydantic import ValidationError

from connector.domain import (
    Finding,
    Followed,
    Note,
    Order,
    Prepared,
    Receipt,
    Standing,
    Watched,
    is_case_key,
)
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.ports import Capabilities, Made
from connector.sinks.zendesk import bodies, checking, news
from connector.sinks.zendesk.answers import Conflict, KeyMismatch
from connector.sinks.zendesk.desk import Desk
from connector.sinks.zendesk.following import Follower
from connector.sinks.zendesk.limits import CALLS
from connector.sinks.zendesk.model import TicketParams, ZendeskSettings
from connector.sinks.zendesk.names import Names
from connector.sinks.zendesk.records import GONE, Ticket
from connector.sinks.zendesk.standings import Standings

T = TypeVar("T")
R = TypeVar("R")

EXPORT_LAG = timedelta(minutes=2)  # the export never shows the newest minute


class ZendeskTicket:
    """`zendesk.ticket`. A key protects a new ticket for two hours, its external id for ever."""

    type: ClassVar[str] = "zendesk"
    kind: ClassVar[str] = "zendesk.ticket"
    unmarked = ""
    listing_gaps: ClassVar[str] = (
        "not the last minute, and not what was deleted for good; what was archived, months after "
        "its closing, may look missing"
    )
    named: ClassVar[tuple[str, ...]] = ("group", "fields")
    Settings = ZendeskSettings
    Params = TicketParams
    capabilities: ClassVar[Capabilities] = Capabilities(
        opens_case=True,
        key_lifetime=timedelta(minutes=110),  # Zendesk keeps a key for two hours
        can_find=True,
        look_again_after=timedelta(minutes=2),
    )

    def __init__(self, settings: ZendeskSettings, session: requests.Session) -> None:
        self._settings = settings
        self.meter = settings.meter(CALLS, session)
        self._desk = Desk(settings, session)
        self._names = Names(self._desk)
        self._follower = Follower(self._desk, Standings(settings, self._desk, self._names))

    @property
    def account(self) -> str:
        return f"zendesk:{self._settings.subdomain.lower()}"

    def prepare(self, orders: Sequence[Order], now: datetime) -> Sequence[bytes | ConnectorError]:
        return _each(orders, lambda order: self._prepare(order, now))

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Receipt | ConnectorError]:
        return _each(batch, lambda one: self._send(one, now))

    def find(
        self, batch: Sequence[Prepared], now: datetime
    ) -> Sequence[Receipt | ConnectorError | None]:
        return _each(batch, self._find)

    def check(self, now: datetime) -> Sequence[Finding]:
        return checking.findings(self._settings, self._desk, self._names, self._follower, now)

    def known(self, field: str, now: datetime) -> Sequence[str]:
        if field == "fields":
            return sorted(field.title for field in self._desk.fields())
        return sorted(self._desk.groups().values())

    def made_since(self, since: datetime, now: datetime) -> Iterator[Made]:
        """The incremental export, not the search: it does not lag by more than a minute."""
        for ticket in self._desk.changed_since(min(since, now - EXPORT_LAG)):
            if is_case_key(ticket.external_id):
                yield Made(
                    key=ticket.external_id,
                    remote_id=str(ticket.id),
                    url=self._url(ticket.id),
                    made_at=ticket.created_at,
                    gone=ticket.status == "deleted",
                )

    # -- news ----------------------------------------------------------------------------------

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        return self._follower.follow(cursor, watched, now)

    def look(self, watched: Sequence[Watched], now: datetime) -> Sequence[Standing]:
        return self._follower.look(watched, now)

    def verify(self, note: Note, now: datetime) -> bool:
        secret = self._settings.webhook_secret
        return secret is not None and news.is_authentic(note, secret.get_secret_value(), now)

    def changed(self, note: Note) -> Sequence[str]:
        return news.tickets(note)

    # -- one order -----------------------------------------------------------------------------

    def _prepare(self, order: Order, now: datetime) -> bytes:
        if order.amends is None:
            params = _params(order)
            # Not for amendments: the default group is no wish of the rule, it moves nothing.
            params = params.model_copy(update={"group": params.group or self._settings.group})
            return bodies.new_ticket(order, params, self._names, now)
        return self._amendment(order, self._open_ticket(order), now)

    def _send(self, one: Prepared, now: datetime) -> Receipt:
        if one.order.amends is not None:
            return self._amend(one, now)
        key = one.order.key
        try:
            number = self._desk.create(one.body, key, one.order.facts)
        except KeyMismatch:
            # The key belongs to other bytes, sent before a backup was restored, say. Under a new
            # key a second ticket would open, so the key stays and the first ticket is looked for.
            if found := self._find(one):
                return found
            raise LookFirst("Zendesk knows this key from another request, but no ticket") from None
        return self._receipt(number, one.body)

    def _find(self, one: Prepared) -> Receipt | None:
        if one.order.amends is not None:
            return self._written_note(one)
        numbers = self._desk.with_external_id(one.order.key)
        if not numbers:
            return None
        several = (
            [f"Zendesk holds {len(numbers)} tickets for this answer; merge the newer ones."]
            if len(numbers) > 1
            else []
        )
        return self._receipt(numbers[0], one.body, several)

    # -- amendments ----------------------------------------------------------------------------

    def _amend(self, one: Prepared, now: datetime) -> Receipt:
        """PUT has no idempotency key. Three things make one note of any number of tries: the
        marker is looked for before each; `safe_update` refuses a request that was built on an older
        state, and with it a copy of it that is still on its way; and after such a refusal the
        request is built anew on the present state.

        Sending the frozen bytes again would be refused for ever after an agent's change, and
        sending them without the stamp could lower a priority that the agent has raised. A body
        built anew is as safe as a frozen one here, since no key is compared with it.
        """
        order = one.order
        if found := self._written_note(one):
            return found
        try:
            return self._receipt(self._desk.update(_number(order), one.body, order.facts), one.body)
        except Conflict:
            pass
        # First the state, then the notes: a note that lands in between changes the state.
        before = self._open_ticket(order)
        if found := self._written_note(one):
            return found
        body = self._amendment(order, before, now)
        try:
            return self._receipt(self._desk.update(before.id, body, order.facts), body)
        except Conflict:
            raise TryLater("the ticket is being changed by others right now") from None

    def _amendment(self, order: Order, before: Ticket, now: datetime) -> bytes:
        return bodies.amendment(order, _params(order), before, self._desk, self._names, now)

    def _open_ticket(self, order: Order) -> Ticket:
        found = self._desk.ticket(_number(order))
        may_be_solved = order.about is not None and order.about.reopens
        if found and found.status == "solved" and may_be_solved:
            return found
        if found is None or found.status in GONE:
            how = found.status if found else "deleted"
            raise Refused(
                f"the ticket was {how} in Zendesk before the newer answer came; nothing was "
                "written: read the answer here and decide whether to open a new ticket"
            )
        return found

    def _written_note(self, one: Prepared) -> Receipt | None:
        number = _number(one.order)
        wanted = bodies.marker(one.order.key)
        notes = self._desk.internal_notes(number) or []
        return self._receipt(number, one.body) if any(wanted in note for note in notes) else None

    def _receipt(self, number: int, body: bytes, more: Sequence[str] = ()) -> Receipt:
        said = [*bodies.remarks(body), *more]
        return Receipt(
            remote_id=str(number),
            url=self._url(number),
            remark=" ".join(said),
            needs_attention=bool(said),
        )

    def _url(self, number: int) -> str:
        return f"https://{self._settings.subdomain}.zendesk.com/agent/tickets/{number}"


def _each(items: Sequence[T], work: Callable[[T], R]) -> list[R | ConnectorError]:
    """An error of the whole account is raised, unless results of earlier items would be lost."""
    results: list[R | ConnectorError] = []
    for item in items:
        try:
            results.append(work(item))
        except ConnectorError as error:
            if isinstance(error, Paused | TryLater) and not results:
                raise
            results.append(error)
    return results


def _params(order: Order) -> TicketParams:
    try:
        return TicketParams.model_validate(order.params)
    except ValidationError as wrong:
        names = ", ".join(sorted({str(one["loc"][0]) for one in wrong.errors() if one["loc"]}))
        raise Refused(f"the action's parameters do not fit this version: {names}") from None


def _number(order: Order) -> int:
    remote = order.amends or ""
    if not remote.isdecimal():
        raise Refused("the case to amend has no ticket number")
    return int(remote)
