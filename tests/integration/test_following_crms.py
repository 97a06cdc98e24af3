"""A task from the answer to its end, through the real stages: Salesforce and HubSpot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector import followup
from connector.delivery import Courier
from connector.sandbox import Sandbox
from connector.store import cases

SALESFORCE = """
  crm:
    type: salesforce
    domain: sandbox.my
    consumer_key: ${{TOKEN}}
    consumer_secret: ${{TOKEN}}
    default_owner: sonia@example.com
    cause_field: NPS_Cause__c
    action_field: NPS_Action_Taken__c
    close_needs: [cause]
    base_url: URL
"""
HUBSPOT = """
  crm:
    type: hubspot
    token: ${{TOKEN}}
    default_owner: sonia@example.com
    cause_field: nps_cause
    action_field: nps_action_taken
    close_needs: [cause]
    base_url: URL
"""
RULES = """
rules:
  - id: unhappy
    when: {segment: detractor}
    then:
      - KIND: {next_step: Call., respond_within: 24h, sink: crm}
default:
  then: [{log: {}}]
"""


class Crm:
    """An installation whose cases are tasks of one CRM, on one clock with it."""

    def __init__(self, world: Any, sandbox: Sandbox, vendor: str) -> None:
        self.world, self.sandbox = world, sandbox
        self.people: Any = sandbox.vendors[vendor]
        self.causes = {"salesforce": "NPS_Cause__c", "hubspot": "nps_cause"}[vendor]
        self.adapter = world.workspace.new_sink("crm")
        self._together()

    def _together(self) -> None:
        ahead = self.world.now - datetime.now(UTC)
        self.sandbox.clock.offset_seconds = ahead.total_seconds()

    def pass_by(self, time: timedelta = timedelta(minutes=20)) -> datetime:
        self.world.now += time
        self._together()
        now: datetime = self.world.now
        return now

    def opened(self) -> str:
        self.world.answer(id="1", score=2, email="dora@example.com")
        store = self.world.workspace.store
        Courier(store, "crm", self.adapter, lambda: self.world.now).round()
        return str(self.case().remote_id)

    def follow(self) -> Any:
        self.pass_by()
        heard = followup.follow(self.world.workspace, "crm", self.adapter, self.world.now)
        assert not heard.error
        return self.case()

    def case(self) -> Any:
        with self.world.workspace.store.read() as connection:
            [case] = cases.listed(connection, ("open", "contacted", "closed", "gone"), 10)
        return case

    def events(self) -> list[str]:
        with self.world.workspace.store.read() as connection:
            return [one.kind for one in cases.events_of(connection, self.case().action_id)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(params=["salesforce", "hubspot"])
def crm(
    make_world: Callable[..., Any], sandbox: Sandbox, request: pytest.FixtureRequest
) -> Iterator[Crm]:
    for vendor in ("salesforce", "hubspot"):
        settings = sandbox.vendors[vendor].state["settings"]
        settings |= {"token": "t0ken", "consumer_key": "t0ken", "consumer_secret": "t0ken"}
    text = {"salesforce": SALESFORCE, "hubspot": HUBSPOT}[request.param]
    world = make_world(
        RULES.replace("KIND", f"{request.param}.task"),
        more_sinks=text.replace("URL", sandbox.urls[request.param]),
    )
    yield Crm(world, sandbox, request.param)
    sandbox.reset()


def near(told: datetime | None, when: datetime) -> bool:
    return told is not None and abs(told - when) < timedelta(seconds=5)


def test_a_task_is_followed_from_its_first_touch_to_its_end(crm: Crm) -> None:
    task = crm.opened()
    assert crm.follow().state == "open"

    touched = crm.pass_by()
    crm.people.start(task)
    case = crm.follow()
    assert (case.state, case.owner) == ("contacted", "Sonia Sales")
    assert near(case.contacted_at, touched)

    crm.people.complete(task)
    case = crm.follow()
    assert (case.state, case.missing) == ("contacted", "the cause"), "nobody has said why"

    crm.people.fill(task, {crm.causes: "Late invoice"})
    case = crm.follow()
    assert (case.state, case.cause, case.missing) == ("closed", "Late invoice", None)

    crm.people.reopen(task)
    case = crm.follow()
    assert (case.state, case.reopened, case.closed_at) == ("contacted", 1, None)
    assert near(case.contacted_at, touched)

    crm.people.delete(task)
    assert crm.follow().state == "gone"
    told = ["contacted", "incomplete", "closed", "reopened", "gone"]
    assert [kind for kind in crm.events() if kind in told] == told


def test_rounds_without_news_change_nothing(crm: Crm) -> None:
    task = crm.opened()
    crm.people.start(task)
    first, events = crm.follow(), crm.events()
    for _ in range(3):
        assert crm.follow() == first
    assert crm.events() == events
