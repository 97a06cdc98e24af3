"""What has become of tickets: states, times, people, and whatever the export does."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.domain import Standing, Watched, case_key
from connector.errors import TryLater
from connector.sandbox import Sandbox
from connector.sandbox.zendesk import Zendesk
from connector.sandbox.zendesk.desk import AGENT_ID
from connector.sinks.zendesk import ZendeskTicket
from tests.unit.sinks.zendesk.talk import Make, deliver, order

ANA, BRUNO = 9002, 9003
FIELDS = {"cause_field": "root cause", "action_field": "Action taken"}

Act = Callable[[Zendesk, int], object]


def now(running: Sandbox) -> datetime:
    return running.clock.now().replace(microsecond=0)


def look(sink: ZendeskTicket, running: Sandbox, case: str, contacted: bool = False) -> Standing:
    [found] = sink.look([Watched(remote_id=case, contacted=contacted)], running.clock.now())
    return found


def rounds(
    sink: ZendeskTicket, running: Sandbox, cursor: str | None, *cases: str, contacted: bool = False
) -> tuple[dict[str, Standing], str | None]:
    """One round, ten minutes later."""
    running.clock.advance(600)
    found: dict[str, Standing] = {}
    watched = [Watched(remote_id=case, contacted=contacted) for case in cases]
    for page in sink.follow(cursor, watched, running.clock.now()):
        found |= {one.remote_id: one for one in page.standings}
        cursor = page.cursor
    return found, cursor


def ticket(zendesk: Zendesk, key: str | None, **more: Any) -> str:
    """A ticket in the desk, made without a call."""
    with zendesk.changing():
        fields = {"comment": {"body": "x", "html_body": "x", "public": False}, "custom": {}}
        fields |= {"requester_id": AGENT_ID, "external_id": key, **more}
        return str(zendesk.desk.create(fields, AGENT_ID, {})[0]["id"])


TOUCHES: list[tuple[str, Act]] = [
    ("takes it", lambda desk, number: desk.take(number)),
    ("writes a note", lambda desk, number: desk.comment(number, "Calling now")),
    ("answers", lambda desk, number: desk.comment(number, "Hello", public=True)),
    ("sets it pending", lambda desk, number: desk.set_status(number, "pending")),
    ("raises the priority", lambda desk, number: desk.touch_by_agent(number, priority="urgent")),
    (
        "works in our name, by hand",
        lambda desk, number: desk.comment(number, "Called", agent_id=AGENT_ID),
    ),
    (
        "says something through another program",
        lambda desk, number: desk._changed(
            number, ANA, "api", {"comment": {"body": "call ended", "public": False}}
        ),
    ),
]
NO_TOUCHES: list[tuple[str, Act]] = [
    ("nobody does anything", lambda desk, number: None),
    ("the requester writes", lambda desk, number: desk.reply(number)),
    ("a lead gives it to an agent", lambda desk, number: desk.assign(number, to=BRUNO)),
    ("a lead moves it", lambda desk, number: desk.touch_by_agent(number, group_id=360003)),
    ("an automation sets it", lambda desk, number: desk.automation(number, priority="low")),
    (
        "another program sets a field",
        lambda desk, number: desk._changed(number, ANA, "api", {"tags": ["scored"]}),
    ),
]


@pytest.mark.parametrize("act", [act for _, act in TOUCHES], ids=[who for who, _ in TOUCHES])
def test_a_person_who_works_on_it_has_touched_it(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str, act: Act
) -> None:
    began = now(running)
    act(zendesk, int(case))
    running.clock.advance(120)
    zendesk.comment(int(case), "a second one")
    found = look(sink, running, case)
    assert found.state == "contacted"
    assert found.contacted_at is not None
    assert timedelta(0) <= found.contacted_at - began < timedelta(seconds=60)


@pytest.mark.parametrize("act", [act for _, act in NO_TOUCHES], ids=[who for who, _ in NO_TOUCHES])
def test_what_is_no_work_of_a_person_is_no_touch(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str, act: Act
) -> None:
    act(zendesk, int(case))
    found = look(sink, running, case)
    assert (found.state, found.contacted_at) == ("open", None)


def test_what_a_trigger_adds_to_somebodys_change_is_not_theirs(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    zendesk.trigger(priority="urgent", status="pending")
    zendesk.assign(int(case), to=BRUNO)
    zendesk.reply(int(case))
    assert look(sink, running, case).state == "open"


def test_a_ticket_that_a_trigger_solved_is_closed_and_was_touched_by_nobody(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    zendesk.automation(int(case), status="solved", assignee_id=ANA)
    found = look(sink, running, case)
    assert (found.state, found.contacted_at) == ("closed", None)


def test_solving_tells_who_why_and_when(
    zendesk: Zendesk, make: Make, running: Sandbox, case: str
) -> None:
    at = now(running)
    fields = {"Root cause": "cause_refund_late", "Action taken": "Refunded\nand called"}
    zendesk.solve(int(case), fields, agent_id=BRUNO)
    running.clock.advance(4 * 86_400)
    zendesk.close(int(case))
    found = look(make(**FIELDS), running, case)
    assert (found.state, found.status) == ("closed", "closed")
    assert (found.owner, found.team) == ("Bruno Cuidado", "Support")
    assert (found.cause, found.action_taken) == ("Billing > Refund late", "Refunded and called")
    assert found.closed_at is not None
    assert found.closed_at - at < timedelta(seconds=60), "the automation's closing counts"
    assert found.contacted_at == found.closed_at


def test_a_ticket_solved_again_is_closed_at_the_second_time(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    zendesk.solve(int(case))
    running.clock.advance(3600)
    zendesk.reply(int(case), "It is still broken")
    found = look(sink, running, case, contacted=True)
    assert (found.state, found.closed_at) == ("contacted", None)
    running.clock.advance(3600)
    again = now(running)
    zendesk.solve(int(case))
    closed_at = look(sink, running, case, contacted=True).closed_at
    assert closed_at is not None
    assert closed_at >= again


def test_a_merged_ticket_is_closed_and_says_so(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    other = ticket(zendesk, "order-4711")
    zendesk.merge(int(case), into=int(other))
    found = look(sink, running, case)
    assert (found.state, found.status) == ("closed", "closed by merge")
    assert found.closed_at == found.contacted_at == found.changed_at


def test_a_ticket_that_the_list_leaves_out_is_asked_for_before_it_is_called_gone(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    hidden = deliver(sink, order(key=case_key("r2", "zendesk:acme"))).remote_id
    zendesk.solve(int(case))
    zendesk.archive(int(case))
    zendesk.delete(int(hidden))
    watched = [Watched(remote_id=one) for one in (case, hidden, "not a number")]
    found = {one.remote_id: one.state for one in sink.look(watched, running.clock.now())}
    assert found == {case: "closed", hidden: "gone"}
    zendesk.archive(int(hidden))
    zendesk.fault("status", path=f"/api/v2/tickets/{case}", status=403, body={"error": "Forbidden"})
    assert not sink.look(watched[:1], running.clock.now()), "what we may not see is not gone"


def test_a_restored_ticket_is_followed_again_and_was_touched_by_whoever_threw_it_away(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    heard, cursor = rounds(sink, running, None, case)
    zendesk.delete(int(case))
    heard, cursor = rounds(sink, running, cursor, case)
    assert heard[case].state == "gone"
    gone_at = heard[case].changed_at
    zendesk.restore(int(case))
    heard, cursor = rounds(sink, running, cursor, case)
    assert heard[case].state == "contacted"
    assert heard[case].contacted_at == gone_at
    assert heard[case].changed_at > gone_at


def test_the_history_is_read_only_where_the_first_touch_is_wanted(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    def histories() -> int:
        return sum(call.path.endswith("audits.json") for call in zendesk.calls("GET"))

    heard, cursor = rounds(sink, running, None, case)
    assert histories() == 0, "nobody has changed it since it was made"
    zendesk.comment(int(case), "Called")
    heard, cursor = rounds(sink, running, cursor, case)
    assert (heard[case].state, histories()) == ("contacted", 1)
    zendesk.comment(int(case), "Called again")
    heard, cursor = rounds(sink, running, cursor, case, contacted=True)
    assert (heard[case].state, histories()) == ("contacted", 1)


def test_a_thousand_and_one_tickets_come_on_two_pages_of_the_export(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox
) -> None:
    _, cursor = rounds(sink, running, None, "1")
    made = {
        ticket(zendesk, case_key(f"r{number}", "zendesk:acme"), status="solved")
        for number in range(1001)
    }
    strangers = {ticket(zendesk, None), ticket(zendesk, "nps-4711")}
    heard, after = rounds(sink, running, cursor)
    assert set(heard) == made
    assert not set(heard) & strangers
    assert len(zendesk.calls("GET", "/api/v2/incremental")) == 3, "one to begin, two pages"
    assert rounds(sink, running, after)[0] == {}


def test_the_first_round_looks_at_a_hundred_tickets_in_one_call_and_goes_on_where_it_stopped(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox
) -> None:
    cases = [
        ticket(zendesk, case_key(f"r{number}", "zendesk:acme"), status="pending")
        for number in range(250)
    ]
    running.clock.advance(86_400)
    watched = [Watched(remote_id=one) for one in cases]
    first = next(iter(sink.follow(None, watched, running.clock.now())))
    assert {one.remote_id for one in first.standings} == set(cases[:100])
    zendesk.log.clear()
    heard, _ = rounds(sink, running, first.cursor, *cases)
    assert set(heard) == set(cases[100:])
    assert len(zendesk.calls("GET", "/api/v2/tickets/show_many")) == 2


def test_news_between_two_pages_of_the_first_round_are_not_lost(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    watched = [Watched(remote_id=case)]
    running.clock.advance(600)
    first = next(iter(sink.follow(None, watched, running.clock.now())))
    zendesk.solve(int(case))
    heard, _ = rounds(sink, running, first.cursor, case)
    assert heard[case].state == "closed"


def test_the_export_keeps_to_its_own_limit_and_loses_nothing(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    _, cursor = rounds(sink, running, None, case)
    zendesk.solve(int(case))
    zendesk.fault(
        "status",
        path="/api/v2/incremental",
        status=429,
        headers={"Retry-After": "48"},
        body={"error": "APIRateLimitExceeded"},
    )
    with pytest.raises(TryLater) as caught:
        rounds(sink, running, cursor, case)
    assert caught.value.retry_after_seconds == 48
    assert not caught.value.account_wide, "tickets may go on being opened"
    heard, _ = rounds(sink, running, cursor, case)
    assert heard[case].state == "closed"


def test_one_odd_record_does_not_hide_the_others(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    _, cursor = rounds(sink, running, None, case)
    odd = ticket(zendesk, case_key("odd", "zendesk:acme"))
    with zendesk.changing():
        zendesk.state["tickets"][odd]["created_at"] = "yesterday"
    zendesk.solve(int(case))
    heard, cursor = rounds(sink, running, cursor, case)
    assert list(heard) == [case]
    assert rounds(sink, running, cursor, case)[0] == {}, "and the place moves on"


def test_a_history_that_cannot_be_read_keeps_no_news_back_and_is_asked_for_again(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    other = deliver(sink, order(key=case_key("r2", "zendesk:acme"))).remote_id
    _, cursor = rounds(sink, running, None, case, other)
    zendesk.take(int(case))
    zendesk.take(int(other))
    zendesk.fault("status", path=f"/api/v2/tickets/{case}/audits", status=500, times=3)
    heard, _ = rounds(sink, running, cursor, case, other)
    assert {one: (told.state, told.unsure) for one, told in heard.items()} == {
        case: ("open", True),
        other: ("contacted", False),
    }
    again = look(sink, running, case)
    assert (again.state, again.unsure) == ("contacted", False)


def test_who_is_no_administrator_is_told_of_each_ticket_that_is_asked_for(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, case: str
) -> None:
    with zendesk.changing():
        zendesk.state["users"][str(AGENT_ID)]["role"] = "agent"
    other = deliver(sink, order(key=case_key("r2", "zendesk:acme"))).remote_id
    heard, cursor = rounds(sink, running, None, case, other)
    assert {one.state for one in heard.values()} == {"open"}
    for act, state in ((zendesk.take, "contacted"), (zendesk.solve, "closed")):
        act(int(case))
        heard, cursor = rounds(sink, running, cursor, case, other)
        assert {one: heard[one].state for one in heard} == {case: state}
    zendesk.delete(int(other))
    heard, cursor = rounds(sink, running, cursor, case, other)
    assert heard[other].state == "gone"


def test_doctor_names_fields_that_do_not_exist_and_an_export_that_is_closed(
    zendesk: Zendesk, make: Make
) -> None:
    sink = make(cause_field="Root cause", action_field="Acton taken")
    good, bad = sink.check(datetime.fromisoformat("2026-11-25T12:00:00Z"))
    assert (good.ok, bad.ok, bad.subject) == (True, False, "action_field")
    assert '"Acton taken"' in bad.message
    assert "Fields" in bad.cure
    with zendesk.changing():
        zendesk.state["users"][str(AGENT_ID)]["role"] = "agent"
    *_, hint = make().check(datetime.fromisoformat("2026-11-25T12:00:00Z"))
    assert hint.ok
    assert "administrators" in hint.message
