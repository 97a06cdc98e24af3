"""News of Salesforce tasks: who counts as a human touch, what is gone, how far was read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from connector.domain import Followed, Standing, Watched, case_key
from connector.errors import Paused
from connector.http import Session
from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.salesforce.hands import MANAGER, REP
from connector.sandbox.salesforce.schema import MARKER, record_id
from connector.sinks.salesforce import SalesforceTask
from connector.sinks.salesforce.standings import Columns, standing

DATA = "/services/data/v64.0"
SONIA = record_id("User", 2)
MINUTE = timedelta(minutes=1)


class Rig:
    """Tasks of ours at the stand-in, and what is heard of them."""

    def __init__(self, box: Sandbox, **settings: Any) -> None:
        self.box, self.far = box, box.salesforce
        given = {
            "domain": "acme.my",
            "consumer_key": SECRETS["SALESFORCE_CONSUMER_KEY"],
            "consumer_secret": SECRETS["SALESFORCE_CONSUMER_SECRET"],
            "cause_field": "nps_cause__c",
            "action_field": "NPS_Action_Taken__c",
        } | settings
        chosen = SalesforceTask.Settings.model_validate(given)
        self.sink = SalesforceTask(chosen, Session(box.urls["salesforce"]))
        self.ids: list[str] = []
        self.cursor: str | None = None

    def made(self, count: int = 1, **fields: Any) -> str:
        """The last of some new tasks; some minutes pass."""
        with self.far.changing():
            for _ in range(count):
                key = case_key(f"r{len(self.ids)}", self.sink.account)
                task = {"Subject": "Call", "OwnerId": SONIA, MARKER: key, **fields}
                self.ids.append(self.far.tasks.insert(task)["Id"])
        self.pass_by()
        return self.ids[-1]

    def pass_by(self, time: timedelta = 10 * MINUTE) -> datetime:
        self.box.clock.advance(time.total_seconds())
        return self.box.clock.now()

    def amend(self, task_id: str) -> None:
        """As the connector does with a revised answer."""
        with self.far.changing():
            self.far.tasks.update(self.far.tasks.rows[task_id], {"Description": "revised"})

    def pages(self) -> list[Followed]:
        watched = [Watched(remote_id=one) for one in self.ids]
        found = list(self.sink.follow(self.cursor, watched, self.box.clock.now()))
        self.cursor = found[-1].cursor
        return found

    def heard(self) -> dict[str, Standing]:
        return {one.remote_id: one for page in self.pages() for one in page.standings}

    def look(self, *ids: str) -> list[Standing]:
        return list(self.sink.look([Watched(remote_id=one) for one in ids], self.box.clock.now()))

    def queries(self) -> list[str]:
        return [dict(one.query)["q"] for one in self.far.calls("GET", f"{DATA}/query")]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def box(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


@pytest.fixture
def rig(box: Sandbox) -> Rig:
    return Rig(box)


def near(told: datetime | None, when: datetime) -> bool:
    return told is not None and abs(told - when) < timedelta(seconds=2)


# -- what is a touch ----------------------------------------------------------------------------


def test_a_status_that_somebody_set_is_a_touch_at_its_time(rig: Rig) -> None:
    task = rig.made()
    at = rig.pass_by()
    rig.far.start(task)
    rig.pass_by()
    [one] = rig.look(task)
    assert (one.state, one.status, one.owner) == ("contacted", "In Progress", "Sonia Sales")
    assert near(one.contacted_at, at)


def test_an_edit_by_its_owner_is_a_touch_though_the_status_still_waits(rig: Rig) -> None:
    task = rig.made()
    rig.far.fill(task, {"Description": "Called, voice mail"})
    [one] = rig.look(task)
    assert (one.state, one.status) == ("contacted", "Not Started")


def test_a_manager_who_hands_a_task_on_has_not_talked_to_the_customer(rig: Rig) -> None:
    task = rig.made(OwnerId=None)
    rig.far.reassign(task, to=REP, by=MANAGER)
    [one] = rig.look(task)
    assert (one.state, one.owner, one.contacted_at) == ("open", "Sonia Sales", None)
    rig.far.reassign(task, to=MANAGER, by=REP)
    assert rig.look(task)[0].state == "open"


def test_whoever_takes_a_task_has_begun(rig: Rig) -> None:
    task = rig.made(OwnerId=None)
    rig.far.reassign(task, to=REP, by=REP)
    assert rig.look(task)[0].state == "contacted"


def test_our_own_notes_are_no_touch(rig: Rig) -> None:
    task = rig.made()
    rig.amend(task)
    assert rig.look(task)[0].state == "open"


def test_a_rule_that_makes_tasks_with_another_status_has_not_touched_them(rig: Rig) -> None:
    task = rig.made(Status="In Progress")
    assert rig.look(task)[0].state == "open"
    rig.amend(task)
    assert rig.look(task)[0].state == "contacted"


def test_a_status_that_the_settings_name_waits_as_well(box: Sandbox) -> None:
    rig = Rig(box, waiting_statuses=["Not Started", "in progress"])
    task = rig.made(Status="In Progress")
    rig.amend(task)
    assert rig.look(task)[0].state == "open"


# -- closed, reopened, gone ---------------------------------------------------------------------


def test_a_closed_task_has_the_time_at_which_it_was_completed_not_of_later_edits(rig: Rig) -> None:
    task = rig.made()
    closed = rig.pass_by()
    rig.far.complete(task)
    rig.pass_by(timedelta(days=1))
    rig.far.fill(task, {"NPS_Cause__c": "Late invoice", "NPS_Action_Taken__c": "Refunded"})
    [one] = rig.look(task)
    assert one.state == "closed"
    assert near(one.closed_at, closed)
    assert near(one.contacted_at, closed), "who closed it had surely begun"
    assert (one.cause, one.action_taken) == ("Late invoice", "Refunded")


def test_without_the_time_of_completion_the_newest_change_is_taken(rig: Rig) -> None:
    rig.far.state["settings"]["hidden_fields"] = ["CompletedDateTime"]
    task = rig.made()
    closed = rig.pass_by()
    rig.far.complete(task)
    rig.pass_by()
    assert near(rig.look(task)[0].closed_at, closed)
    assert "CompletedDateTime" not in rig.queries()[-1]


def test_a_reopened_task_is_worked_on_again(rig: Rig) -> None:
    task = rig.made()
    rig.heard()
    rig.far.complete(task)
    rig.pass_by()
    assert rig.heard()[task].state == "closed"
    rig.far.reopen(task)
    rig.pass_by()
    one = rig.heard()[task]
    assert (one.state, one.closed_at) == ("contacted", None)


def test_a_deleted_task_is_gone_and_a_purged_one_is_nothing_that_we_can_say(rig: Rig) -> None:
    deleted, purged = rig.made(), rig.made()
    rig.heard()
    for task in (deleted, purged):
        rig.far.delete(task)
    rig.far.purge(purged)
    rig.pass_by()
    assert {id: one.state for id, one in rig.heard().items()} == {deleted: "gone"}
    assert [one.state for one in rig.look(deleted, purged)] == ["gone"]


# -- how far was read ---------------------------------------------------------------------------


def test_the_first_round_reads_what_is_watched_and_later_ones_what_has_changed(rig: Rig) -> None:
    changed, _, newest = rig.made(), rig.made(), rig.made()
    assert rig.cursor is None
    assert set(rig.heard()) == set(rig.ids)
    rig.far.start(changed)
    assert set(rig.heard()) == {changed, newest}, "the newest is told again, by the overlap"
    assert set(rig.heard()) == {changed}


def test_a_slow_transaction_with_an_older_stamp_is_still_seen(rig: Rig) -> None:
    slow, quick = rig.made(2), rig.ids[0]
    rig.heard()
    rig.far.start(slow)
    stale = rig.far.tasks.rows[slow]["SystemModstamp"]
    rig.far.tasks.rows[slow]["SystemModstamp"] = "2025-01-15T09:00:00.000+0000"  # not committed
    rig.pass_by(4 * MINUTE)
    rig.far.start(quick)
    assert slow not in rig.heard()
    rig.far.tasks.rows[slow]["SystemModstamp"] = stale
    assert rig.heard()[slow].state == "contacted"


def test_equal_stamps_at_the_border_of_a_page_lose_and_repeat_nothing(rig: Rig) -> None:
    rig.made(7)
    rig.heard()
    with rig.far.changing():
        stamp = rig.box.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "+0000")
        for row in rig.far.tasks.rows.values():
            row |= {"SystemModstamp": stamp, "Status": "Completed", "IsClosed": True}
    seen: list[str] = []
    with mock.patch("connector.sandbox.salesforce.api.PAGE", 2):
        while len(seen) < 7:  # a stop after each page
            watched = [Watched(remote_id=one) for one in rig.ids]
            page = next(iter(rig.sink.follow(rig.cursor, watched, rig.box.clock.now())))
            assert page.standings
            seen += [one.remote_id for one in page.standings]
            rig.cursor = page.cursor
    assert sorted(seen) == sorted(rig.ids)


def test_without_the_unique_field_those_that_are_watched_are_looked_at(rig: Rig) -> None:
    task = rig.made()
    rig.far.state["settings"]["has_marker_field"] = False
    rig.far.start(task)
    for _ in range(2):
        assert rig.heard()[task].state == "contacted"
        assert rig.cursor is None
    assert all("WHERE Id IN" in query for query in rig.queries())


def test_an_id_that_a_person_recorded_by_mistake_costs_the_others_nothing(rig: Rig) -> None:
    task = rig.made()
    assert [one.remote_id for one in rig.look("4711", "00T'; --", task)] == [task]
    assert [one.remote_id for one in rig.look(task[:15])] == [task[:15]]


def test_many_tasks_are_looked_at_by_queries_that_salesforce_reads(rig: Rig) -> None:
    rig.made(450)
    assert len(rig.look(*rig.ids)) == 450
    assert len(rig.queries()) == 3


# -- trouble ------------------------------------------------------------------------------------


def test_a_used_up_day_pauses_until_an_hour_from_now(rig: Rig) -> None:
    rig.made()
    rig.heard()
    rig.far.state["settings"]["requests_per_day"] = 1
    with pytest.raises(Paused, match="REQUEST_LIMIT_EXCEEDED") as caught:
        rig.heard()
    assert caught.value.until is not None
    assert caught.value.until - rig.box.clock.now() > 50 * MINUTE


def test_an_expired_session_is_renewed_within_the_round(rig: Rig) -> None:
    rig.made(3)
    with mock.patch("connector.sandbox.salesforce.api.PAGE", 1):
        rig.heard()
        for one in rig.ids:
            rig.far.start(one)
        watched = [Watched(remote_id=one) for one in rig.ids]
        seen = 0
        for page in rig.sink.follow(rig.cursor, watched, rig.box.clock.now()):
            seen += len(page.standings)
            rig.far.tokens.expire_all()
    assert seen == 3


def test_fields_that_are_hidden_are_left_out_and_doctor_says_so(rig: Rig) -> None:
    task = rig.made(NPS_Cause__c="Late invoice")
    rig.far.state["settings"]["hidden_fields"] = ["NPS_Action_Taken__c"]
    [one] = rig.look(task)
    assert (one.cause, one.action_taken) == ("Late invoice", "")
    found = {one.subject: one for one in rig.sink.check(rig.box.clock.now())}
    assert found["cause_field"].ok
    assert not found["action_field"].ok
    assert "NPS_Action_Taken__c" in found["action_field"].message


def test_a_field_that_is_taken_away_costs_one_round(rig: Rig) -> None:
    task = rig.made()
    assert set(rig.heard()) == {task}
    rig.far.state["settings"]["hidden_fields"] = ["NPS_Cause__c"]
    with pytest.raises(Paused, match="NPS_Cause__c"):
        rig.heard()
    rig.far.start(task)
    assert rig.heard()[task].state == "contacted"


def test_a_queue_is_a_team_and_no_owner() -> None:
    columns = Columns(key="", completed="", cause="", action_taken="")
    at = "2026-11-26T09:00:00.000+0000"
    row = {
        "Id": record_id("Task", 1),
        "IsDeleted": False,
        "IsClosed": False,
        "Status": "Not Started",
        "OwnerId": "00GSx0000000001AAA",
        "Owner": {"Name": "Retention"},
        "CreatedById": SONIA,
        "LastModifiedById": SONIA,
        "CreatedDate": at,
        "LastModifiedDate": at,
        "SystemModstamp": at,
    }
    one = standing(row, columns, {"not started"}, None)
    assert (one.owner, one.team) == ("", "Retention")
    assert standing({**row, "Owner": None}, columns, {"not started"}, None).team == ""
