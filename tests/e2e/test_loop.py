"""The whole loop at the stand-ins: opened, worked on by people there, closed, opened again,
escalated; what each of them shows on its own record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector import config, deciding, followup, intake
from connector.cli.demo.past import Given
from connector.cli.demo.posting import signed_standard
from connector.cli.demo.reliving import _posted as posted
from connector.cli.demo.scenario import Person
from connector.cli.demo.seeding import add_to_crms
from connector.cli.demo.staging import Stage, staged
from connector.delivery import Courier
from connector.engine.chores import do_chores
from connector.sandbox import Sandbox
from connector.store import cases
from connector.workspace import Workspace, open_workspace

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CARLA = Person("Carla Example", "carla@example.com")
SINKS = ("zendesk-main", "salesforce-main", "hubspot-main")
RULES = """
escalation:
  - id: nobody
    name: Nobody has called
    still: open
    then:
      - zendesk.ticket: {priority: urgent, group: Retention}
      - salesforce.task: {priority: High, owner: casper@example.com}
      - hubspot.task: {priority: HIGH, owner: casper@example.com}
rules:
  - id: all
    when: {segment: detractor}
    then:
      - zendesk.ticket: {priority: high, group: Support, respond_within: 4h}
      - salesforce.task: {priority: Normal, respond_within: 4h}
      - hubspot.task: {priority: MEDIUM, respond_within: 4h}
"""


@dataclass
class Loop:
    stage: Stage
    workspace: Workspace
    now: datetime
    posted: int = 0

    @property
    def sandbox(self) -> Sandbox:
        return self.stage.sandbox

    def after(self, time: timedelta) -> None:
        self.now += time
        self.sandbox.clock.advance(time.total_seconds())

    def answer(self, score: int, comment: str = "") -> None:
        self.posted += 1
        given = Given(f"a-{self.posted}", self.now - timedelta(minutes=1), CARLA, score, comment)
        secret = self.sandbox.secrets["WEBHOOK_SECRET"]
        body, headers = signed_standard(posted(given), given.id, self.now, secret)
        assert intake.receive(self.workspace, "app", headers, body, self.now) == 202
        deciding.decide_batch(self.workspace, self.now)
        self.deliver()

    def deliver(self) -> None:
        for sink in SINKS:
            adapter = self.workspace.new_sink(sink)
            courier = Courier(self.workspace.store, sink, adapter, lambda: self.now)
            while courier.round().actions:
                pass

    def follow(self) -> None:
        self.after(timedelta(minutes=6))
        for sink in SINKS:
            heard = followup.follow(self.workspace, sink, self.workspace.new_sink(sink), self.now)
            assert heard.error == ""

    def chores(self) -> None:
        do_chores(self.workspace, self.now)
        self.deliver()

    def cases(self) -> dict[str, Any]:
        """By sink, the newest."""
        with self.workspace.store.read() as connection:
            found = cases.opened_after(connection, 0)
        return {case.sink: case for case in found}

    def ticket(self) -> dict[str, Any]:
        return self.sandbox.zendesk.tickets()[0]

    def task(self) -> dict[str, Any]:
        rows: dict[str, Any] = self.sandbox.salesforce.tasks.rows
        return next(iter(rows.values()))

    def hubspot_task(self) -> dict[str, Any]:
        return next(iter(self.sandbox.hubspot.crm.rows("tasks").values()))["properties"]


@pytest.fixture
def loop() -> Iterator[Loop]:
    with staged(None) as stage:
        (stage.directory / "rules.yaml").write_text(RULES)
        now = datetime.now(UTC)
        add_to_crms(stage.sandbox, CARLA)
        workspace = open_workspace(config.load(stage.config, environment={}), now - DAY)
        try:
            yield Loop(stage, workspace, now)
        finally:
            workspace.store.close()


def work_and_close(loop: Loop) -> None:
    opened = loop.cases()
    desk, force, hub = loop.sandbox.zendesk, loop.sandbox.salesforce, loop.sandbox.hubspot
    loop.after(HOUR)
    desk.take(int(opened["zendesk-main"].remote_id))
    force.start(opened["salesforce-main"].remote_id)
    hub.start(opened["hubspot-main"].remote_id)
    loop.after(HOUR)
    told = {"Root cause": "cause_slow_support", "Action taken": "Called"}
    desk.solve(int(opened["zendesk-main"].remote_id), told)
    force.complete(opened["salesforce-main"].remote_id)
    hub.complete(opened["hubspot-main"].remote_id)
    loop.follow()


def test_people_begin_and_close_at_three_far_sides_and_both_clocks_know_it(loop):
    loop.answer(2)
    opened = loop.cases()
    assert {case.state for case in opened.values()} == {"open"}
    began = {sink: case.opened_at for sink, case in opened.items()}
    work_and_close(loop)
    closed = loop.cases()
    assert {sink: case.state for sink, case in closed.items()} == dict.fromkeys(SINKS, "closed")
    ticket = closed["zendesk-main"]
    assert (ticket.cause, ticket.action_taken) == ("Slow support", "Called")
    assert ticket.owner == "Ana Soporte"
    touched = ticket.contacted_at - began["zendesk-main"]
    assert abs(touched - HOUR) < timedelta(minutes=1)
    assert abs(ticket.closed_at - ticket.contacted_at - HOUR) < timedelta(minutes=1)


def test_an_unhappy_answer_opens_the_same_records_again_and_a_happy_one_does_not(loop):
    loop.answer(2)
    work_and_close(loop)
    loop.after(3 * DAY)
    loop.answer(3, "Still no refund")
    assert loop.ticket()["status"] == "open"
    assert loop.task()["Status"] == "Not Started"
    assert loop.hubspot_task()["hs_task_status"] == "NOT_STARTED"
    made = loop.sandbox.counts()
    assert (made["zendesk.ticket"], made["salesforce.task"], made["hubspot.task"]) == (1, 1, 1)
    again = loop.cases()
    assert {case.state for case in again.values()} == {"open"}
    assert all(case.continues for case in again.values())
    loop.follow()
    assert {case.contacted_at for case in loop.cases().values()} == {None}, "nobody has yet"
    work_and_close(loop)
    assert {case.state for case in loop.cases().values()} == {"closed"}


def test_a_ticket_that_is_closed_for_good_gets_a_second_one_for_the_next_answer(loop):
    loop.answer(2)
    work_and_close(loop)
    loop.sandbox.zendesk.close(int(loop.cases()["zendesk-main"].remote_id))
    loop.after(3 * DAY)
    loop.answer(3, "Still no refund")
    loop.deliver()
    assert loop.sandbox.counts()["zendesk.ticket"] == 2
    assert loop.cases()["zendesk-main"].continues is None


def test_an_escalation_takes_the_case_from_whoever_left_it_and_says_so_once(loop):
    loop.answer(2)
    opened = loop.cases()
    loop.after(HOUR)
    loop.sandbox.zendesk.take(int(opened["zendesk-main"].remote_id))
    loop.sandbox.salesforce.start(opened["salesforce-main"].remote_id)
    loop.sandbox.hubspot.start(opened["hubspot-main"].remote_id)
    loop.follow()
    loop.after(4 * HOUR)
    for _ in range(2):
        loop.chores()
        loop.after(timedelta(minutes=1))
    ticket, task, other = loop.ticket(), loop.task(), loop.hubspot_task()
    groups = {group["id"]: group["name"] for group in loop.sandbox.zendesk.state["groups"]}
    assert (ticket["priority"], groups[ticket["group_id"]]) == ("urgent", "Retention")
    assert task["Priority"] == "High"
    assert task["Description"].count("Nobody has called") == 1
    assert other["hs_task_priority"] == "HIGH"
    assert other["hs_task_body"].count("Nobody has called") == 1
    notes = loop.sandbox.zendesk.state["comments"][str(ticket["id"])]
    assert sum("Nobody has called" in str(note) for note in notes) == 1
