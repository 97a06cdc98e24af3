"""The HubSpot sink against the stateful stand-in: what is lost, refused, unnamed, edited."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from pydantic import ValidationError

from connector.domain import Facts, Order, Prepared, Receipt, amendment_key, case_key
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.http import Session
from connector.ports import Sink
from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.hubspot import HubSpot
from connector.sinks.hubspot import HubSpotTask

CREATE = "/crm/v3/objects/tasks/batch/create"
READ = "/crm/v3/objects/tasks/batch/read"
CONTACTS = "/crm/v3/objects/contacts/batch/read"
TASK = "/crm/v3/objects/tasks/5"
SONIA, CASPER = "64492917", "64492918"
MARKER = "nps_action_id"
TOKEN = SECRETS["HUBSPOT_TOKEN"]


class Rig:
    """A sink on the stand-in, and the few steps that the outbox takes with it."""

    def __init__(self, box: Sandbox, **settings: Any) -> None:
        self.box = box
        self.far: HubSpot = box.hubspot
        self.now = box.clock.now()
        given = {"token": TOKEN, "portal": "4711"} | settings
        self.sink = HubSpotTask(
            HubSpotTask.Settings.model_validate(given), Session(box.urls["hubspot"])
        )

    def order(self, answer: str = "r1", **params: Any) -> Order:
        return make_order(answer, self.sink.account, self.now, **params)

    def prepare(self, *orders: Order) -> list[Prepared]:
        bodies = self.sink.prepare(orders, self.now)
        return [
            Prepared(order=order, body=body)
            for order, body in zip(orders, bodies, strict=True)
            if isinstance(body, bytes)
        ]

    def make(self, *orders: Order) -> list[Receipt]:
        outcomes = self.sink.send(self.prepare(*orders), self.now)
        receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        assert len(receipts) == len(orders), outcomes
        return receipts

    def amended(self, receipt: Receipt, revision: int = 2, **more: Any) -> Order:
        order = self.order(**more)
        key = amendment_key(order.key, revision)
        return order.model_copy(update={"key": key, "amends": receipt.remote_id})

    def tasks(self) -> list[dict[str, Any]]:
        return [one["properties"] | {"id": one["id"]} for one in self.far.tasks()]

    def task(self) -> dict[str, Any]:
        (task,) = self.tasks()
        return task


def make_order(
    answer: str,
    account: str,
    now: datetime,
    email: str | None = "dora@example.com",
    name: str = "Dora Detractor",
    comment: str = "Nobody answers the phone",
    due: timedelta | None = timedelta(hours=4),
    **params: Any,
) -> Order:
    return Order(
        key=case_key(answer, account),
        kind="hubspot.task",
        rule_name="Ask for a referral",
        params={"subject": f"Call {name}", "next_step": "Call them today", **params},
        facts=Facts(
            response_id=answer,
            source="delighted",
            survey="nps",
            score=0,
            segment="detractor",
            comment=comment,
            customer={"email": email, "name": name},
        ),
        due_at=now + due if due else None,
    )


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def box(running: Sandbox) -> Iterator[Sandbox]:
    far = running.hubspot
    empty = copy.deepcopy(far.state)
    yield running
    far.clear_faults()
    far.log.clear()
    far.state.clear()
    far.state.update(empty)


@pytest.fixture
def rig(box: Sandbox) -> Rig:
    return Rig(box)


def errors(outcomes: Sequence[object]) -> list[str]:
    return [type(one).__name__ for one in outcomes]


def batch_answer(results: list[Any], failed: list[Any] | None = None) -> dict[str, Any]:
    return {"status": "COMPLETE", "results": results, "errors": failed or []}


# -- a task ------------------------------------------------------------------------------------


def test_the_class_is_a_sink() -> None:
    sink: type[Sink] = HubSpotTask
    assert sink.kind == "hubspot.task"


def test_a_task_names_the_person_the_reason_and_the_next_step(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(priority="HIGH", task_type="EMAIL"))
    task = rig.task()
    assert receipt.remote_id == task["id"]
    assert receipt.url == f"https://app.hubspot.com/contacts/4711/record/0-27/{task['id']}"
    assert not receipt.remark
    assert task[MARKER] == rig.order().key
    assert rig.far.associations(task["id"]) == [("101", 204)]
    assert task["hubspot_owner_id"] == SONIA
    assert task["hs_task_priority"] == "HIGH"
    assert task["hs_task_type"] == "EMAIL"
    assert task["hs_task_status"] == "NOT_STARTED"
    due = (rig.now + timedelta(hours=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert task["hs_timestamp"] == due
    assert task["hs_task_body"].startswith("<p><b>Next step:</b> Call them today")
    assert "<blockquote>Nobody answers the phone</blockquote>" in task["hs_task_body"]


def test_without_a_due_time_a_task_is_due_now(rig: Rig) -> None:
    rig.make(rig.order(due=None))
    assert rig.task()["hs_timestamp"] == rig.now.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_without_a_hub_id_there_is_no_link(box: Sandbox) -> None:
    rig = Rig(box, portal="default")
    assert rig.sink.account == "hubspot:default"
    (receipt,) = rig.make(rig.order())
    assert receipt.url == ""


def test_an_unknown_customer_gets_an_unlinked_task_that_says_so(box: Sandbox) -> None:
    rig = Rig(box, default_owner="CASPER@example.com")
    (receipt,) = rig.make(rig.order(email="nobody@example.com"))
    assert rig.far.associations(receipt.remote_id) == []
    assert rig.task()["hubspot_owner_id"] == CASPER
    assert "No contact has this address" in rig.task()["hs_task_body"]
    assert not receipt.needs_attention


def test_an_anonymous_answer_asks_for_nobody(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(email=None))
    assert not rig.far.calls("POST", CONTACTS)
    assert receipt.needs_attention
    assert "set default_owner" in receipt.remark


def test_a_second_address_of_a_contact_is_the_contact(rig: Rig) -> None:
    known = {
        "id": "101",
        "properties": {
            "email": "dora@example.com",
            "hs_additional_emails": "other@example.com;second@example.com",
            "hubspot_owner_id": SONIA,
        },
    }
    rig.far.fault("status", path=CONTACTS, status=200, body=batch_answer([known]))
    rig.make(rig.order(email="Second@example.com"))
    assert rig.far.associations(rig.task()["id"]) == [("101", 204)]


def test_an_address_that_hubspot_does_not_take_costs_only_its_own_contact(rig: Rig) -> None:
    rig.far.fault("status", path=CONTACTS, status=400, body={"category": "X"}, times=2)
    rig.make(rig.order("a"), rig.order("b", email="pablo@example.org"))
    linked = [rig.far.associations(task["id"]) for task in rig.tasks()]
    assert linked == [[], [("102", 204)]]


def test_the_owner_of_the_rule_comes_before_the_owner_of_the_contact(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(owner="Casper@Example.com"))
    assert rig.task()["hubspot_owner_id"] == CASPER
    assert not receipt.remark


def test_an_unknown_owner_never_loses_the_case(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(owner="gone@example.com"))
    assert rig.task()["hubspot_owner_id"] == SONIA
    assert receipt.needs_attention
    assert "Ask for a referral" in receipt.remark
    assert "gone@" not in receipt.remark
    assert receipt.remark in rig.task()["hs_task_body"].replace("&#x27;", "'")


def test_an_owner_who_left_is_not_asked(box: Sandbox) -> None:
    rig = Rig(box, default_owner="casper@example.com")
    next(one for one in rig.far.state["owners"] if one["id"] == SONIA)["archived"] = True
    rig.make(rig.order())
    assert rig.task()["hubspot_owner_id"] == CASPER


@pytest.mark.parametrize("alone", [True, False])
def test_an_owner_who_left_a_minute_ago_does_not_lose_the_case(box: Sandbox, alone: bool) -> None:
    rig = Rig(box, default_owner="casper@example.com")
    others = [] if alone else [rig.order("b", email="pablo@example.org")]
    batch = rig.prepare(rig.order("a"), *others)
    next(one for one in rig.far.state["owners"] if one["id"] == SONIA)["archived"] = True
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt"] * len(batch)
    assert isinstance(outcomes[0], Receipt)
    assert outcomes[0].needs_attention
    assert {task["hubspot_owner_id"] for task in rig.tasks()} == {CASPER}


def test_owners_are_read_page_by_page_and_kept_for_ten_minutes(rig: Rig) -> None:
    owner = rig.far.state["owners"][0]
    for number in range(600):
        more = {"id": str(number), "email": f"owner{number}@example.com"}
        rig.far.state["owners"].insert(0, owner | more)
    rig.prepare(rig.order("a"))
    rig.prepare(rig.order("b"))
    assert len(rig.far.calls("GET", "/crm/v3/owners")) == 2
    rig.now += timedelta(minutes=11)
    rig.prepare(rig.order("c"))
    assert len(rig.far.calls("GET", "/crm/v3/owners")) == 4


def test_a_new_owner_is_known_after_a_minute(rig: Rig) -> None:
    rig.prepare(rig.order("a", owner="new@example.com"))
    new = rig.far.state["owners"][0] | {"id": "77", "email": "new@example.com"}
    rig.far.state["owners"].append(new)
    rig.now += timedelta(minutes=2)
    rig.make(rig.order("b", owner="new@example.com"))
    assert rig.task()["hubspot_owner_id"] == "77"


# -- exactly one -------------------------------------------------------------------------------


def test_a_lost_reply_makes_exactly_one_task(rig: Rig) -> None:
    batch = rig.prepare(rig.order("a"), rig.order("b"))
    rig.far.fault("lose_reply", path=CREATE)
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    found = rig.sink.find(batch, rig.now)
    assert [one.remote_id for one in found if isinstance(one, Receipt)] == [
        task["id"] for task in rig.tasks()
    ]
    assert rig.far.counts() == {"hubspot.task": 2}


@pytest.mark.parametrize("fault", ["drop", "status"])
def test_an_outcome_that_is_unknown_is_looked_for_and_then_sent_again(rig: Rig, fault: str) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault(fault, path=CREATE, status=502, body="<html>Bad gateway</html>")
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    assert rig.sink.find(batch, rig.now) == [None]
    rig.sink.send(batch, rig.now)
    first, second = rig.far.calls("POST", CREATE)
    assert first.body == second.body
    assert rig.far.counts() == {"hubspot.task": 1}


def test_a_task_that_was_made_before_is_read_not_made_again(rig: Rig) -> None:
    first = rig.make(rig.order("a"), rig.order("b"))
    both = rig.prepare(rig.order("a"), rig.order("b"), rig.order("c"))
    outcomes = rig.sink.send(both, rig.now)
    assert outcomes[:2] == first
    assert errors(outcomes) == ["Receipt"] * 3
    assert rig.far.counts() == {"hubspot.task": 3}


def test_a_task_that_was_made_before_is_read_when_it_is_alone_too(rig: Rig) -> None:
    (first,) = rig.make(rig.order("a"))
    body = {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "errors": [{"code": "CONFLICTING_UNIQUE_VALUE"}],
    }
    rig.far.fault("status", path=CREATE, status=409, body=body)
    assert rig.make(rig.order("a")) == [first]


def test_a_conflict_that_cannot_be_read_is_looked_for_later(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    rig.sink.send(batch, rig.now)
    rig.far.fault("status", path=READ, status=500, times=None)
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)


def test_a_second_sink_after_a_restart_finds_and_keeps_the_remark(rig: Rig) -> None:
    batch = rig.prepare(rig.order(owner="gone@example.com"))
    rig.far.fault("lose_reply", path=CREATE)
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    (found,) = Rig(rig.box).sink.find(batch, rig.now)
    assert isinstance(found, Receipt)
    assert found.needs_attention


def test_the_same_order_twice_in_one_batch_is_sent_once(rig: Rig) -> None:
    (prepared,) = rig.prepare(rig.order())
    first, second = rig.sink.send([prepared, prepared], rig.now)
    assert first == second
    assert rig.far.counts() == {"hubspot.task": 1}


# -- batches -----------------------------------------------------------------------------------


def test_one_bad_input_costs_only_itself(rig: Rig) -> None:
    batch = rig.prepare(*(rig.order(f"a{n}") for n in range(4)))
    rig.far.fault("half_batch", path=CREATE)
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt", "Refused", "Receipt", "Refused"]
    reason = "SANDBOX_HALF_BATCH: Sandbox: every second item is refused"
    assert str(outcomes[1]) == f"HubSpot refused the task: {reason}"
    by_marker = {task[MARKER]: task["id"] for task in rig.tasks()}
    assert isinstance(outcomes[2], Receipt)
    assert outcomes[2].remote_id == by_marker[batch[2].order.key]


def test_a_batch_that_is_refused_whole_goes_out_in_halves(rig: Rig) -> None:
    batch = rig.prepare(*(rig.order(f"a{n}") for n in range(5)))
    body = {"category": "VALIDATION_ERROR", "message": "Dora Detractor has no such property"}
    rig.far.fault("status", path=CREATE, status=400, body=body, times=3)
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Refused", "Receipt", "Receipt", "Receipt", "Receipt"]
    assert str(outcomes[0]).endswith("VALIDATION_ERROR: … has no such property")
    assert rig.far.counts() == {"hubspot.task": 4}


def test_results_and_errors_without_trace_ids_are_settled_by_reading(rig: Rig) -> None:
    """As an answer of another version: what is there gets a receipt, the rest is looked for."""
    batch = rig.prepare(rig.order("a"), rig.order("b"), rig.order("c"))
    rig.sink.send(batch[:1], rig.now)
    unnamed = batch_answer([{"id": "1"}], [{"category": "OTHER"}, {"category": "MORE"}])
    rig.far.fault("status", path=CREATE, status=201, body=unnamed)
    assert errors(rig.sink.send(batch, rig.now)) == ["Receipt", "LookFirst", "LookFirst"]


def test_a_single_unnamed_error_belongs_to_the_single_unnamed_order(rig: Rig) -> None:
    batch = rig.prepare(rig.order("a"), rig.order("b"))
    rig.sink.send(batch[:1], rig.now)
    unnamed = batch_answer([], [{"category": "NOT_ALLOWED", "message": "no"}])
    rig.far.fault("status", path=CREATE, status=207, body=unnamed)
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt", "Refused"]
    assert "NOT_ALLOWED: no" in str(outcomes[1])


def test_a_trace_id_is_found_whatever_its_place_in_the_context(rig: Rig) -> None:
    batch = rig.prepare(rig.order("a"), rig.order("b"))
    key = batch[0].order.key
    odd = {"category": "LIMIT", "errors": [{"code": "DEEP", "context": {"anything": [key]}}]}
    rig.far.fault("status", path=CREATE, status=207, body=batch_answer([], [odd]))
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Refused", "LookFirst"]
    assert "DEEP" in str(outcomes[0])


@pytest.mark.parametrize("body", ["<html>", [], {"results": "many"}, {}])
def test_an_answer_that_makes_no_sense_is_looked_into(rig: Rig, body: Any) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("status", path=CREATE, status=201, body=body)
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)


def test_a_thousand_actions_cost_twenty_calls_and_the_list_of_owners(rig: Rig) -> None:
    orders = []
    for number in range(1000):
        rig.far.add_contact(f"person{number}@example.com", hubspot_owner_id=SONIA)
        orders.append(rig.order(f"r{number}", email=f"person{number}@example.com"))
    for start in range(0, 1000, 100):
        rig.make(*orders[start : start + 100])
    assert len(rig.far.calls()) == 21
    assert rig.far.counts() == {"hubspot.task": 1000}


def test_the_client_keeps_one_connection(rig: Rig) -> None:
    rig.make(rig.order("a"))
    apis = dict(rig.sink._portal._apis)
    rig.make(rig.order("b"))
    assert all(rig.sink._portal._apis[name] is api for name, api in apis.items())


# -- without a unique property -----------------------------------------------------------------


def test_without_a_unique_property_tasks_are_made_at_least_once(box: Sandbox) -> None:
    rig = Rig(box, unique_property="none")
    rig.far.remove_marker()
    batch = rig.prepare(rig.order("a"), rig.order("b"))
    rig.far.fault("lose_reply", path=CREATE)
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    assert rig.sink.find(batch, rig.now) == [None, None]
    assert errors(rig.sink.send(batch, rig.now)) == ["Receipt", "Receipt"]
    assert rig.far.counts() == {"hubspot.task": 4}
    (finding,) = (one for one in rig.sink.check(rig.now) if one.subject == "unique_property")
    assert "at least once" in finding.message
    assert "hasUniqueValue" in finding.cure


def test_without_a_unique_property_an_unnamed_success_is_not_sent_again(box: Sandbox) -> None:
    rig = Rig(box, unique_property="none")
    batch = rig.prepare(rig.order("a"), rig.order("b"))
    rig.far.fault("status", path=CREATE, status=200, body=batch_answer([{"id": "1"}, {"id": "2"}]))
    outcomes = rig.sink.send(batch, rig.now)
    assert [one.remote_id for one in outcomes if isinstance(one, Receipt)] == ["1", "2"]


def test_a_missing_unique_property_pauses_and_loses_nothing(rig: Rig) -> None:
    rig.far.remove_marker()
    batch = rig.prepare(rig.order("a"), rig.order("b"))
    outcomes = _outcomes(rig, batch)
    assert errors(outcomes) == ["Paused", "Paused"]
    assert "create it with unique values" in str(outcomes[0])
    (finding,) = (one for one in rig.sink.check(rig.now) if one.subject == MARKER)
    assert not finding.ok
    with pytest.raises(Paused):
        rig.sink.find(batch, rig.now)


def test_a_property_whose_values_are_not_unique_is_found_by_the_doctor(rig: Rig) -> None:
    rig.far.state["properties"]["tasks"][MARKER]["hasUniqueValue"] = False
    (finding,) = (one for one in rig.sink.check(rig.now) if one.subject == MARKER)
    assert not finding.ok


def _outcomes(rig: Rig, batch: list[Prepared]) -> Sequence[object]:
    try:
        return rig.sink.send(batch, rig.now)
    except ConnectorError as error:
        return [error] * len(batch)


# -- amendments --------------------------------------------------------------------------------


def test_a_revised_answer_becomes_a_note_behind_the_body(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    before = rig.task()["hs_task_body"]
    order = rig.amended(receipt, comment="And the <b>invoice</b> was wrong")
    (noted,) = rig.make(order)
    assert noted == receipt
    after = rig.task()["hs_task_body"]
    assert after.startswith(before)
    assert f"[{order.key}]" in after
    assert "And the &lt;b&gt;invoice&lt;/b&gt; was wrong" in after


@pytest.mark.parametrize("fault", ["lose_reply", "drop"])
def test_an_amendment_whose_reply_is_lost_leaves_one_note(rig: Rig, fault: str) -> None:
    (receipt,) = rig.make(rig.order())
    batch = rig.prepare(rig.amended(receipt))
    rig.far.fault(fault, method="PATCH")
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    (found,) = rig.sink.find(batch, rig.now)
    assert (found is None) == (fault == "drop")
    rig.sink.send(batch, rig.now)
    rig.sink.send(batch, rig.now)
    (again,) = rig.sink.find(batch, rig.now)
    assert isinstance(again, Receipt)
    assert rig.task()["hs_task_body"].count(f"[{batch[0].order.key}]") == 1


def test_what_a_rep_writes_between_freezing_and_sending_stays(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    batch = rig.prepare(rig.amended(receipt))
    rig.far.touch_by_agent(receipt.remote_id, hs_task_body="<p>Called her</p>")
    rig.sink.send(batch, rig.now)
    assert rig.task()["hs_task_body"].startswith("<p>Called her</p><p><b>The answer was revised")


def test_priority_and_due_time_only_rise(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(priority="HIGH", due=timedelta(days=3)))
    due = rig.task()["hs_timestamp"]
    rig.make(rig.amended(receipt, priority="LOW", due=timedelta(days=9)))
    assert rig.task()["hs_task_priority"] == "HIGH"
    assert rig.task()["hs_timestamp"] == due
    rig.far.touch_by_agent(
        receipt.remote_id,
        hs_task_priority="NONE",
        hs_timestamp=str(int((rig.now + timedelta(days=2)).timestamp() * 1000)),
    )
    rig.make(rig.amended(receipt, 3, priority="LOW", due=timedelta(days=1)))
    assert rig.task()["hs_task_priority"] == "LOW"
    assert rig.task()["hs_timestamp"] < due


def test_a_due_time_in_milliseconds_is_understood(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    soon = str(int((rig.now + timedelta(hours=1)).timestamp() * 1000))
    rig.far.touch_by_agent(receipt.remote_id, hs_timestamp=soon)
    rig.make(rig.amended(receipt, due=timedelta(hours=2)))
    assert rig.task()["hs_timestamp"] == soon


def test_an_owner_is_set_only_where_there_is_none(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    rig.make(rig.amended(receipt, owner="casper@example.com"))
    assert rig.task()["hubspot_owner_id"] == SONIA
    rig.far.touch_by_agent(receipt.remote_id, hubspot_owner_id="")
    rig.make(rig.amended(receipt, 3, owner="casper@example.com"))
    assert rig.task()["hubspot_owner_id"] == CASPER


@pytest.mark.parametrize(("end", "word"), [("complete", "completed"), ("delete", "deleted")])
def test_nothing_is_written_to_a_task_that_is_over(rig: Rig, end: str, word: str) -> None:
    (receipt,) = rig.make(rig.order())
    frozen = rig.prepare(rig.amended(receipt))
    getattr(rig.far, end)(receipt.remote_id)
    (prepared,) = rig.sink.prepare([rig.amended(receipt)], rig.now)
    (sent,) = rig.sink.send(frozen, rig.now)
    for refusal in (prepared, sent):
        assert isinstance(refusal, Refused)
        assert word in str(refusal)
    assert not rig.far.calls("PATCH")


def test_new_tasks_and_amendments_go_in_one_batch(rig: Rig) -> None:
    (first,) = rig.make(rig.order("a"))
    batch = [
        *rig.prepare(rig.order("c")),
        *rig.prepare(rig.amended(first, answer="a")),
        *rig.prepare(rig.amended(first, 3, answer="a")),
    ]
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt"] * 3
    text = next(task["hs_task_body"] for task in rig.tasks() if task["id"] == first.remote_id)
    assert [text.count(f"[{one.order.key}]") for one in batch[1:]] == [1, 1]
    assert rig.sink.find(batch, rig.now) == outcomes


def test_an_amendment_that_fails_does_not_cost_the_new_tasks_their_receipts(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order("a"))
    batch = [
        *rig.prepare(rig.order("b")),
        *rig.prepare(rig.amended(receipt, 2, answer="a"), rig.amended(receipt, 3, answer="a")),
    ]
    rig.far.fault("status", method="PATCH", status=429)
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt", "TryLater", "TryLater"]
    assert len(rig.far.calls("PATCH")) == 1


def test_a_full_body_is_never_cut(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    rig.far.touch_by_agent(receipt.remote_id, hs_task_body="x" * 64_990)
    (outcome,) = rig.sink.send(rig.prepare(rig.amended(receipt)), rig.now)
    assert isinstance(outcome, Refused)
    assert rig.task()["hs_task_body"] == "x" * 64_990


# -- the account -------------------------------------------------------------------------------


def test_a_rate_limit_makes_the_whole_account_wait(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    body = {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
    rig.far.fault("status", path=CREATE, status=429, body=body, headers={"Retry-After": "7"})
    with pytest.raises(TryLater) as caught:
        rig.sink.send(batch, rig.now)
    assert caught.value.account_wide
    assert caught.value.retry_after_seconds == 7


def test_after_the_daily_quota_it_goes_on_at_midnight_of_the_account(box: Sandbox) -> None:
    rig = Rig(box, zone="America/New_York")
    rig.far.state["settings"]["requests_per_day"] = 0
    late = datetime(2026, 11, 25, 3, 30, tzinfo=UTC)  # still the 24th in New York
    with pytest.raises(Paused) as caught:
        rig.sink.prepare([rig.order()], late)
    assert caught.value.until == datetime(2026, 11, 25, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "headers", "seconds", "everyone"),
    [
        (423, {}, 2, False),
        (477, {"Retry-After": "7200"}, 7200, True),
        (477, {"Retry-After": "soon"}, 3600, True),
        (503, {"Retry-After": "9"}, 9, False),
    ],
)
def test_what_passes_is_tried_later(
    rig: Rig, status: int, headers: dict[str, str], seconds: int, everyone: bool
) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("status", path=CREATE, status=status, headers=headers, body={"category": "X"})
    with pytest.raises(TryLater) as caught:
        rig.sink.send(batch, rig.now)
    assert caught.value.retry_after_seconds == seconds
    assert caught.value.account_wide == everyone


def test_a_wrong_token_is_a_pause_that_does_not_tell_it(box: Sandbox) -> None:
    rig = Rig(box, token="pat-wrong-and-private")
    with pytest.raises(Paused) as caught:
        rig.prepare(rig.order())
    assert "pat-wrong" not in repr(caught.value)
    assert "Private Apps" in str(caught.value)
    (finding,) = rig.sink.check(rig.now)
    assert not finding.ok


def test_a_missing_scope_is_named(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    context = {"requiredGranularScopes": ["crm.objects.contacts.write", "<script>"]}
    body = {"category": "MISSING_SCOPES", "errors": [{"context": context}]}
    rig.far.fault("status", path=CREATE, status=403, body=body)
    with pytest.raises(Paused) as caught:
        rig.sink.send(batch, rig.now)
    assert "crm.objects.contacts.write" in str(caught.value)
    assert "<script>" not in str(caught.value)


def test_a_read_is_repeated_a_write_never(rig: Rig) -> None:
    rig.far.fault("drop", path=CONTACTS)
    rig.make(rig.order())
    assert len(rig.far.calls("POST", CONTACTS)) == 2
    assert len(rig.far.calls("POST", CREATE)) == 1


def test_nobody_there_means_nothing_was_sent() -> None:
    session = Session("http://127.0.0.1:9")
    sink = HubSpotTask(HubSpotTask.Settings(token=TOKEN), session)
    now = datetime(2026, 11, 25, tzinfo=UTC)
    order = make_order("r1", sink.account, now)
    body = b'{"request":{},"remark":"","needs_attention":false}'
    with pytest.raises(TryLater):
        sink.send([Prepared(order=order, body=body)], now)


@responses.activate
def test_hubspot_itself_is_asked_through_our_session() -> None:
    responses.post(f"https://api.hubapi.com{CONTACTS}", json=batch_answer([]))
    sink = HubSpotTask(HubSpotTask.Settings(token="pat-x"), Session())
    now = datetime(2026, 11, 25, tzinfo=UTC)
    sink.prepare([make_order("r1", sink.account, now)], now)
    (call,) = responses.calls
    assert call.request.headers["Authorization"] == "Bearer pat-x"
    assert json.loads(call.request.body)["idProperty"] == "email"


# -- hostile words -----------------------------------------------------------------------------


def test_words_from_outside_stay_words(rig: Rig) -> None:
    name = "=cmd('calc')\r\nBcc: x\x00 <script>alert(1)</script> \"' {{ 7*7 }}"
    rig.make(rig.order(name=name, subject=name, comment=name))
    task = rig.task()
    assert task["hs_task_subject"].startswith("'=cmd('calc') Bcc: x")
    assert "<script>" not in task["hs_task_body"]
    assert "\x00" not in task["hs_task_body"]


def test_a_long_comment_leaves_room_for_notes(rig: Rig) -> None:
    rig.make(rig.order(comment="<word> \U0001f600" * 20_000))
    body = rig.task()["hs_task_body"]
    assert len(body.encode("utf-16-le")) <= 2 * 40_000
    assert "characters are kept under r1" in body


def test_the_reason_tells_nothing_of_the_customer(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    words = 'Email "dora@example.com" of Dora Detractor: "Nobody answers the phone" is invalid'
    error = {"category": "BAD", "message": words, "context": {"id": [batch[0].order.key]}}
    rig.far.fault("status", path=CREATE, status=207, body=batch_answer([], [error]))
    (outcome,) = rig.sink.send(batch, rig.now)
    assert "BAD" in str(outcome)
    for private in ("Nobody answers", "dora@example.com", "Dora Detractor"):
        assert private not in str(outcome)


# -- settings, parameters, doctor --------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [{"zone": "Mars/Base"}, {"portal": "a/b"}, {"unique_property": "Nps Action"}]
)
def test_settings_that_cannot_work_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        HubSpotTask.Settings.model_validate({"token": "pat-x"} | given)


def test_parameters_of_another_version_are_refused_alone(rig: Rig) -> None:
    odd, good = rig.sink.prepare([rig.order("a", colour="red"), rig.order("b")], rig.now)
    assert isinstance(odd, Refused)
    assert isinstance(good, bytes)


def test_a_healthy_account_passes_every_check(box: Sandbox) -> None:
    findings = Rig(box, default_owner="sonia@example.com").sink.check(box.clock.now())
    assert [one for one in findings if not one.ok] == []
    assert {one.subject for one in findings} == {"token", MARKER, "default_owner"}


def test_the_doctor_says_when_owners_cannot_be_read(rig: Rig) -> None:
    rig.far.fault("status", path="/crm/v3/owners", status=403, body={"category": "MISSING_SCOPES"})
    (finding,) = (one for one in rig.sink.check(rig.now) if not one.ok)
    assert "crm.objects.owners.read" in finding.cure


def test_the_doctor_says_when_the_default_owner_is_nobody(box: Sandbox) -> None:
    rig = Rig(box, default_owner="xavier@example.com")
    assert [one.subject for one in rig.sink.check(rig.now) if not one.ok] == ["default_owner"]


def test_the_client_is_loaded_only_when_it_is_used() -> None:
    code = "import sys, connector.sinks.hubspot; sys.exit('hubspot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
