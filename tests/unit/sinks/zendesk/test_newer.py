"""A newer answer: one note, and only what rises."""

import json
from datetime import datetime, timedelta

import pytest

from connector.domain import Facts, Receipt
from connector.errors import LookFirst, Refused, TryLater
from connector.sandbox import Sandbox
from connector.sandbox.zendesk import Zendesk
from connector.sinks.zendesk import ZendeskTicket
from connector.sinks.zendesk.desk import Desk
from tests.unit.sinks.zendesk.talk import (
    DUE,
    KEY,
    LATER,
    MOVE,
    NOW,
    Make,
    deliver,
    failure,
    found,
    newer,
    notes,
    order,
    plain,
    prepare,
    send,
    ticket,
    writes,
)


def test_a_newer_answer_becomes_one_internal_note_with_its_marker(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    receipt = deliver(sink, newer(case))
    assert receipt == plain(case)
    [note] = notes(zendesk, case)
    assert not note["public"]
    assert "<blockquote>Now I am leaving.</blockquote>" in note["html_body"]
    assert f"[{KEY}-r2]" in note["html_body"]
    assert ticket(zendesk, case)["status"] == "new"
    assert zendesk.state["ignored"] == []
    assert zendesk.counts()["zendesk.ticket"] == 1


def test_priority_and_due_time_rise(zendesk: Zendesk, sink: ZendeskTicket, case: str) -> None:
    deliver(sink, newer(case, {"priority": "urgent"}, due_at=DUE - timedelta(hours=2)))
    assert ticket(zendesk, case)["priority"] == "urgent"
    assert ticket(zendesk, case)["due_at"] == "2026-11-25T14:00:00Z"


@pytest.mark.parametrize("due", [DUE + timedelta(hours=2), DUE, None])
@pytest.mark.parametrize("priority", ["low", "normal", "high"])
def test_priority_and_due_time_never_sink(
    zendesk: Zendesk, sink: ZendeskTicket, case: str, due: datetime | None, priority: str
) -> None:
    one = prepare(sink, newer(case, {"priority": priority}, due_at=due))
    sent = json.loads(one.body)["ticket"]
    assert "priority" not in sent
    assert "due_at" not in sent
    assert "status" not in sent
    send(sink, one)
    assert ticket(zendesk, case)["priority"] == "high"
    assert ticket(zendesk, case)["due_at"] == "2026-11-25T16:00:00Z"


def test_a_ticket_that_is_no_task_gets_no_due_time(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    zendesk.touch_by_agent(int(case), type="question", due_at=None)
    deliver(sink, newer(case))
    assert ticket(zendesk, case)["due_at"] is None


def test_tags_follow_the_segment_and_those_of_agents_stay(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    zendesk.touch_by_agent(int(case), tags=[*ticket(zendesk, case)["tags"], "callback"])
    deliver(sink, newer(case, score=7, segment="passive"))
    assert ticket(zendesk, case)["tags"] == ["callback", "nps", "nps_passive", "nps_silent"]


def test_group_assignee_and_fields_change_while_nobody_has_touched_the_ticket(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    deliver(sink, newer(case))  # our own note is no touch
    deliver(sink, newer(case, MOVE, revision=3))
    made = ticket(zendesk, case)
    assert (made["group_id"], made["assignee_id"]) == (360002, 9002)
    assert made["custom_fields"][0]["value"] == "1"


def test_group_assignee_and_fields_stay_once_a_person_has_touched_the_ticket(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    zendesk.touch_by_agent(int(case), comment={"body": "calling now", "public": False})
    deliver(sink, newer(case, MOVE))
    made = ticket(zendesk, case)
    assert (made["group_id"], made["assignee_id"]) == (360001, None)
    assert made["custom_fields"][0]["value"] is None
    assert len(notes(zendesk, case)) == 2


@pytest.mark.parametrize(
    ("author_id", "channel", "moves"),
    [
        (9001, "api", True),
        (9001, "web", False),
        (-1, "rule", True),
        (-1, "admin_setting", True),
        (9002, "api", False),
    ],
)
def test_a_shared_user_is_told_apart_by_the_door(
    zendesk: Zendesk,
    sink: ZendeskTicket,
    case: str,
    author_id: int,
    channel: str,
    moves: bool,
) -> None:
    with zendesk.changing():
        last = zendesk.state["audits"][case][-1]
        last |= {"author_id": author_id, "via": {"channel": channel, "source": {}}}
    deliver(sink, newer(case, MOVE))
    assert (ticket(zendesk, case)["group_id"] == 360002) is moves


def test_an_assignee_who_is_not_in_the_new_group_leaves(
    zendesk: Zendesk, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.sinks.zendesk.desk.Desk.groups_of", lambda *_: {360001})
    sink = make()
    number = deliver(sink, order({"group": "Support", "assignee": "ana@example.com"})).remote_id
    deliver(sink, newer(number, {"group": "Retention"}))
    made = ticket(zendesk, number)
    assert (made["group_id"], made["assignee_id"]) == (360002, None)


@pytest.mark.parametrize("how", ["solved", "closed", "deleted"])
def test_into_a_finished_ticket_nothing_is_written(
    zendesk: Zendesk, sink: ZendeskTicket, case: str, how: str
) -> None:
    {"solved": zendesk.solve, "closed": zendesk.close, "deleted": zendesk.delete}[how](int(case))
    [error] = sink.prepare([newer(case)], NOW)
    assert isinstance(error, Refused)
    assert f"the ticket was {how}" in str(error)
    assert "nothing was written" in str(error)
    assert writes(zendesk) == []


@pytest.mark.parametrize("how", ["solved", "closed", "deleted"])
def test_into_a_ticket_that_is_finished_meanwhile_nothing_is_written(
    zendesk: Zendesk, sink: ZendeskTicket, case: str, running: Sandbox, how: str
) -> None:
    one = prepare(sink, newer(case))
    running.clock.advance(5)
    {"solved": zendesk.solve, "closed": zendesk.close, "deleted": zendesk.delete}[how](int(case))
    assert isinstance(failure(sink, one), Refused)
    assert notes(zendesk, case) == []
    assert zendesk.counts()["zendesk.note"] == 0


def test_what_an_agent_does_between_reading_and_writing_is_not_undone(
    zendesk: Zendesk, sink: ZendeskTicket, case: str, running: Sandbox
) -> None:
    one = prepare(sink, newer(case, {"priority": "urgent", **MOVE}))
    running.clock.advance(5)
    zendesk.touch_by_agent(int(case), group_id=360003, tags=["mine"], due_at="2026-11-25T13:00:00Z")
    send(sink, one)
    made = ticket(zendesk, case)
    assert made["group_id"] == 360003
    assert made["due_at"] == "2026-11-25T13:00:00Z"
    assert made["priority"] == "urgent"
    assert "mine" in made["tags"]
    assert len(notes(zendesk, case)) == 1


def test_a_priority_that_an_agent_has_raised_is_not_lowered_by_a_resend(
    zendesk: Zendesk, make: Make, running: Sandbox
) -> None:
    number = deliver(make(), order({"priority": "low"})).remote_id
    running.clock.advance(300)
    one = prepare(make(), newer(number, {"priority": "high"}))
    zendesk.fault("drop", method="PUT")
    assert isinstance(failure(make(), one), LookFirst)
    running.clock.advance(60)
    zendesk.touch_by_agent(int(number), priority="urgent")
    send(make(), one)
    assert ticket(zendesk, number)["priority"] == "urgent"
    assert len(notes(zendesk, number)) == 1


def test_a_ticket_that_changes_all_the_time_is_tried_later(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    one = prepare(sink, newer(case))
    zendesk.fault("status", method="PUT", status=409, times=2, body={"error": "UpdateConflict"})
    with pytest.raises(TryLater, match="changed by others"):
        sink.send([one], NOW)
    send(sink, one)
    assert len(notes(zendesk, case)) == 1


@pytest.mark.parametrize("within", [True, False])
def test_a_lost_reply_of_a_note_ends_in_one_note(
    zendesk: Zendesk, sink: ZendeskTicket, case: str, running: Sandbox, make: Make, within: bool
) -> None:
    one = prepare(sink, newer(case, MOVE))
    zendesk.fault("lose_reply", method="PUT")
    assert isinstance(failure(sink, one), LookFirst)
    running.clock.advance(60 if within else LATER.total_seconds())
    result = send(make(), one) if within else found(make(), one)
    assert result == plain(case)
    assert len(notes(zendesk, case)) == 1


def test_a_lost_reply_is_noticed_though_the_ticket_changed_within_one_second(
    zendesk: Zendesk, sink: ZendeskTicket, make: Make
) -> None:
    number = deliver(sink, order()).remote_id
    one = prepare(sink, newer(number))
    zendesk.fault("lose_reply", method="PUT")
    assert isinstance(failure(sink, one), LookFirst)
    with zendesk.changing():  # Zendesk counts in seconds: the stamp still fits
        stamp = json.loads(one.body)["ticket"]["updated_stamp"]
        ticket(zendesk, number)["updated_at"] = stamp
    send(make(), one)
    assert len(notes(zendesk, number)) == 1


def test_a_slow_copy_that_lands_between_looking_and_writing_is_the_only_note(
    zendesk: Zendesk,
    sink: ZendeskTicket,
    case: str,
    running: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = prepare(sink, newer(case))
    update = Desk.update

    def overtaken(desk: Desk, number: int, body: bytes, facts: Facts) -> int:
        monkeypatch.undo()
        update(desk, number, body, facts)  # an earlier request of ours, held up until now
        running.clock.advance(2)
        return update(desk, number, body, facts)

    monkeypatch.setattr(Desk, "update", overtaken)
    send(sink, one)
    assert len(notes(zendesk, case)) == 1


def test_a_note_that_never_arrived_is_not_found(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    one = prepare(sink, newer(case, revision=1))
    other = prepare(sink, newer(case, revision=10))
    send(sink, other)
    assert found(sink, one) is None  # -r1 is not -r10


def test_a_marker_in_public_words_is_not_taken_for_ours(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    zendesk.touch_by_agent(int(case), comment={"body": f"[{KEY}-r2]", "public": True})
    assert found(sink, prepare(sink, newer(case))) is None


def test_a_note_is_found_behind_a_hundred_others(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    for _ in range(150):
        zendesk.touch_by_agent(int(case), comment={"body": "still waiting", "public": False})
    one = prepare(sink, newer(case))
    send(sink, one)
    assert isinstance(found(sink, one), Receipt)


def test_a_note_in_a_deleted_ticket_is_not_looked_for_for_ever(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    one = prepare(sink, newer(case))
    zendesk.delete(int(case))
    assert found(sink, one) is None
    error = failure(sink, one)
    assert isinstance(error, Refused)
    assert "deleted" in str(error)


def test_an_amendment_without_ticket_number_is_refused(sink: ZendeskTicket) -> None:
    [error] = sink.prepare([newer("../users/1")], NOW)
    assert isinstance(error, Refused)
