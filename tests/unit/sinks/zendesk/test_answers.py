"""Every answer that Zendesk may give has one meaning, and leaks nothing."""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from connector.domain import Prepared
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.sandbox.zendesk import Zendesk
from connector.sinks.zendesk import ZendeskTicket
from tests.unit.sinks.zendesk.talk import (
    COMMENT,
    NOW,
    TOKEN,
    Make,
    deliver,
    failure,
    newer,
    order,
    prepare,
)


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
    assert 580 < caught.value.retry_after_seconds <= 660
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
