"""A running stand-in, empty again for each test, and adapters that talk to it."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from connector.http import Session
from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.zendesk import Zendesk
from connector.sinks.zendesk import ZendeskTicket
from tests.unit.sinks.zendesk.talk import TOKEN, Make, deliver, order


@pytest.fixture(scope="package")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def zendesk(running: Sandbox) -> Iterator[Zendesk]:
    vendor = running.zendesk
    empty = copy.deepcopy(vendor.state)
    yield vendor
    vendor.clear_faults()
    vendor.state.clear()
    vendor.state.update(empty)
    vendor.log.clear()
    running.clock.offset_seconds = 0.0


@pytest.fixture
def make(running: Sandbox, zendesk: Zendesk) -> Iterator[Make]:
    """New adapter instances, as after a restart."""
    sessions: list[Session] = []

    def make(seconds: float = 5.0, **settings: Any) -> ZendeskTicket:
        sessions.append(Session(base_url=running.urls["zendesk"], timeout=(1.0, seconds)))
        known = {
            "type": "zendesk",
            "subdomain": "acme",
            "email": SECRETS["ZENDESK_EMAIL"],
            "api_token": TOKEN,
        }
        return ZendeskTicket(ZendeskTicket.Settings(**(known | settings)), sessions[-1])

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def sink(make: Make) -> ZendeskTicket:
    return make()


@pytest.fixture
def case(zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox) -> str:
    """A ticket that we opened five minutes ago."""
    number = deliver(sink, order({"priority": "high", "group": "Support"})).remote_id
    running.clock.advance(300)
    zendesk.log.clear()
    return number
