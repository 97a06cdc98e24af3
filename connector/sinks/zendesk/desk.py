"""zenpy on our session: the calls that the adapter needs, and errors named after the next step.

zenpy would sleep through rate limits, drop an Idempotency-Key, put values unescaped into queries
and print bodies at debug level. It gets our session (which answers for time-outs, 429 and lost
replies), is used by one thread, and a fresh object is made for each write, since an object that
was sent once serialises to nothing. https://github.com/facetoe/zenpy
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

import requests

from connector import faultpoints
from connector.domain import Facts
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.patience import at_leisure, patiently
from connector.ports import Transport
from connector.sinks.crm import vendor_words
from connector.sinks.zendesk import reading
from connector.sinks.zendesk.answers import Answered, Conflict, KeyMismatch, answered, said
from connector.sinks.zendesk.model import ZendeskSettings
from connector.sinks.zendesk.records import Agent, Field, Listed, Ticket

if TYPE_CHECKING:
    from zenpy import Zenpy

T = TypeVar("T")

EXPORTED_PER_PAGE = 1000

CURE = (
    "check email, api_token and subdomain, and that token access is on in Zendesk's Admin Center "
    "under Apps and integrations > APIs"
)


class Desk:
    """One Zendesk account. The client is made, and imported, on first use."""

    def __init__(self, settings: ZendeskSettings, session: requests.Session) -> None:
        self._settings = settings
        self._session = session
        self._transport = cast("Transport", session)
        self._client: Zenpy | None = None

    # -- writes --------------------------------------------------------------------------------

    def create(self, body: bytes, key: str, facts: Facts) -> int:
        """POST exactly these bytes under this Idempotency-Key; the new ticket's id.

        The same bytes and key make one ticket within two hours, and get its id again.
        https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency

        Raises:
            KeyMismatch, LookFirst, Paused, Refused, TryLater.
        """
        from connector.sinks.zendesk.client import Ticket as NewTicket

        guarded = {} if faultpoints.broken("key") else {"Idempotency-Key": key}
        with self._transport.exactly(body, guarded):
            return self._written(lambda c: c.tickets.create(NewTicket(subject="")), facts)

    def update(self, number: int, body: bytes, facts: Facts) -> int:
        """PUT exactly these bytes; raises as `create`, and Conflict."""
        from connector.sinks.zendesk.client import Ticket as OldTicket

        with self._transport.exactly(body):
            return self._written(lambda c: c.tickets.update(OldTicket(id=number)), facts, number)

    def _written(
        self, write: Callable[[Zenpy], Any], facts: Facts, number: int | None = None
    ) -> int:
        try:
            answer = self._call(write, LookFirst)
        except Answered as no:
            refusal = no
        else:
            try:
                return int(answer.ticket.id)
            except (AttributeError, TypeError, ValueError):
                raise LookFirst("Zendesk's answer names no ticket") from None
        raise self._refused(refusal, facts, number)

    # -- reads ---------------------------------------------------------------------------------

    def with_external_id(self, key: str) -> list[int]:
        """The tickets that carry this external id, oldest first.

        The list is consistent; the search would lag by minutes. Archived tickets are not in it.
        """
        return self._read(
            lambda c: sorted(
                int(ticket.id)
                for ticket in c.tickets(external_id=quote(key, safe=""), cursor_pagination=False)
                if ticket.external_id == key and ticket.status != "deleted"
            )
        )

    def changed_since(self, since: datetime) -> Iterator[Listed]:
        """Every ticket made or changed since then, also deleted and archived ones, oldest change
        first. Ten pages a minute are allowed, so each page is waited for.

        https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/
        """
        place: dict[str, Any] = {"start_time": int(since.timestamp())}
        while True:
            page, cursor, ended = at_leisure(partial(self._exported, place))
            yield from page
            if ended or not cursor:
                return
            place = {"cursor": quote(cursor, safe="")}

    def _exported(self, place: dict[str, Any]) -> tuple[list[Listed], str, bool]:
        """One page, the cursor of the next, and whether it was the last."""

        def ask(client: Zenpy) -> tuple[list[Listed], str, bool]:
            page = client.tickets.incremental(per_page=EXPORTED_PER_PAGE, **place)
            found = [reading.listed(ticket) for ticket in page.process_page() if ticket.external_id]
            return found, str(page.after_cursor or ""), bool(page.end_of_stream)

        return self._read(ask)

    def ticket(self, number: int) -> Ticket | None:
        """The ticket as it is now; None where it was deleted."""
        return self._read_record(lambda c: reading.ticket(c.tickets(id=number)))

    def internal_notes(self, number: int) -> list[str] | None:
        """The HTML of every internal note; None where the ticket was deleted."""
        return self._read_record(
            lambda c: [
                str(note.html_body)
                for note in c.tickets.comments(ticket=number)
                if note.public is False
            ]
        )

    def me(self) -> Agent:
        """Whom the credentials belong to; the harmless read that tells whether they are good."""
        try:
            found = patiently(lambda: self._call(lambda c: reading.agent(c.users.me()), TryLater))
        except Answered as no:
            raise Paused(f"Zendesk refuses the credentials ({said(no)}); {CURE}") from None
        if found is None:
            raise Paused(f"Zendesk takes these credentials for those of no agent; {CURE}")
        return found

    def groups(self) -> dict[int, str]:
        return self._read(lambda c: {int(group.id): str(group.name) for group in c.groups()})

    def groups_of(self, agent_id: int) -> set[int] | None:
        """The groups that an agent belongs to; None where that may not be read."""

        def ask(client: Zenpy) -> set[int]:
            return {int(group.id) for group in client.users.groups(agent_id)}

        try:
            return patiently(lambda: self._call(ask, TryLater))
        except Answered:
            return None

    def agents(self, wanted: str) -> list[Agent]:
        """Active agents with exactly this e-mail address or full name."""
        plain = wanted.replace('"', "").strip()
        query = f"email:{plain}" if "@" in plain else f'"{plain}"'
        return self._read(
            lambda c: [
                Agent(int(user.id), str(user.name), str(user.email))
                for user in c.users.search(query=query)
                if user.role in ("agent", "admin")
                and user.active is not False
                and not user.suspended
                and plain.casefold() in (str(user.email).casefold(), str(user.name).casefold())
            ]
        )

    def fields(self) -> list[Field]:
        return self._read(
            lambda c: [
                reading.field(field) for field in c.ticket_fields() if field.active is not False
            ]
        )

    def plain(
        self, path: str, params: Mapping[str, str | int], take: Callable[[dict[str, Any]], T]
    ) -> T | None:
        """What `take` finds in Zendesk's own JSON; None where the record does not exist.

        Not through zenpy, which drops what is side-loaded and gives up a whole page for one odd
        record; but over the session that zenpy has signed in.
        """

        def ask(_: Zenpy) -> T:
            url = f"https://{self._settings.subdomain}.zendesk.com/api/v2/{path}"
            answer = self._session.get(url, params=params)
            answer.raise_for_status()
            found = answer.json()
            if not isinstance(found, dict):
                raise TypeError("no object")
            return take(found)

        return self._read_record(ask)

    # -- how ------------------------------------------------------------------------------------
    # What is read is also taken apart inside `ask`: zenpy makes objects of anything, and a proxy's
    # answer shows only when their attributes are asked for.

    def _read(self, ask: Callable[[Zenpy], T]) -> T:
        """Raises Paused where nothing may be read, Refused where it is only this."""
        found = self._read_record(ask)
        if found is None:
            raise Refused("Zendesk has no such list")
        return found

    def _read_record(self, ask: Callable[[Zenpy], T]) -> T | None:
        """The same for one record: None where it does not exist."""
        try:
            return patiently(lambda: self._call(ask, TryLater))
        except Answered as no:
            if no.status == 404 and no.code == "RecordNotFound":
                return None
            refusal = no
        self.me()  # raises Paused where it is not about this record
        raise Refused(f"Zendesk does not show it ({said(refusal)})")

    def _call(self, ask: Callable[[Zenpy], T], garbled: type[ConnectorError]) -> T:
        """`garbled` is what an answer means that cannot be understood."""
        from connector.sinks.zendesk.client import APIException, ZenpyException

        if self._client is None:
            self._client = _client(self._settings, self._session)
        error: Exception
        try:
            return ask(self._client)
        except (APIException, requests.HTTPError) as no:
            error = answered(no.response) if no.response is not None else _garbled(garbled)
        except (ZenpyException, AttributeError, KeyError, TypeError, ValueError):
            error = _garbled(garbled)
        raise error  # out here, so that it does not carry the client's own text

    def _refused(self, no: Answered, facts: Facts, number: int | None) -> Exception:
        match no.status:
            case 400 if no.code == "IdempotentRequestError":
                return KeyMismatch()
            case 401 | 402:
                return Paused(f"Zendesk refuses the credentials ({said(no)}); {CURE}")
            case 409 if number is not None:
                return Conflict()
            case 408 | 409:
                # For a new ticket: a request with the same key may still be running.
                return LookFirst(f"Zendesk is not sure about this ticket ({said(no)})")
            case 423 | 425:
                return TryLater(f"Zendesk is busy with this ticket ({said(no)})")
            case 404 if number is not None and no.code == "RecordNotFound":
                return Refused("the ticket was deleted in Zendesk; nothing was written")
            case 403 | 404:
                self.me()  # raises Paused where it is not about this ticket
        if 400 <= no.status < 500:
            return Refused(f"Zendesk refused the ticket: {vendor_words(no.code, no.words, facts)}")
        return LookFirst(f"Zendesk failed ({said(no)})")


def _client(settings: ZendeskSettings, session: requests.Session) -> Zenpy:
    from connector.sinks.zendesk.client import Zenpy

    logging.getLogger("zenpy").setLevel(logging.WARNING)  # its debug lines print whole bodies
    token, oauth = settings.api_token, settings.oauth_token
    return Zenpy(
        subdomain=settings.subdomain,
        email=settings.email,
        token=token.get_secret_value() if token else None,
        oauth_token=oauth.get_secret_value() if oauth else None,
        session=session,
        disable_cache=True,
    )


def _garbled(kind: type[ConnectorError]) -> ConnectorError:
    return kind("Zendesk's answer could not be understood")
