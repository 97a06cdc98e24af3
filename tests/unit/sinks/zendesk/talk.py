"""An order, and what a delivery does with it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.domain import Facts, Order, Prepared, Receipt, amendment_key, case_key
from connector.errors import ConnectorError
from connector.sandbox import SECRETS
from connector.sandbox.zendesk import Zendesk
from connector.sinks.zendesk import ZendeskTicket

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DUE = datetime(2026, 11, 25, 16, tzinfo=UTC)
LATER = timedelta(hours=3)  # Zendesk has forgotten the key by then
KEY = case_key("r1", "zendesk:acme")
TOKEN = SECRETS["ZENDESK_API_TOKEN"]
COMMENT = "Too slow, and nobody answers. I want my money back!"

Make = Callable[..., ZendeskTicket]
MOVE = {"group": "Retention", "assignee": "ana@example.com", "fields": {"NPS score": "1"}}


def order(
    params: dict[str, Any] | None = None,
    key: str = KEY,
    amends: str | None = None,
    due_at: datetime | None = DUE,
    **facts: Any,
) -> Order:
    known: dict[str, Any] = {
        "response_id": "r1",
        "source": "delighted",
        "survey": "relationship",
        "score": 2,
        "segment": "detractor",
        "comment": COMMENT,
        "customer": {"name": "Jane Roe", "email": "jane.roe@example.com", "plan": "enterprise"},
    }
    said = {"subject": "NPS 2 - Jane Roe", "next_step": "Call within four hours."}
    return Order(
        key=key,
        kind="zendesk.ticket",
        rule_name="Enterprise detractor",
        params=said | (params or {}),
        facts=Facts(**(known | facts)),
        due_at=due_at,
        amends=amends,
    )


def newer(
    ticket: str, params: dict[str, Any] | None = None, revision: int = 2, **more: Any
) -> Order:
    key = amendment_key(KEY, revision)
    return order(params, key=key, amends=ticket, **({"comment": "Now I am leaving."} | more))


def prepare(sink: ZendeskTicket, wanted: Order, now: datetime = NOW) -> Prepared:
    [body] = sink.prepare([wanted], now)
    assert isinstance(body, bytes), body
    return Prepared(order=wanted, body=body)


def send(sink: ZendeskTicket, one: Prepared, now: datetime = NOW) -> Receipt:
    [receipt] = sink.send([one], now)
    assert isinstance(receipt, Receipt), receipt
    return receipt


def deliver(sink: ZendeskTicket, wanted: Order) -> Receipt:
    return send(sink, prepare(sink, wanted))


def failure(sink: ZendeskTicket, one: Prepared) -> ConnectorError:
    """The error of a send, raised or returned, after a look for what must not be in it."""
    try:
        [error] = sink.send([one], NOW)
    except ConnectorError as raised:
        error = raised
    assert isinstance(error, ConnectorError), error
    for private in (TOKEN, "jane.roe", "money back", "external_id="):
        assert private not in str(error)
        assert private not in repr(error)
    return error


def found(sink: ZendeskTicket, one: Prepared) -> Receipt | ConnectorError | None:
    [result] = sink.find([one], NOW)
    return result


def ticket(zendesk: Zendesk, number: str) -> dict[str, Any]:
    row: dict[str, Any] = zendesk.state["tickets"][number]
    return row


def notes(zendesk: Zendesk, number: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = zendesk.state["comments"][number]
    return rows[1:]


def writes(zendesk: Zendesk) -> list[str]:
    return [f"{c.method} {c.path}" for c in zendesk.calls() if c.method != "GET"]


def plain(number: str) -> Receipt:
    return Receipt(remote_id=number, url=f"https://acme.zendesk.com/agent/tickets/{number}")
