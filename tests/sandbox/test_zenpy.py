"""zenpy speaks with the Zendesk stand-in: the client that the product uses."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, User
from zenpy.lib.exception import APIException, RecordNotFoundException

from connector.sandbox import Sandbox


class Loopback(HTTPAdapter):
    """Sends what is meant for https://sandbox.zendesk.com to the stand-in."""

    def __init__(self, base: str) -> None:
        self.base = base
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        real, parts = request.copy(), urlsplit(request.url or "")
        query = f"?{parts.query!s}" if parts.query else ""
        real.url = f"{self.base}{parts.path!s}{query}"
        response = super().send(real, *args, **options)
        response.url = request.url or ""  # zenpy chooses its reader by the URL
        response.request = request
        return response


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Any]:
    with requests.Session() as session:
        session.mount("https://", Loopback(sandbox.urls["zendesk"]))
        yield Zenpy(
            subdomain="sandbox",
            email="agent@example.com",
            token="zd-sandbox-token",
            session=session,
            timeout=5,
            disable_cache=True,
        )


def a_ticket(**fields: Any) -> Ticket:
    comment = Comment(body="why", public=False)
    requester = User(name="Jo Example", email="jo@example.org")
    return Ticket(
        subject="NPS 2", comment=comment, requester=requester, external_id="nps:1", **fields
    )


def test_a_ticket_goes_through_its_life(sandbox: Sandbox, client: Any) -> None:
    made = client.tickets.create(a_ticket(priority="low"))
    number = made.ticket.id
    assert made.audit.events[0]["type"] == "Comment"
    ticket = client.tickets(id=number)
    ticket.priority = "urgent"
    ticket.comment = Comment(body="note", public=False)
    client.tickets.update(ticket)
    assert client.tickets(id=number).priority == "urgent"
    assert [c.body for c in client.tickets.comments(ticket=number)] == ["why", "note"]
    assert len(list(client.tickets.audits(ticket=number))) == 2
    assert [t.id for t in client.tickets(external_id="nps:1")] == [number]
    assert sandbox.counts()["zendesk.note"] == 1
    client.tickets.delete(ticket)
    with pytest.raises(RecordNotFoundException):
        client.tickets(id=number)


def test_a_batch_is_polled_as_a_job(sandbox: Sandbox, client: Any) -> None:
    job = client.tickets.create([a_ticket(), a_ticket(priority="super")])
    done = client.job_status(id=job.id)
    assert done.status == "completed"
    assert [one.to_dict().get("error") for one in done.results] == [None, "TicketCreateFailed"]


def test_the_export_the_search_and_the_account_are_read(sandbox: Sandbox, client: Any) -> None:
    start = int(sandbox.clock.timestamp()) - 120
    number = client.tickets.create(a_ticket()).ticket.id
    sandbox.clock.advance(130)
    exported = client.tickets.incremental(start_time=start, paginate_by_time=False)
    assert [t.id for t in exported] == [number]
    assert [t.id for t in client.search(type="ticket", external_id="nps:1")] == [number]
    assert [g.name for g in client.groups()] == ["Support", "Retention", "Customer Care"]
    titles = [f.title for f in client.ticket_fields()]
    assert titles == ["NPS score", "NPS segment", "Root cause", "Action taken"]
    assert client.users.me().email == "agent@example.com"
    assert [u.name for u in client.users.search(query="jo@example.org")] == ["Jo Example"]


def test_refusals_arrive_as_exceptions(sandbox: Sandbox, client: Any) -> None:
    with pytest.raises(APIException, match="RecordInvalid"):
        client.tickets.create(a_ticket(priority="super"))
    used = a_ticket()
    client.tickets.create(used)
    with pytest.raises(APIException, match="cannot be blank"):
        client.tickets.create(used)  # a ticket object is empty after its first use
    sandbox.zendesk.state["settings"]["api_token"] = "revoked"
    with pytest.raises(APIException, match="authenticate"):
        client.users.me()
