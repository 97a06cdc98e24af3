"""The Salesforce sink against the stateful stand-in: what is lost, refused, edited, ambiguous."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
import responses
from pydantic import SecretStr, ValidationError

from connector.domain import (
    EarlierAnswer,
    Facts,
    Finding,
    History,
    Order,
    Prepared,
    Receipt,
    amendment_key,
    case_key,
)
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.http import Session
from connector.ports import Sink
from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.credentials import rsa_key
from connector.sandbox.salesforce import Salesforce
from connector.sandbox.salesforce.schema import MARKER, record_id
from connector.sinks.crm import Frozen
from connector.sinks.salesforce import SalesforceTask
from connector.sinks.salesforce.people import chunks

DATA = "/services/data/v64.0"
UPSERT = f"{DATA}/composite/sobjects/Task/{MARKER}"
ROW = f"{DATA}/sobjects/Task/"
SONIA = record_id("User", 2)
GONE = record_id("User", 3)
LIMIT = "REQUEST_LIMIT_EXCEEDED"
KEY, SECRET = SECRETS["SALESFORCE_CONSUMER_KEY"], SECRETS["SALESFORCE_CONSUMER_SECRET"]


class Rig:
    """A sink on the stand-in, and the few steps that the outbox takes with it."""

    def __init__(self, box: Sandbox, **settings: Any) -> None:
        self.box = box
        self.far: Salesforce = box.salesforce
        self.now = box.clock.now()
        given = {"domain": "acme.my", "consumer_key": KEY, "consumer_secret": SECRET} | settings
        self.sink = SalesforceTask(
            SalesforceTask.Settings.model_validate(given), Session(box.urls["salesforce"])
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
        return self.far.all_tasks()

    def task(self) -> dict[str, Any]:
        (task,) = self.tasks()
        return task

    def queries(self) -> list[str]:
        return [dict(one.query)["q"] for one in self.far.calls("GET", f"{DATA}/query")]


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
        kind="salesforce.task",
        rule_name="Unhappy customers",
        params={"subject": f"Call {name}", "next_step": "Call them today", **params},
        facts=Facts(
            response_id=answer,
            source="delighted",
            survey="nps",
            score=0,
            segment="detractor",
            comment=comment,
            customer={"email": email, "name": name},
            history=History(
                earlier=(EarlierAnswer(answered_at=None, survey="nps", score=9, segment=None),)
            ),
        ),
        due_at=now + due if due else None,
    )


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def box(running: Sandbox) -> Iterator[Sandbox]:
    far = running.salesforce
    empty = copy.deepcopy(far.state)
    yield running
    far.clear_faults()
    far.log.clear()
    far.state.clear()
    far.state.update(empty)


@pytest.fixture
def rig(box: Sandbox) -> Rig:
    return Rig(box)


def _error(code: str, message: str = "no") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


def errors(outcomes: Sequence[object]) -> list[str]:
    return [type(one).__name__ for one in outcomes]


# -- a task ------------------------------------------------------------------------------------


def test_the_class_is_a_sink() -> None:
    sink: type[Sink] = SalesforceTask
    assert sink.kind == "salesforce.task"


def test_a_task_names_the_person_the_reason_and_the_next_step(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(priority="High"))
    task = rig.task()
    assert receipt.remote_id == task["Id"]
    assert receipt.url == f"https://acme.my.salesforce.com/{task['Id']}"
    assert not receipt.remark
    assert task[MARKER] == rig.order().key
    assert task["WhoId"] == record_id("Contact", 1)
    assert task["WhatId"] == record_id("Account", 1)
    assert task["OwnerId"] == SONIA
    assert task["Priority"] == "High"
    assert task["Status"] == "Not Started"
    assert task["ActivityDate"] == (rig.now + timedelta(hours=4)).date().isoformat()
    assert task["Description"].startswith("Next step: Call them today")
    for words in ("Score: 0 of 10, detractor", "> Nobody answers the phone", "score 9"):
        assert words in task["Description"]


def test_an_account_is_named_after_the_domain_however_it_is_written(box: Sandbox) -> None:
    rig = Rig(box, domain="https://Acme.my.salesforce.com/")
    assert rig.sink.account == "salesforce:acme.my"


def test_a_lead_is_asked_for_only_where_no_contact_has_the_address(rig: Rig) -> None:
    rig.make(rig.order("a"), rig.order("b", email="LENA@example.org"))
    lead = next(task for task in rig.tasks() if task["WhoId"].startswith("00Q"))
    assert lead["WhatId"] is None
    contacts, leads = rig.queries()
    assert "FROM Contact" in contacts
    assert "FROM Lead" in leads
    assert "dora@" not in leads


def test_a_converted_lead_is_nobody(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(email="carl@example.org"))
    assert rig.task()["WhoId"] is None
    assert "No contact or lead has this address" in receipt.remark
    assert "No contact or lead has this address" in rig.task()["Description"]


def test_an_anonymous_answer_still_gets_its_task_and_asks_for_nobody(box: Sandbox) -> None:
    rig = Rig(box, default_owner="sonia@example.com")
    (receipt,) = rig.make(rig.order(email=None))
    assert not receipt.remark
    assert rig.task()["OwnerId"] == SONIA
    assert not any("FROM Contact" in query for query in rig.queries())


def test_without_any_owner_the_task_is_made_and_somebody_is_told(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(email=None))
    assert receipt.needs_attention
    assert "set default_owner" in receipt.remark


@pytest.mark.parametrize("name", ["SONIA@example.com", "Sonia Sales", " sonia sales "])
def test_the_owner_of_the_rule_comes_first(box: Sandbox, name: str) -> None:
    rig = Rig(box)
    integration = record_id("User", 1)
    rig.far.state["records"]["Contact"][record_id("Contact", 1)]["OwnerId"] = integration
    rig.far.state["records"]["Account"][record_id("Account", 1)]["OwnerId"] = integration
    (receipt,) = rig.make(rig.order(owner=name))
    assert rig.task()["OwnerId"] == SONIA
    assert not receipt.remark


def test_the_owner_of_the_account_comes_before_the_owner_of_the_contact(rig: Rig) -> None:
    rig.far.state["records"]["Contact"][record_id("Contact", 1)]["OwnerId"] = GONE
    rig.make(rig.order())
    assert rig.task()["OwnerId"] == SONIA


@pytest.mark.parametrize("name", ["nobody@example.com", "xavier@example.com", "Twin Name"])
def test_an_unknown_inactive_or_ambiguous_owner_never_loses_the_case(rig: Rig, name: str) -> None:
    users = rig.far.state["records"]["User"]
    for number in (7, 8):
        twin = {"Name": "Twin Name", "Email": f"t{number}@example.com", "IsActive": True}
        users[record_id("User", number)] = users[SONIA] | twin | {"Id": record_id("User", number)}
    (receipt,) = rig.make(rig.order(owner=name))
    assert rig.task()["OwnerId"] == SONIA
    assert receipt.needs_attention
    assert "Unhappy customers" in receipt.remark
    assert name not in receipt.remark
    assert "Unhappy customers" in rig.task()["Description"].splitlines()[0]


def test_a_task_of_an_owner_who_left_goes_to_the_default_owner(box: Sandbox) -> None:
    rig = Rig(box, default_owner="sonia@example.com")
    rig.far.state["records"]["Account"][record_id("Account", 1)]["OwnerId"] = GONE
    left, other = rig.make(rig.order("a"), rig.order("b", email="pablo@example.org"))
    assert [task["OwnerId"] for task in rig.tasks()] == [SONIA, SONIA]
    assert left.needs_attention
    assert not other.remark


def test_names_of_users_are_asked_for_once_in_ten_minutes(rig: Rig) -> None:
    for answer in ("a", "b"):
        rig.prepare(rig.order(answer, owner="sonia@example.com"))
    assert sum("FROM User" in query for query in rig.queries()) == 1
    rig.now += timedelta(minutes=11)
    rig.prepare(rig.order("c", owner="sonia@example.com"))
    assert sum("FROM User" in query for query in rig.queries()) == 2


# -- several people with one address -----------------------------------------------------------


def test_of_two_contacts_the_one_with_the_latest_activity_gets_the_task(rig: Rig) -> None:
    third, fourth = record_id("Contact", 3), record_id("Contact", 4)
    contacts = rig.far.state["records"]["Contact"]
    contacts[third]["LastActivityDate"] = "2026-11-01"
    contacts[fourth]["LastActivityDate"] = "2026-10-01"
    contacts[fourth]["LastModifiedDate"] = "2026-11-20T09:00:00.000+0000"
    (receipt,) = rig.make(rig.order(email="shared@example.com"))
    assert rig.task()["WhoId"] == third
    assert third in receipt.remark
    assert not receipt.needs_attention
    assert "2 contacts have this address" in rig.task()["Description"]


def test_of_two_contacts_without_activity_the_last_changed_one_gets_the_task(rig: Rig) -> None:
    third = record_id("Contact", 3)
    changed = "2026-11-20T09:00:00.000+0000"
    rig.far.state["records"]["Contact"][third]["LastModifiedDate"] = changed
    rig.make(rig.order(email="shared@example.com"))
    assert rig.task()["WhoId"] == third


def test_with_the_policy_none_a_person_has_to_link_the_task(box: Sandbox) -> None:
    rig = Rig(box, on_ambiguous="none", default_owner="Sonia Sales")
    (receipt,) = rig.make(rig.order(email="shared@example.com"))
    assert rig.task()["WhoId"] is None
    assert rig.task()["OwnerId"] == SONIA
    assert receipt.needs_attention
    assert "link the task" in rig.task()["Description"]


# -- exactly one -------------------------------------------------------------------------------


def test_a_lost_reply_makes_exactly_one_task(rig: Rig) -> None:
    batch = rig.prepare(rig.order("a"), rig.order("b"))
    rig.far.fault("lose_reply", method="PATCH")
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    found = rig.sink.find(batch, rig.now)
    assert [one.remote_id for one in found if isinstance(one, Receipt)] == [
        task["Id"] for task in rig.tasks()
    ]
    assert rig.far.counts() == {"salesforce.task": 2}


def test_a_request_that_never_arrived_is_sent_again_with_the_same_bytes(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("drop", method="PATCH")
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    assert rig.sink.find(batch, rig.now) == [None]
    rig.sink.send(batch, rig.now)
    first, second = rig.far.calls("PATCH", UPSERT)
    assert first.body == second.body
    assert rig.far.counts() == {"salesforce.task": 1}


def test_a_second_sink_after_a_restart_finds_and_keeps_the_remark(rig: Rig) -> None:
    batch = rig.prepare(rig.order(email="shared@example.com"))
    rig.far.fault("lose_reply", method="PATCH")
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    (found,) = Rig(rig.box).sink.find(batch, rig.now)
    assert isinstance(found, Receipt)
    assert "2 contacts have this address" in found.remark


def test_looking_overwrites_nothing_that_a_rep_changed(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("lose_reply", method="PATCH")
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    rig.far.touch_by_agent(rig.task()["Id"], Description="my own words", Status="In Progress")
    rig.sink.find(batch, rig.now)
    assert rig.task()["Description"] == "my own words"


def test_a_task_that_another_worker_just_made_is_read_not_made_again(rig: Rig) -> None:
    rig.far.fault("duplicate_value", path=UPSERT)
    receipts = rig.make(rig.order("a"), rig.order("b"))
    assert {one.remote_id for one in receipts} == {task["Id"] for task in rig.tasks()}
    assert rig.far.counts() == {"salesforce.task": 2}


def test_a_duplicate_that_cannot_be_read_is_looked_for_later(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("duplicate_value", path=UPSERT)
    rig.far.fault("status", path=f"{DATA}/queryAll", status=403, times=None, body=_error("NO"))
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)


def test_the_same_order_twice_in_one_batch_is_sent_once(rig: Rig) -> None:
    (prepared,) = rig.prepare(rig.order())
    first, second = rig.sink.send([prepared, prepared], rig.now)
    assert first == second
    assert rig.far.counts() == {"salesforce.task": 1}


def test_a_task_that_was_deleted_before_it_was_recorded_is_not_made_again(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("lose_reply", method="PATCH")
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    rig.far.delete(rig.task()["Id"])
    (found,) = rig.sink.find(batch, rig.now)
    assert isinstance(found, Receipt)
    assert found.needs_attention
    assert "deleted" in found.remark


def test_an_answer_that_is_no_json_is_looked_into(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("status", method="PATCH", status=200, body="<html>maintenance</html>")
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)


# -- batches -----------------------------------------------------------------------------------


def test_one_bad_record_costs_only_itself(rig: Rig) -> None:
    batch = rig.prepare(*(rig.order(f"a{n}") for n in range(4)))
    rig.far.fault("half_batch", path=UPSERT)
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt", "Refused", "Receipt", "Refused"]
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION: Sandbox: a validation rule says no" in str(
        outcomes[1]
    )


def test_receipts_belong_to_their_orders_although_accounts_are_sorted(rig: Rig) -> None:
    orders = [
        rig.order("b", email="pablo@example.org"),
        rig.order("n", email=None, owner="Sonia Sales"),
        rig.order("a"),
    ]
    receipts = rig.make(*orders)
    by_marker = {task[MARKER]: task["Id"] for task in rig.tasks()}
    assert [by_marker[order.key] for order in orders] == [one.remote_id for one in receipts]
    sent = json.loads(rig.far.calls("PATCH", UPSERT)[0].body)["records"]
    accounts = [one.get("WhatId", "") for one in sent]
    assert accounts == sorted(accounts)


def test_a_locked_record_is_tried_later(rig: Rig) -> None:
    rig.far.fault("half_locked", path=UPSERT)
    outcomes = rig.sink.send(rig.prepare(rig.order("a"), rig.order("b")), rig.now)
    assert errors(outcomes) == ["Receipt", "TryLater"]


def test_a_batch_that_is_refused_whole_goes_out_in_halves(rig: Rig) -> None:
    batch = rig.prepare(*(rig.order(f"a{n}") for n in range(5)))
    body = _error("JSON_PARSER_ERROR", "Cannot deserialize Nobody answers the phone")
    rig.far.fault("status", method="PATCH", status=400, body=body, times=3)
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Refused", "Receipt", "Receipt", "Receipt", "Receipt"]
    assert (
        str(outcomes[0]) == "Salesforce refused the task: JSON_PARSER_ERROR: Cannot deserialize …"
    )
    assert rig.far.counts() == {"salesforce.task": 4}


def test_receipts_are_kept_when_the_quota_ends_between_two_halves(rig: Rig) -> None:
    batch = rig.prepare(*(rig.order(f"a{n}") for n in range(4)))
    rig.far.fault("status", method="PATCH", status=400, body=_error("JSON_PARSER_ERROR"))
    rig.far.fault("status", method="PATCH", status=403, skip=1, body=_error(LIMIT), times=None)
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt", "Receipt", "Paused", "Paused"]
    assert len(rig.far.calls("PATCH")) == 3


def test_after_the_quota_ended_the_other_half_is_not_tried(rig: Rig) -> None:
    batch = rig.prepare(*(rig.order(f"a{n}") for n in range(4)))
    rig.far.fault("status", method="PATCH", status=400, body=_error("JSON_PARSER_ERROR"))
    rig.far.fault("status", method="PATCH", status=403, body=_error(LIMIT), times=None)
    with pytest.raises(Paused):
        rig.sink.send(batch, rig.now)
    assert len(rig.far.calls("PATCH")) == 2


@pytest.mark.parametrize(("leads", "most"), [(False, 10), (True, 15)])
def test_a_thousand_actions_cost_few_calls(box: Sandbox, leads: bool, most: int) -> None:
    rig = Rig(box)
    add = rig.far.add_lead if leads else rig.far.add_contact
    orders = []
    for number in range(1000):
        add(f"person{number}@example.com")
        orders.append(rig.order(f"r{number}", email=f"person{number}@example.com"))
    for start in range(0, 1000, 200):
        rig.make(*orders[start : start + 200])
    assert len(rig.far.calls("*", DATA)) <= most
    assert rig.far.counts() == {"salesforce.task": 1000}
    assert all(task["WhoId"] for task in rig.tasks())


# -- amendments --------------------------------------------------------------------------------


def test_a_revised_answer_becomes_a_note_behind_the_description(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    before = rig.task()["Description"]
    order = rig.amended(receipt, comment="And the invoice was wrong")
    (noted,) = rig.make(order)
    assert noted.remote_id == receipt.remote_id
    after = rig.task()["Description"]
    assert after.startswith(before)
    assert f"[{order.key}]" in after
    assert "> And the invoice was wrong" in after


@pytest.mark.parametrize("fault", ["lose_reply", "drop"])
def test_an_amendment_whose_reply_is_lost_leaves_one_note(rig: Rig, fault: str) -> None:
    (receipt,) = rig.make(rig.order())
    batch = rig.prepare(rig.amended(receipt))
    rig.far.fault(fault, method="PATCH", path=ROW)
    with pytest.raises(LookFirst):
        rig.sink.send(batch, rig.now)
    (found,) = rig.sink.find(batch, rig.now)
    assert (found is None) == (fault == "drop")
    rig.sink.send(batch, rig.now)
    rig.sink.send(batch, rig.now)
    (again,) = rig.sink.find(batch, rig.now)
    assert isinstance(again, Receipt)
    assert rig.task()["Description"].count(f"[{batch[0].order.key}]") == 1


def test_what_a_rep_writes_between_freezing_and_sending_stays(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    batch = rig.prepare(rig.amended(receipt, priority="High"))
    rig.far.touch_by_agent(receipt.remote_id, Description="Called her, see notes", Priority="High")
    rig.sink.send(batch, rig.now)
    assert rig.task()["Description"].startswith("Called her, see notes\n\n---")


def test_a_task_that_changes_while_it_is_written_is_read_again(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    batch = rig.prepare(rig.amended(receipt))
    rig.far.fault("status", method="PATCH", path=ROW, status=412, body=_error("PRECONDITION"))
    (outcome,) = rig.sink.send(batch, rig.now)
    assert isinstance(outcome, Receipt)
    first, second = rig.far.calls("PATCH", ROW)
    assert first.headers["if-unmodified-since"].endswith("GMT")
    # The stand-in's task had not changed at all: a condition that can never be met is dropped.
    assert "if-unmodified-since" not in second.headers


def test_a_task_that_never_holds_still_is_tried_later(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    batch = rig.prepare(rig.amended(receipt))
    rig.far.fault("status", method="PATCH", path=ROW, status=412, body=_error("X"), times=None)
    with pytest.raises(TryLater):
        rig.sink.send(batch, rig.now)


def test_priority_and_due_date_only_rise(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(priority="High", due=timedelta(days=3)))
    rig.make(rig.amended(receipt, priority="Low", due=timedelta(days=9)))
    assert rig.task()["Priority"] == "High"
    assert rig.task()["ActivityDate"] == (rig.now + timedelta(days=3)).date().isoformat()
    rig.far.touch_by_agent(receipt.remote_id, Priority="Low")
    rig.make(rig.amended(receipt, 3, priority="Normal", due=timedelta(days=1)))
    assert rig.task()["Priority"] == "Normal"
    assert rig.task()["ActivityDate"] == (rig.now + timedelta(days=1)).date().isoformat()


def test_the_owner_changes_only_while_no_human_has_touched_the_task(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    rig.make(rig.amended(receipt, owner="Connector Integration"))
    assert rig.task()["OwnerId"] == record_id("User", 1)
    rig.far.touch_by_agent(receipt.remote_id, Subject="Mine now")
    rig.make(rig.amended(receipt, 3, owner="Sonia Sales"))
    assert rig.task()["OwnerId"] == record_id("User", 1)


def test_a_note_is_written_although_the_new_owner_has_just_left(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    batch = rig.prepare(rig.amended(receipt, owner="Connector Integration"))
    rig.far.state["records"]["User"][record_id("User", 1)]["IsActive"] = False
    (outcome,) = rig.sink.send(batch, rig.now)
    assert isinstance(outcome, Receipt)
    assert f"[{batch[0].order.key}]" in rig.task()["Description"]
    assert rig.task()["OwnerId"] == SONIA


@pytest.mark.parametrize(("end", "word"), [("complete", "closed"), ("delete", "deleted")])
def test_nothing_is_written_to_a_task_that_is_over(rig: Rig, end: str, word: str) -> None:
    (receipt,) = rig.make(rig.order())
    frozen = rig.prepare(rig.amended(receipt))
    before = dict(getattr(rig.far, end)(receipt.remote_id) or rig.far.tasks.rows[receipt.remote_id])
    (prepared,) = rig.sink.prepare([rig.amended(receipt)], rig.now)
    (sent,) = rig.sink.send(frozen, rig.now)
    for refusal in (prepared, sent):
        assert isinstance(refusal, Refused)
        assert word in str(refusal)
    assert rig.far.tasks.rows[receipt.remote_id] == before
    assert not rig.far.calls("PATCH", ROW)


def test_new_tasks_and_amendments_go_in_one_batch(rig: Rig) -> None:
    first, second = rig.make(rig.order("a"), rig.order("b"))
    rig.far.complete(second.remote_id)
    batch = [
        *rig.prepare(rig.order("c")),
        *rig.prepare(rig.amended(first, answer="a")),
        *rig.prepare(rig.amended(first, 3, answer="a", comment="third words")),
    ]
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt"] * 3
    text = next(t["Description"] for t in rig.tasks() if t["Id"] == first.remote_id)
    assert [text.count(f"[{one.order.key}]") for one in batch[1:]] == [1, 1]
    assert text.index("-r2]") < text.index("-r3]")
    found = rig.sink.find(batch, rig.now)
    assert [one.remote_id for one in found if isinstance(one, Receipt)] == [
        one.remote_id for one in outcomes if isinstance(one, Receipt)
    ]


def test_an_amendment_that_fails_does_not_cost_the_new_tasks_their_receipts(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order("a"))
    batch = [*rig.prepare(rig.order("b")), *rig.prepare(rig.amended(receipt, answer="a"))]
    rig.far.fault("status", method="PATCH", path=ROW, status=429)
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt", "TryLater"]


def test_a_full_description_is_never_cut(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    rig.far.touch_by_agent(receipt.remote_id, Description="x" * 31_950)
    (outcome,) = rig.sink.send(rig.prepare(rig.amended(receipt)), rig.now)
    assert isinstance(outcome, Refused)
    assert "full" in str(outcome)
    assert rig.task()["Description"] == "x" * 31_950


def test_a_long_comment_is_shortened_in_the_note_before_it_is_refused(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    rig.far.touch_by_agent(receipt.remote_id, Description="x" * 29_000)
    rig.make(rig.amended(receipt, comment="word " * 5000))
    assert "characters are kept under" in rig.task()["Description"]


def test_a_task_that_may_not_be_edited_is_refused_alone(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    batch = rig.prepare(rig.amended(receipt))
    rig.far.fault("status", method="PATCH", path=ROW, status=403, body=_error("INSUFFICIENT"))
    (outcome,) = rig.sink.send(batch, rig.now)
    assert isinstance(outcome, Refused)


# -- the account -------------------------------------------------------------------------------


def test_a_token_that_runs_out_half_way_is_renewed_once(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order())
    batch = [*rig.prepare(rig.order("b")), *rig.prepare(rig.amended(receipt))]
    rig.far.fault("status", method="PATCH", path=ROW, status=401, body=_error("INVALID_SESSION_ID"))
    rig.far.tokens.expire_all()
    outcomes = rig.sink.send(batch, rig.now)
    assert errors(outcomes) == ["Receipt", "Receipt"]
    refused, repeated = rig.far.calls("PATCH", ROW)
    assert refused.body == repeated.body
    assert refused.headers["if-unmodified-since"] == repeated.headers["if-unmodified-since"]
    assert refused.headers["authorization"] != repeated.headers["authorization"]
    assert rig.far.counts() == {"salesforce.task": 2}


@pytest.mark.parametrize("body", [[{"errorCode": "INVALID_SESSION_ID"}], {"error": "x"}, "<p>"])
def test_a_401_that_does_not_end_is_a_pause_after_one_new_log_in(rig: Rig, body: Any) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("status", path=DATA, status=401, body=body, times=None)
    with pytest.raises(Paused, match="401"):
        rig.sink.send(batch, rig.now)
    assert len(rig.far.calls("PATCH")) <= 2
    assert len(rig.far.calls("POST", "/services/oauth2")) <= 2
    rig.far.clear_faults()
    assert errors(rig.sink.send(batch, rig.now)) == ["Receipt"]


def test_a_wrong_secret_is_a_pause_that_does_not_tell_it(box: Sandbox) -> None:
    rig = Rig(box, consumer_secret="wrong-and-private")
    with pytest.raises(Paused, match="invalid_client") as caught:
        rig.prepare(rig.order())
    assert "wrong-and-private" not in repr(caught.value)
    assert "client credentials flow" in str(caught.value)
    (finding,) = rig.sink.check(rig.now)
    assert not finding.ok


def test_after_the_daily_quota_it_is_tried_again_in_an_hour(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    rig.far.state["settings"]["requests_per_day"] = 1
    with pytest.raises(Paused) as caught:
        rig.sink.send(batch, rig.now)
    assert caught.value.until == rig.now + timedelta(hours=1)


def test_a_missing_right_pauses_the_account(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    rig.far.fault("status", method="PATCH", status=403, body=_error("API_DISABLED_FOR_ORG"))
    with pytest.raises(Paused, match="API_DISABLED_FOR_ORG"):
        rig.sink.send(batch, rig.now)


def test_without_the_external_id_field_nothing_is_sent_or_refused(rig: Rig) -> None:
    rig.far.state["settings"]["has_marker_field"] = False
    with pytest.raises(Paused, match=MARKER):
        rig.make(rig.order())
    findings = {one.subject: one for one in rig.sink.check(rig.now)}
    assert not findings[MARKER].ok
    assert "Object Manager" in findings[MARKER].cure


def test_a_field_that_the_user_may_not_see_pauses_and_is_named(rig: Rig) -> None:
    words = "SELECT Email FROM Contact WHERE Email IN ('dora@example.com')\nNo such column 'Email'"
    rig.far.fault("status", path=f"{DATA}/query", status=400, body=_error("INVALID_FIELD", words))
    with pytest.raises(Paused) as caught:
        rig.prepare(rig.order())
    assert "column 'Email'" in str(caught.value)
    assert "dora@" not in str(caught.value)


@responses.activate
def test_the_jwt_flow_signs_for_the_log_in_host_and_asks_the_own_domain() -> None:
    host = "https://acme.my.salesforce.com"
    token = {"access_token": "t", "instance_url": host}
    responses.post(f"{host}/services/oauth2/token", json=token)
    responses.get(f"{host}{DATA}/query/", json={"done": True, "records": []})
    private, public = rsa_key("salesforce")
    settings = SalesforceTask.Settings(
        domain="acme.my",
        consumer_key=SecretStr(KEY),
        username="connector@example.com",
        private_key=SecretStr(private.replace("\n", "\\n")),
        login="test",
    )
    now = datetime.now(UTC)
    order = make_order("r1", "salesforce:acme.my", now)
    (body,) = SalesforceTask(settings, Session()).prepare([order], now)
    assert isinstance(body, bytes)
    form = dict(parse_qsl(str(responses.calls[0].request.body)))
    claims = jwt.decode(
        form["assertion"], public, ["RS256"], audience="https://test.salesforce.com"
    )
    assert (claims["iss"], claims["sub"]) == (KEY, "connector@example.com")
    assert responses.calls[1].request.headers["Authorization"] == "Bearer t"


def test_a_log_in_whose_reply_is_lost_has_done_nothing(rig: Rig) -> None:
    rig.far.fault("lose_reply", path="/services/oauth2")
    rig.make(rig.order())
    assert len(rig.far.calls("POST", "/services/oauth2")) == 2


def test_a_private_key_that_is_none_is_a_pause(box: Sandbox) -> None:
    rig = Rig(box, consumer_secret=None, username="c@example.com", private_key="not a key")
    with pytest.raises(Paused, match="private key") as caught:
        rig.prepare(rig.order())
    assert "not a key" not in str(caught.value)


# -- hostile words -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["o'brien@example.com", 'a"b@example.com', "back\\slash@example.com", "x')or(id!=null@e.com"],
)
def test_quotes_and_backslashes_find_exactly_their_own_contact(rig: Rig, address: str) -> None:
    contact = rig.far.add_contact(address)
    rig.make(rig.order(email=address))
    assert rig.task()["WhoId"] == contact["Id"]


def test_words_from_outside_stay_words(rig: Rig) -> None:
    name = "=cmd('calc')\r\nBcc: x\x00 <script>alert(1)</script> {{ 7*7 }}"
    rig.make(rig.order(name=name, subject=name, comment=name))
    task = rig.task()
    assert task["Subject"].startswith("'=cmd('calc') Bcc: x")
    assert "\n" not in task["Subject"]
    assert "\x00" not in task["Description"]
    assert "{{" not in task["Description"]


def test_a_task_always_has_a_title(rig: Rig) -> None:
    rig.make(rig.order(subject=" \n"))
    assert rig.task()["Subject"] == "NPS 0 of 10, detractor"


def test_a_subject_of_emoji_fits_however_salesforce_counts(rig: Rig) -> None:
    rig.make(rig.order(subject="\U0001f600" * 300))
    subject = rig.task()["Subject"]
    assert len(subject.encode("utf-16-le")) <= 2 * 255
    assert subject.endswith("…")


def test_a_long_comment_leaves_room_for_notes(rig: Rig) -> None:
    rig.make(rig.order(comment="word " * 20_000))
    assert len(rig.task()["Description"]) <= 20_000
    assert "characters are kept under r1" in rig.task()["Description"]


@pytest.mark.parametrize(
    "words",
    [
        "Subject: data value too large: Nobody answers the phone (max length=255)",
        "the owners of dora@example.com and somebody@example.net are unknown",
        "Dora Detractor is no contact",
    ],
)
def test_the_reason_tells_nothing_of_the_customer(rig: Rig, words: str) -> None:
    batch = rig.prepare(rig.order())
    item = [{"success": False, "errors": [{"statusCode": "STRING_TOO_LONG", "message": words}]}]
    rig.far.fault("status", method="PATCH", status=200, body=item)
    (outcome,) = rig.sink.send(batch, rig.now)
    assert "STRING_TOO_LONG" in str(outcome)
    for private in ("Nobody answers", "dora@", "somebody@", "Dora Detractor"):
        assert private not in str(outcome)


def test_no_query_is_longer_than_salesforce_reads() -> None:
    addresses = [f"{'x' * 60}{number}'@example.com" for number in range(400)]
    parts = list(chunks(addresses))
    assert [one for chunk in parts for one in chunk] == addresses
    assert max(len(chunk) for chunk in parts) <= 200
    assert len(parts) > 2


# -- custom fields -----------------------------------------------------------------------------


def test_custom_fields_are_written_as_what_they_are(rig: Rig) -> None:
    fields = {"isreminderset": "Yes", "ReminderDateTime": "2026-11-24T12:00:00+00:00"}
    (receipt,) = rig.make(rig.order(fields=fields))
    assert rig.task()["IsReminderSet"] is True
    assert not receipt.remark


@pytest.mark.parametrize(
    "fields", [{"No_Such__c": "5"}, {"IsReminderSet": "perhaps"}, {"IsClosed": "true"}]
)
def test_a_field_that_does_not_fit_is_left_out_and_said(rig: Rig, fields: dict[str, str]) -> None:
    one, other = rig.make(rig.order("a", fields=fields), rig.order("b"))
    assert one.needs_attention
    assert f"The field {next(iter(fields))} was left out" in one.remark
    assert not other.remark


def test_a_field_that_was_taken_away_meanwhile_is_described_anew(rig: Rig) -> None:
    order = rig.order(fields={"IsReminderSet": "yes"})
    batch = rig.prepare(order)
    rig.far.fault("status", method="PATCH", status=400, body=_error("INVALID_FIELD"))
    with pytest.raises(Paused):
        rig.sink.send(batch, rig.now)
    rig.make(order)
    assert len(rig.far.calls("GET", f"{DATA}/sobjects/Task/describe")) == 2


def test_an_empty_custom_field_is_not_written(rig: Rig) -> None:
    (receipt,) = rig.make(rig.order(fields={"ReminderDateTime": " "}))
    assert not receipt.remark
    assert rig.task()["ReminderDateTime"] is None


# -- settings, parameters, doctor --------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"consumer_secret": "s", "username": "u"},
        {"username": "u"},
        {"consumer_secret": "s", "domain": "login"},
        {"consumer_secret": "s", "domain": "acme my"},
        {"consumer_secret": "s", "api_version": "v64.0"},
        {"consumer_secret": "s", "external_id_field": "Id FROM Task"},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SalesforceTask.Settings.model_validate({"domain": "acme.my", "consumer_key": "k"} | given)


def test_a_rule_cannot_set_what_the_connector_sets() -> None:
    with pytest.raises(ValidationError, match="WhoId is set by the connector"):
        SalesforceTask.Params.model_validate({"fields": {"WhoId": "003"}})


def test_parameters_of_another_version_are_refused_alone(rig: Rig) -> None:
    odd, good = rig.sink.prepare([rig.order("a", colour="red"), rig.order("b")], rig.now)
    assert isinstance(odd, Refused)
    assert "colour" in str(odd)
    assert isinstance(good, bytes)


def test_a_respond_within_in_its_stored_form_does_no_harm(rig: Rig) -> None:
    rig.make(rig.order(respond_within="PT4H"))


def test_a_healthy_organisation_passes_every_check(box: Sandbox) -> None:
    rig = Rig(box, default_owner="Sonia Sales")
    findings = rig.sink.check(rig.now)
    assert [one for one in findings if not one.ok] == []
    assert {"log-in", MARKER, "Task.Priority", "Contact", "Lead"} <= {f.subject for f in findings}


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (lambda field: field.update(unique=False), MARKER),
        (lambda field: field.update(externalId=False), MARKER),
        (lambda field: field.update(picklistValues=[]), "Task.Priority"),
        (lambda field: field.update(createable=False), "Task.WhoId"),
    ],
)
def test_the_doctor_names_what_is_missing(
    rig: Rig, change: Callable[[dict[str, Any]], None], subject: str
) -> None:
    rig.sink.check(rig.now)
    fields = rig.sink._org.fields("Task", rig.now)
    change(fields[subject.removeprefix("Task.")])
    shown = {"fields": list(fields.values())}
    rig.far.fault("status", path=f"{DATA}/sobjects/Task/describe", status=200, body=shown)
    findings: dict[str, Finding] = {one.subject: one for one in rig.sink.check(rig.now)}
    assert not findings[subject].ok
    assert findings[subject].cure


def test_the_doctor_says_when_the_default_owner_is_nobody(box: Sandbox) -> None:
    rig = Rig(box, default_owner="xavier@example.com")
    assert [one.subject for one in rig.sink.check(rig.now) if not one.ok] == ["default_owner"]


def test_a_frozen_order_survives_a_restart() -> None:
    frozen = Frozen({"Subject": "ü"}, "remark", needs_attention=True)
    assert Frozen.read(frozen.body()) == frozen


def test_the_client_is_loaded_only_when_it_is_used() -> None:
    code = "import sys, connector.sinks.salesforce; sys.exit('simple_salesforce' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_hour_is_counted_in_utc(rig: Rig) -> None:
    due = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    order = rig.order().model_copy(update={"due_at": due})
    rig.make(order)
    assert rig.task()["ActivityDate"] == "2026-11-24"
    assert "2026-11-24 23:30 UTC" in rig.task()["Description"]


def test_every_error_is_one_of_ours(rig: Rig) -> None:
    batch = rig.prepare(rig.order())
    for status in (300, 400, 404, 405, 409, 413, 418, 431):
        rig.far.fault("status", method="PATCH", status=status, body="<p>odd</p>")
        (outcome,) = rig.sink.send(batch, rig.now)
        assert isinstance(outcome, ConnectorError)
