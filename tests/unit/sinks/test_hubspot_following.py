"""News of HubSpot tasks: what each status means, when a person began, what is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.domain import Standing, Watched, case_key
from connector.errors import Paused, TryLater
from connector.http import Session
from connector.sandbox import SECRETS, Sandbox
from connector.sinks.hubspot import HubSpotTask

READ = "/crm/v3/objects/tasks/batch/read"
SONIA = "64492917"


class Rig:
    """Tasks of ours at the stand-in, and what is heard of them."""

    def __init__(self, box: Sandbox, **settings: Any) -> None:
        self.box, self.far = box, box.hubspot
        fields = {"cause_field": "nps_cause", "action_field": "nps_action_taken"}
        given = {"token": SECRETS["HUBSPOT_TOKEN"], "portal": "1", **fields} | settings
        chosen = HubSpotTask.Settings.model_validate(given)
        self.sink = HubSpotTask(chosen, Session(box.urls["hubspot"]))
        self.ids: list[str] = []

    def made(self, count: int = 1, **properties: str) -> str:
        """The last of some new tasks; some minutes pass."""
        with self.far.changing():
            for _ in range(count):
                key = case_key(f"r{len(self.ids)}", self.sink.account)
                given = {"hs_task_status": "NOT_STARTED", "hubspot_owner_id": SONIA}
                given |= {"nps_action_id": key, **properties}
                self.ids.append(self.far.crm.create("tasks", given, [])["id"])
        self.pass_by()
        return self.ids[-1]

    def pass_by(self, time: timedelta = timedelta(minutes=10)) -> datetime:
        self.box.clock.advance(time.total_seconds())
        return self.box.clock.now()

    def heard(self, contacted: bool = False) -> dict[str, Standing]:
        watched = [Watched(remote_id=one, contacted=contacted) for one in self.ids]
        pages = self.sink.follow(None, watched, self.box.clock.now())
        return {one.remote_id: one for page in pages for one in page.standings}

    def one(self) -> Standing:
        [only] = self.heard().values()
        return only

    def reads(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.far.calls("POST", READ)]


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


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NOT_STARTED", "open"),
        ("IN_PROGRESS", "contacted"),
        ("WAITING", "contacted"),
        ("DEFERRED", "contacted"),
        ("COMPLETED", "closed"),
    ],
)
def test_each_status_has_its_meaning(rig: Rig, status: str, state: str) -> None:
    task = rig.made()
    if status != "NOT_STARTED":
        rig.far.fill(task, {"hs_task_status": status})
    assert (rig.one().status, rig.one().state) == (status, state)


def test_the_first_touch_stands_in_the_history_whatever_came_after(rig: Rig) -> None:
    task = rig.made()
    began = rig.pass_by()
    rig.far.start(task)
    rig.pass_by()
    rig.far.fill(task, {"hs_task_status": "WAITING"})
    closed = rig.pass_by()
    rig.far.complete(task)
    rig.pass_by()
    rig.far.fill(task, {"nps_cause": "Late invoice", "nps_action_taken": "Refunded"})
    one = rig.one()
    assert near(one.contacted_at, began)
    assert near(one.closed_at, closed)
    assert (one.cause, one.action_taken) == ("Late invoice", "Refunded")
    assert near(one.changed_at, rig.box.clock.now())


def test_handing_a_task_on_is_no_touch(rig: Rig) -> None:
    task = rig.made()
    rig.far.reassign(task)
    one = rig.one()
    assert (one.state, one.owner, one.contacted_at) == ("open", "Casper Care", None)


def test_a_reopened_task_is_worked_on_again(rig: Rig) -> None:
    task = rig.made()
    rig.far.complete(task)
    rig.far.reopen(task)
    one = rig.one()
    assert (one.state, one.closed_at) == ("contacted", None)


def test_a_deleted_task_is_gone_since_its_deletion_and_a_purged_one_since_now(rig: Rig) -> None:
    deleted, purged, left = rig.made(), rig.made(), rig.made()
    at = rig.pass_by()
    rig.far.delete(deleted)
    rig.far.purge(purged)
    now = rig.pass_by()
    heard = rig.heard()
    assert {id: one.state for id, one in heard.items()} == {
        deleted: "gone",
        purged: "gone",
        left: "open",
    }
    assert near(heard[deleted].changed_at, at)
    assert near(heard[purged].changed_at, now)


def test_an_error_that_names_nobody_makes_nobody_gone(rig: Rig) -> None:
    rig.made(2)
    body = {
        "status": "COMPLETE",
        "results": [],
        "numErrors": 1,
        "errors": [{"status": "error", "category": "INTERNAL_ERROR", "context": {"ids": rig.ids}}],
    }
    rig.far.fault("status", path=READ, status=207, body=body)
    assert rig.heard() == {}
    assert {one.state for one in rig.heard().values()} == {"open"}


def test_only_those_are_asked_about_that_are_watched_and_history_only_where_it_is_wanted(
    rig: Rig,
) -> None:
    rig.made(120)
    rig.far.log.clear()
    assert len(rig.heard()) == 120
    assert [len(one["inputs"]) for one in rig.reads()] == [50, 50, 20]
    rig.far.log.clear()
    assert len(rig.heard(contacted=True)) == 120
    assert [len(one["inputs"]) for one in rig.reads()] == [100, 20]
    assert not any(one["propertiesWithHistory"] for one in rig.reads())


def test_nothing_is_asked_where_nothing_is_watched(rig: Rig) -> None:
    rig.far.log.clear()
    assert rig.heard() == {}
    assert not rig.far.calls()


def test_an_owner_who_has_left_is_told_by_number_and_nobody_is_nobody(rig: Rig) -> None:
    left = rig.made()
    nobody = rig.made(hubspot_owner_id="")
    rig.far.leave("sonia@example.com")
    heard = rig.heard()
    assert heard[left].owner == f"owner {SONIA}"
    assert heard[nobody].owner == ""


def test_a_used_up_day_pauses_until_midnight_of_the_account(box: Sandbox) -> None:
    rig = Rig(box, zone="Europe/Madrid")
    rig.made()
    rig.far.state["settings"]["requests_per_day"] = 0
    with pytest.raises(Paused) as caught:
        rig.heard()
    until = caught.value.until
    assert until is not None
    assert until > rig.box.clock.now()
    assert until.astimezone(UTC).minute == 0


def test_a_limit_of_seconds_is_waited_for_outside(rig: Rig) -> None:
    rig.made()
    rig.far.state["settings"]["requests_per_10_seconds"] = 0
    with pytest.raises(TryLater) as caught:
        rig.heard()
    assert caught.value.account_wide
    assert caught.value.retry_after_seconds == 10


def test_an_id_that_a_person_recorded_by_mistake_costs_the_others_nothing(rig: Rig) -> None:
    task = rig.made()
    rig.ids.append("see e-mail")
    assert set(rig.heard()) == {task}


def test_doctor_says_which_property_is_missing(box: Sandbox) -> None:
    rig = Rig(box, action_field="nps_done")
    found = {one.subject: one for one in rig.sink.check(rig.box.clock.now())}
    assert found["cause_field"].ok
    assert not found["action_field"].ok
    assert "nps_done" in found["action_field"].message
