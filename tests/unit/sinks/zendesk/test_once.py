"""One answer, one ticket; one newer answer, one note; whichever reply is lost."""

import pytest

from connector.domain import Order, Receipt
from connector.errors import ConnectorError, LookFirst
from connector.sandbox import Sandbox
from connector.sandbox.zendesk import Zendesk
from connector.sinks.zendesk import ZendeskTicket
from tests.unit.sinks.zendesk.talk import (
    KEY,
    LATER,
    MOVE,
    NOW,
    Make,
    deliver,
    failure,
    found,
    newer,
    order,
    plain,
    prepare,
    send,
)


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
    assert result == plain(result.remote_id)


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


def test_a_list_that_ignores_the_external_id_finds_nothing(
    zendesk: Zendesk, sink: ZendeskTicket
) -> None:
    others = [{"id": 5, "external_id": KEY.upper(), "status": "new"}, {"id": 6, "status": "new"}]
    one = prepare(sink, order())
    zendesk.fault("status", status=200, body={"tickets": others, "next_page": None})
    assert found(sink, one) is None


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
