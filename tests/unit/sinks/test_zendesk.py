"""One answer, one ticket; one newer answer, one note; against the stand-in, replies lost."""

import copy
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connector import patience
from connector.domain import Facts, Order, Prepared, Receipt, amendment_key, case_key
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.http import Session
from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.zendesk import Zendesk
from connector.sinks import load
from connector.sinks.zendesk import ZendeskTicket
from connector.sinks.zendesk.desk import Desk
from connector.sinks.zendesk.names import field_value
from connector.sinks.zendesk.records import Field

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DUE = datetime(2026, 11, 25, 16, tzinfo=UTC)
LATER = timedelta(hours=3)  # Zendesk has forgotten the key by then
KEY = case_key("r1", "zendesk:acme")
TOKEN = SECRETS["ZENDESK_API_TOKEN"]
COMMENT = "Too slow, and nobody answers. I want my money back!"

Make = Callable[..., ZendeskTicket]


@pytest.fixture(scope="module")
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
def make(running: Sandbox, zendesk: Zendesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """New adapter instances, as after a restart."""
    monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.0)
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


# -- a new ticket ----------------------------------------------------------------------------------


def test_a_ticket_carries_all_that_an_agent_needs(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    wanted = order(
        {
            "priority": "urgent",
            "group": "retention",
            "assignee": "ana@example.com",
            "tags": ["VIP customer", "EMEA"],
            "fields": {"NPS score": "2", "360012346": "Detractor"},
        }
    )
    receipt = deliver(sink, wanted)
    [made] = zendesk.tickets()
    assert receipt == Receipt(
        remote_id=str(made["id"]), url=f"https://acme.zendesk.com/agent/tickets/{made['id']}"
    )
    assert made["external_id"] == KEY
    assert made["subject"] == "NPS 2 - Jane Roe"
    assert (made["priority"], made["type"]) == ("urgent", "task")
    assert made["due_at"] == "2026-11-25T16:00:00Z"
    assert made["group_id"] == 360002
    assert made["assignee_id"] == 9002
    assert made["tags"] == ["emea", "nps", "nps_detractor", "nps_silent", "vip_customer"]
    assert {one["id"]: one["value"] for one in made["custom_fields"]} == {
        360012345: "2",
        360012346: "detractor",
    }
    requester = zendesk.state["users"][str(made["requester_id"])]
    assert (requester["name"], requester["email"]) == ("Jane Roe", "jane.roe@example.com")
    [audit] = zendesk.state["audits"][receipt.remote_id]
    assert audit["metadata"]["custom"] == {"nps_action_id": KEY}
    [comment] = zendesk.state["comments"][receipt.remote_id]
    assert not comment["public"]
    assert "Call within four hours." in comment["html_body"]
    assert f"<blockquote>{COMMENT}</blockquote>" in comment["html_body"]
    assert "2026-11-25 16:00 UTC" in comment["html_body"]
    assert zendesk.state["ignored"] == []  # every field is one that Zendesk knows


def test_nothing_is_mailed_to_the_customer(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    number = deliver(sink, order()).remote_id
    deliver(sink, newer(number))
    assert zendesk.state["mailed"] == []


def test_the_frozen_bytes_and_the_key_are_what_goes_out(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    one = prepare(sink, order())
    send(sink, one)
    [call] = zendesk.calls("POST")
    assert call.body == one.body
    assert call.headers["idempotency-key"] == KEY
    assert call.headers["user-agent"].startswith("nps-connector/")


def test_preparing_only_reads(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    prepare(sink, order({"group": "Support", "assignee": "Ana Soporte"}))
    assert writes(zendesk) == []


def test_an_answer_without_address_opens_a_ticket_that_says_so(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    receipt = deliver(sink, order(customer={}))
    assert ticket(zendesk, receipt.remote_id)["requester_id"] == 9001
    assert "There is no e-mail address" in ticket(zendesk, receipt.remote_id)["description"]
    assert not receipt.needs_attention


@pytest.mark.parametrize("email", ["jane@localhost", "jane roe@example.com", "ñ@example.com"])
def test_an_address_that_zendesk_would_refuse_does_not_cost_the_ticket(
    zendesk: Zendesk, sink: ZendeskTicket, email: str
) -> None:
    receipt = deliver(sink, order(customer={"email": email, "name": "Jane"}))
    said = ticket(zendesk, receipt.remote_id)["description"]
    assert "The e-mail address cannot be used" in said
    assert email in said


def test_a_customer_without_name_is_called_by_the_address(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    receipt = deliver(sink, order(customer={"email": "jane.roe@example.com"}))
    requester = ticket(zendesk, receipt.remote_id)["requester_id"]
    assert zendesk.state["users"][str(requester)]["name"] == "jane.roe@example.com"


def test_a_public_ticket_holds_only_what_the_customer_said(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    receipt = deliver(sink, order({"public": True, "group": "Nowhere"}))
    [mail] = zendesk.state["mailed"]
    assert COMMENT in mail["body"]
    for internal in ("Call within", "enterprise", "Enterprise detractor", "Nowhere", "16:00"):
        assert internal not in mail["body"]
    assert "nps_silent" not in ticket(zendesk, receipt.remote_id)["tags"]


def test_hostile_words_are_inert_in_subject_requester_and_comment(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    words = "</blockquote><script>alert(1)</script>{{ticket.requester.email}}\x00\r\nX: y\ud800 😡"
    receipt = deliver(
        sink,
        order(
            {"subject": words, "next_step": words, "tags": [words], "fields": {words: words}},
            comment=words,
            customer={"name": words, "email": "jane.roe@example.com", "plan": words},
        ),
    )
    made = ticket(zendesk, receipt.remote_id)
    [comment] = zendesk.state["comments"][receipt.remote_id]
    for text in (made["subject"], comment["html_body"]):
        assert "{{" not in text
        assert "\x00" not in text
    assert "\n" not in made["subject"]
    assert "<script" not in comment["html_body"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in comment["html_body"]
    assert "😡" in comment["html_body"]


def test_a_comment_of_a_hundred_kilobytes_fits(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    receipt = deliver(sink, order(comment="<Ünïcödé> " * 10_000))
    [comment] = zendesk.state["comments"][receipt.remote_id]
    assert len(comment["html_body"].encode()) <= 60_000
    assert "kept under r1" in comment["html_body"]


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "remark"),
    [
        ({"group": "Nowhere"}, 'Zendesk has no group "Nowhere".'),
        ({"assignee": "nobody@example.com"}, "The assignee that the rule names is not one"),
        ({"assignee": "x" * 100_000}, "The assignee that the rule names is not one"),
        ({"fields": {"Mood": "bad"}}, 'Zendesk has no ticket field "Mood".'),
        ({"fields": {"NPS segment": "angry"}}, 'field "NPS segment" does not take this value'),
        ({"fields": {"NPS score": "two"}}, 'field "NPS score" does not take this value'),
    ],
)
def test_a_name_that_does_not_exist_never_costs_the_ticket(
    zendesk: Zendesk, sink: ZendeskTicket, make: Make, params: dict[str, Any], remark: str
) -> None:
    one = prepare(sink, order(params))
    receipt = send(make(), one)  # another process sends the frozen bytes
    assert receipt.needs_attention
    assert remark in receipt.remark
    assert "nobody@example.com" not in receipt.remark
    assert ticket(zendesk, receipt.remote_id)["group_id"] is None
    [comment] = zendesk.state["comments"][receipt.remote_id]
    assert "Note:" in comment["html_body"]
    again = found(make(), one)
    assert isinstance(again, Receipt)
    assert again.remark == receipt.remark


def test_an_empty_field_is_left_out_without_a_word(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    receipt = deliver(sink, order({"fields": {"NPS score": " "}, "assignee": ""}))
    assert receipt.remark == ""


def test_the_default_group_is_taken_where_the_rule_names_none(zendesk: Zendesk, make: Make) -> None:
    sink = make(group="Customer Care")
    assert ticket(zendesk, deliver(sink, order()).remote_id)["group_id"] == 360003
    named = deliver(sink, order({"group": "360001"}, key="nps-other"))
    assert ticket(zendesk, named.remote_id)["group_id"] == 360001


def test_of_two_agents_with_one_name_none_is_chosen(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    zendesk.state["users"]["9003"]["name"] = "Ana Soporte"
    receipt = deliver(sink, order({"assignee": "Ana Soporte"}))
    assert receipt.needs_attention
    assert ticket(zendesk, receipt.remote_id)["assignee_id"] is None


def test_a_customer_is_no_assignee(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    deliver(sink, order())
    receipt = deliver(sink, order({"assignee": "jane.roe@example.com"}, key="nps-other"))
    assert ticket(zendesk, receipt.remote_id)["assignee_id"] is None


def test_an_assignee_outside_the_group_is_left_out(
    zendesk: Zendesk, sink: ZendeskTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.sinks.zendesk.desk.Desk.groups_of", lambda *_: {360001})
    wanted = {"group": "Retention", "assignee": "ana@example.com"}
    receipt = deliver(sink, order(wanted))
    made = ticket(zendesk, receipt.remote_id)
    assert (made["group_id"], made["assignee_id"]) == (360002, None)
    assert "not in the ticket's group" in receipt.remark
    inside = deliver(sink, order(wanted | {"group": "Support"}, key="nps-other"))
    assert ticket(zendesk, inside.remote_id)["assignee_id"] == 9002


def test_names_are_asked_for_once_in_ten_minutes(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    wanted = order(
        {"group": "Support", "assignee": "ana@example.com", "fields": {"NPS score": "2"}}
    )
    prepare(sink, wanted)
    asked = len(zendesk.calls("GET"))
    prepare(sink, wanted, NOW + timedelta(minutes=9))
    assert len(zendesk.calls("GET")) == asked
    prepare(sink, wanted, NOW + timedelta(minutes=10))
    assert len(zendesk.calls("GET")) == 2 * asked


def test_a_new_group_is_found_after_a_minute(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    wanted = order({"group": "Winback"})
    prepare(sink, wanted)
    zendesk.state["groups"].append({"id": 360009, "name": "Winback", "deleted": False})
    soon = prepare(sink, wanted, NOW + timedelta(seconds=59))
    assert "group_id" not in json.loads(soon.body)["ticket"]
    later = prepare(sink, wanted, NOW + timedelta(seconds=60))
    assert json.loads(later.body)["ticket"]["group_id"] == 360009


def test_known_names_go_on_being_used_while_zendesk_is_down(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    prepare(sink, order({"group": "Support"}))
    zendesk.fault("status", status=503, times=None)
    later = prepare(sink, order({"group": "Support"}), NOW + timedelta(hours=1))
    assert json.loads(later.body)["ticket"]["group_id"] == 360001
    with pytest.raises(TryLater):
        sink.prepare([order({"group": "Unheard of"})], NOW + timedelta(hours=1))


def test_lists_that_we_may_not_read_do_not_cost_the_ticket(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    for path in ("groups", "ticket_fields", "users/search"):
        zendesk.fault("status", path=f"/api/v2/{path}", status=403, body={"error": "Forbidden"})
    wanted = {"group": "Support", "assignee": "ana@example.com", "fields": {"NPS score": "2"}}
    receipt = deliver(sink, order(wanted))
    assert len(zendesk.tickets()) == 1
    assert receipt.needs_attention


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "any words", "any words"),
        ("integer", " 7 ", "7"),
        ("integer", "7.5", None),
        ("decimal", "7.5", "7.5"),
        ("checkbox", "Yes", "true"),
        ("checkbox", "perhaps", None),
        ("date", "2026-11-25", "2026-11-25"),
        ("date", "25.11.2026", None),
        ("tagger", "Very Bad", "very_bad"),
        ("tagger", "very_bad", "very_bad"),
        ("tagger", "awful", None),
        ("multiselect", "Very bad, slow", ["very_bad", "slow"]),
        ("multiselect", "Very bad, awful", None),
    ],
)
def test_a_field_gets_only_what_its_type_takes(kind: str, text: str, value: object) -> None:
    options = {"very bad": "very_bad", "very_bad": "very_bad", "slow": "slow"}
    assert field_value(Field(1, "F", kind, options), text) == value


# -- exactly one ticket ----------------------------------------------------------------------------


def test_a_lost_reply_within_the_life_of_the_key_ends_in_one_ticket(
    zendesk: Zendesk, sink: ZendeskTicket, make: Make
) -> None:
    one = prepare(sink, order())
    zendesk.fault("lose_reply", method="POST")
    assert isinstance(failure(sink, one), LookFirst)
    receipt = send(make(), one)
    assert [str(t["id"]) for t in zendesk.tickets()] == [receipt.remote_id]


def test_a_lost_reply_is_found_again_after_the_life_of_the_key(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox, make: Make
) -> None:
    one = prepare(sink, order())
    zendesk.fault("lose_reply", method="POST")
    assert isinstance(failure(sink, one), LookFirst)
    running.clock.advance(LATER.total_seconds())
    result = found(make(), one)
    assert isinstance(result, Receipt)
    assert [str(t["id"]) for t in zendesk.tickets()] == [result.remote_id]
    assert result == send_would_have_said(result)


def send_would_have_said(receipt: Receipt) -> Receipt:
    number = receipt.remote_id
    return Receipt(remote_id=number, url=f"https://acme.zendesk.com/agent/tickets/{number}")


def test_a_request_that_never_arrived_is_not_found_and_goes_out_once(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox
) -> None:
    one = prepare(sink, order())
    zendesk.fault("drop", method="POST")
    assert isinstance(failure(sink, one), LookFirst)
    running.clock.advance(LATER.total_seconds())
    assert found(sink, one) is None
    send(sink, one)
    assert zendesk.counts()["zendesk.ticket"] == 1


def test_a_server_that_acts_and_then_hangs_ends_in_one_ticket(zendesk: Zendesk, make: Make) -> None:
    sink = make(seconds=0.3)
    one = prepare(sink, order())
    zendesk.fault("slow", method="POST", seconds=0.6)
    assert isinstance(failure(sink, one), LookFirst)
    send(make(), one)
    assert zendesk.counts()["zendesk.ticket"] == 1


def test_the_look_up_is_the_consistent_list_not_the_search(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    one = prepare(sink, order(key="nps a&status=open/é"))
    send(sink, one)
    assert isinstance(found(sink, one), Receipt)
    [call] = zendesk.calls("GET")
    assert call.path == "/api/v2/tickets.json"
    assert call.query == [("external_id", "nps a&status=open/é")]


def test_of_two_tickets_the_older_is_kept_and_a_person_is_told(
    zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox
) -> None:
    one = prepare(sink, order())
    first = send(sink, one)
    running.clock.advance(LATER.total_seconds())
    send(sink, one)
    result = found(sink, one)
    assert isinstance(result, Receipt)
    assert result.remote_id == first.remote_id
    assert result.needs_attention
    assert "2 tickets" in result.remark


def test_a_key_used_for_other_bytes_is_never_changed_but_looked_up(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    first = deliver(sink, order())
    other = prepare(sink, order({"subject": "rendered anew after a restore"}))
    assert send(sink, other).remote_id == first.remote_id
    assert {c.headers["idempotency-key"] for c in zendesk.calls("POST")} == {KEY}
    zendesk.delete(int(first.remote_id))
    assert isinstance(failure(sink, other), LookFirst)
    assert zendesk.counts()["zendesk.ticket"] == 1


# -- what zendesk may answer -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, "<html>500 Internal Server Error</html>", LookFirst),
        (502, "<html>Bad gateway</html>", LookFirst),
        (501, "<html>what?</html>", LookFirst),
        (408, "", LookFirst),
        (409, {"error": "Conflict"}, LookFirst),
        (423, {"error": "Locked"}, TryLater),
        (503, "<html>maintenance</html>", TryLater),
        (200, "<html>log in first</html>", LookFirst),
        (201, [], LookFirst),
        (201, {"ticket": {}}, LookFirst),
        (400, [1, 2], LookFirst),
        (413, "", Refused),
        (402, {"error": "Payment required"}, Paused),
    ],
)
def test_every_answer_has_one_meaning(
    zendesk: Zendesk, sink: ZendeskTicket, status: int, body: Any, error: type[ConnectorError]
) -> None:
    one = prepare(sink, order())
    zendesk.fault("status", method="POST", status=status, body=body)
    assert type(failure(sink, one)) is error


@pytest.mark.parametrize("as_date", [False, True])
def test_a_rate_limit_makes_the_account_wait_not_this_thread(
    zendesk: Zendesk, sink: ZendeskTicket, as_date: bool
) -> None:
    one = prepare(sink, order())
    until = datetime.now(UTC) + timedelta(seconds=600)
    wish = format_datetime(until, usegmt=True) if as_date else "600"
    zendesk.fault("status", method="POST", status=429, headers={"Retry-After": wish})
    with pytest.raises(TryLater) as caught:
        sink.send([one], NOW)
    assert caught.value.account_wide
    assert caught.value.retry_after_seconds is not None
    assert 580 < caught.value.retry_after_seconds <= 601
    assert len(zendesk.calls("POST")) == 1


def test_refused_credentials_pause_the_account_and_say_what_to_do(
    zendesk: Zendesk, make: Make
) -> None:
    with pytest.raises(Paused) as caught:
        make(api_token="revoked-token").send([prepare(make(), order())], NOW)
    assert "401" in str(caught.value)
    assert "Admin Center" in str(caught.value)
    assert "revoked-token" not in str(caught.value)
    with pytest.raises(Paused):
        make(api_token="revoked-token").prepare([order({"group": "Support"})], NOW)


def test_a_403_on_one_ticket_refuses_only_this_one(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    one = prepare(sink, order())
    zendesk.fault("status", method="POST", status=403, body={"error": "Forbidden"})
    assert isinstance(failure(sink, one), Refused)
    assert [c.path for c in zendesk.calls("GET")] == ["/api/v2/users/me.json"]


@pytest.mark.parametrize("status", [403, 404])
def test_a_403_or_404_on_everything_is_the_account(
    zendesk: Zendesk, sink: ZendeskTicket, status: int
) -> None:
    one = prepare(sink, order())
    zendesk.fault("status", status=status, times=None, body="<html>No help desk here</html>")
    with pytest.raises(Paused):
        sink.send([one], NOW)


def test_credentials_of_no_agent_pause_the_account(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    one = prepare(sink, order())
    zendesk.fault("status", method="POST", status=403, body={})
    zendesk.fault("status", method="GET", status=200, body={"user": {"id": None}})
    with pytest.raises(Paused, match="no agent"):
        sink.send([one], NOW)


def test_a_moved_account_is_not_followed(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    one = prepare(sink, order())
    zendesk.fault("status", status=301, headers={"Location": "https://new.zendesk.com/"})
    with pytest.raises(Paused, match="redirect"):
        sink.send([one], NOW)
    assert len(zendesk.calls()) == 1


def test_a_422_is_refused_in_zendesks_words_but_not_in_the_customers(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    one = prepare(sink, order())
    said = f"Requester: jane.roe@example.com is suspended, see {COMMENT}"
    details = {"requester": [{"description": said}], "base": [{"description": "Form: is missing"}]}
    zendesk.fault(
        "status", method="POST", status=422, body={"error": "RecordInvalid", "details": details}
    )
    error = failure(sink, one)
    assert isinstance(error, Refused)
    assert "RecordInvalid: Requester: … is suspended" in str(error)
    assert "Form: is missing" in str(error)


def test_the_vendors_own_judgement_is_passed_on(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    one = prepare(sink, order({"priority": "urgent"}))
    broken = one.body.replace(b'"urgent"', b'"asap"')
    error = failure(sink, Prepared(order=one.order, body=broken))
    assert isinstance(error, Refused)
    assert "asap is not included in the list" in str(error)


def test_a_read_that_fails_once_is_repeated_and_nobody_notices(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    zendesk.fault("drop", method="GET", times=2)
    prepare(sink, order({"group": "Support"}))
    assert len(zendesk.calls("GET")) == 3


def test_no_address_comment_or_token_is_logged(
    zendesk: Zendesk, sink: ZendeskTicket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    number = deliver(sink, order({"assignee": "ana@example.com"})).remote_id
    deliver(sink, newer(number))
    for private in ("jane.roe", "ana@example.com", "money back", TOKEN):
        assert private not in caplog.text


# -- a newer answer --------------------------------------------------------------------------------


@pytest.fixture
def case(zendesk: Zendesk, sink: ZendeskTicket, running: Sandbox) -> str:
    """A ticket that we opened five minutes ago."""
    number = deliver(sink, order({"priority": "high", "group": "Support"})).remote_id
    running.clock.advance(300)
    zendesk.log.clear()
    return number


def test_a_newer_answer_becomes_one_internal_note_with_its_marker(
    zendesk: Zendesk, sink: ZendeskTicket, case: str
) -> None:
    receipt = deliver(sink, newer(case))
    assert receipt == send_would_have_said(Receipt(remote_id=case))
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


@pytest.mark.parametrize("due", [DUE + timedelta(hours=2), None])
def test_priority_and_due_time_never_sink(
    zendesk: Zendesk, sink: ZendeskTicket, case: str, due: datetime | None
) -> None:
    one = prepare(sink, newer(case, {"priority": "low"}, due_at=due))
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


MOVE = {"group": "Retention", "assignee": "ana@example.com", "fields": {"NPS score": "1"}}


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
    [(9001, "api", True), (9001, "web", False), (-1, "rule", True), (9002, "api", False)],
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
    assert result == send_would_have_said(Receipt(remote_id=case))
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


# -- every reply lost once -------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [0, 3])
@pytest.mark.parametrize("lost", range(12))
def test_whatever_single_reply_is_lost_there_is_one_ticket_and_one_note(
    zendesk: Zendesk, make: Make, running: Sandbox, lost: int, hours: int
) -> None:
    """The way of every action: prepare, send, and after a failure look or send again."""
    zendesk.fault("lose_reply", skip=lost)

    def through(wanted: Order) -> Receipt:
        sent_at = None
        for _ in range(5):
            try:
                one = prepare(make(), wanted)
                break
            except ConnectorError:
                continue
        for _ in range(5):
            sink = make()
            if sent_at is not None and hours:
                result = found(sink, one)
                if isinstance(result, Receipt):
                    return result
            sent_at = NOW
            [outcome] = sink.send([one], NOW)
            if isinstance(outcome, Receipt):
                return outcome
            running.clock.advance(hours * 3600 + 120)
        raise AssertionError("never done")

    params = {"group": "Support", "assignee": "ana@example.com"}
    first = through(order(params))
    running.clock.advance(60)
    second = through(newer(first.remote_id, MOVE))
    assert second.remote_id == first.remote_id
    assert zendesk.counts() == {
        "zendesk.ticket": 1,
        "zendesk.note": 1,
        "zendesk.public_comment": 0,
    }


# -- settings, parameters, check -------------------------------------------------------------------


def test_the_registry_knows_the_kind() -> None:
    adapter = load("zendesk.ticket")
    assert adapter.__name__ == ZendeskTicket.__name__
    assert (adapter.kind, adapter.type) == ("zendesk.ticket", "zendesk")


def test_zenpy_is_loaded_only_when_it_is_used() -> None:
    check = "import sys, connector.sinks.zendesk; sys.exit('zenpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_account_is_the_subdomain(make: Make) -> None:
    assert make(subdomain="Acme").account == "zendesk:acme"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"email": "agent@example.com"},
        {"api_token": "t"},
        {"email": "agent@example.com", "api_token": "t", "oauth_token": "o"},
        {"oauth_token": "o", "subdomain": "acme.zendesk.com"},
        {"oauth_token": "o", "subdomain": "evil.example/"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ZendeskTicket.Settings(**({"type": "zendesk", "subdomain": "acme"} | settings))


def test_secrets_do_not_show_in_settings() -> None:
    made = ZendeskTicket.Settings(subdomain="acme", oauth_token=SecretStr("very-secret"))
    assert "very-secret" not in repr(made)


def test_an_oauth_token_is_sent_as_bearer(zendesk: Zendesk, make: Make) -> None:
    sink = make(email=None, api_token=None, oauth_token="oauth-1")
    with pytest.raises(Paused):
        sink.prepare([order({"group": "Support"})], NOW)
    assert zendesk.calls("GET")[0].headers["authorization"] == "Bearer oauth-1"


@pytest.mark.parametrize(
    "params", [{"priority": "asap"}, {"colour": "red"}, {"type": "epic"}, {"fields": [1]}]
)
def test_a_rule_may_write_only_what_zendesk_knows(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ZendeskTicket.Params(**params)


def test_parameters_of_another_version_park_the_action_by_name(sink: ZendeskTicket) -> None:
    [error] = sink.prepare([order({"colour": COMMENT})], NOW)
    assert isinstance(error, Refused)
    assert "colour" in str(error)
    assert COMMENT not in str(error)


def test_the_time_to_respond_may_be_stored_in_any_form(sink: ZendeskTicket) -> None:
    prepare(sink, order({"respond_within": "PT4H"}))


def test_check_says_who_is_signed_in(zendesk: Zendesk, make: Make) -> None:
    [finding] = make(group="Support").check(NOW)
    assert finding.ok
    assert writes(zendesk) == []


def test_check_names_a_default_group_that_does_not_exist(make: Make) -> None:
    good, bad = make(group="Suport").check(NOW)
    assert (good.ok, bad.ok) == (True, False)
    assert '"Suport"' in bad.message


def test_check_says_how_to_mend_refused_credentials(make: Make) -> None:
    [finding] = make(api_token="revoked-token").check(NOW)
    assert not finding.ok
    assert "401" in finding.message
    assert "Admin Center" in finding.cure


def test_of_several_orders_an_error_takes_only_its_own(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    batch = [prepare(sink, order(key=f"nps-{n}")) for n in range(3)]
    zendesk.fault("status", method="POST", status=422, skip=1, body={"error": "RecordInvalid"})
    first, second, third = sink.send(batch, NOW)
    assert isinstance(first, Receipt)
    assert isinstance(second, Refused)
    assert isinstance(third, Receipt)
    zendesk.fault("status", method="POST", status=429, skip=1, times=None)
    kept, *rest = sink.send(batch, NOW)
    assert kept == first  # what was done is not lost with an error of the account
    assert all(isinstance(one, TryLater) for one in rest)
