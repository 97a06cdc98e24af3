"""A new ticket: what an agent reads, and names that do not exist."""

import json
from datetime import timedelta
from typing import Any

import pytest

from connector.domain import Receipt
from connector.errors import TryLater
from connector.sandbox.zendesk import Zendesk
from connector.sinks.zendesk import ZendeskTicket
from connector.sinks.zendesk.names import field_value
from connector.sinks.zendesk.records import Field
from tests.unit.sinks.zendesk.talk import (
    COMMENT,
    KEY,
    NOW,
    Make,
    deliver,
    found,
    newer,
    order,
    prepare,
    send,
    ticket,
    writes,
)


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
    told = {one["id"]: one["value"] for one in made["custom_fields"] if one["value"] is not None}
    assert told == {
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


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "remark"),
    [
        ({"group": "Nowhere"}, 'Zendesk has no group "Nowhere".'),
        ({"assignee": "nobody@example.com"}, "The assignee that the rule names is not one"),
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


def test_an_assignee_outside_the_group_of_an_open_ticket_is_left_out(
    zendesk: Zendesk, sink: ZendeskTicket, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.sinks.zendesk.desk.Desk.groups_of", lambda *_: {360002})
    receipt = deliver(sink, newer(case, {"assignee": "ana@example.com"}))
    assert ticket(zendesk, case)["assignee_id"] is None
    assert "not in the ticket's group" in receipt.remark


def test_text_that_is_no_name_is_not_searched_for(zendesk: Zendesk, sink: ZendeskTicket) -> None:
    assert deliver(sink, order({"assignee": "x" * 100_000})).needs_attention
    assert zendesk.calls("GET", "/api/v2/users/search") == []


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
