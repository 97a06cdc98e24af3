"""One alert for one action, in words that no customer can turn into a mention or a link."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from pydantic import ValidationError

from connector.domain import Facts, Order, Prepared, Receipt
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.http import Session
from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.slack import Slack
from connector.sinks import load
from connector.sinks.slack import POST, MessageParams, SlackMessage, SlackSettings

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TOKEN = SECRETS["SLACK_BOT_TOKEN"]
FACTS = Facts(
    response_id="r1",
    source="s",
    survey="relationship",
    survey_name="Relationship NPS",
    score=0,
    segment="detractor",
    comment="Too slow.\nI want my money back!",
    answered_at=NOW,
    link="https://survey.example.com/r/1?a=1&b=2",
    customer={"email": "ana.perez@example.com", "name": "Ana Pérez"},
    company={"name": "Acme & Sons"},
)
HOSTILE = (
    "<!channel> <@U0123456> <https://evil.example.com|your bank> & @here http://evil.example.com"
)


def order(text: str = "Call *Ana* back", facts: Facts = FACTS, **params: Any) -> Order:
    said = {"channel": "#retention", "text": text, **params}
    return Order(key="nps-1", kind="slack.message", rule_name="R", params=said, facts=facts)


def message(sink: SlackMessage, one: Order) -> dict[str, Any]:
    (body,) = sink.prepare([one], NOW)
    assert isinstance(body, bytes)
    found: dict[str, Any] = json.loads(body)
    return found


def sent(sink: SlackMessage, one: Order) -> Receipt | ConnectorError:
    (body,) = sink.prepare([one], NOW)
    assert isinstance(body, bytes)
    (result,) = sink.send([Prepared(order=one, body=body)], NOW)
    return result


def texts(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        text
        for block in found["blocks"]
        for text in [block.get("text"), *block.get("elements", [])]
        if text
    ]


@pytest.fixture
def offline() -> Iterator[SlackMessage]:
    with Session() as session:
        yield SlackMessage(SlackSettings.model_validate({"token": TOKEN, "type": "slack"}), session)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def slack(running: Sandbox) -> Iterator[Slack]:
    yield running.slack
    running.slack.reset()


@pytest.fixture
def make(running: Sandbox, slack: Slack) -> Iterator[Callable[..., SlackMessage]]:
    sessions: list[Session] = []

    def make(token: str = TOKEN) -> SlackMessage:
        sessions.append(Session(base_url=running.urls["slack"], timeout=(1.0, 3.0)))
        settings = SlackSettings.model_validate({"type": "slack", "token": token})
        return SlackMessage(settings, sessions[-1])

    yield make
    for session in sessions:
        session.close()


# -- what a message says ------------------------------------------------------------------------


def test_an_alert_says_the_score_the_comment_and_where_the_answer_is(offline: SlackMessage) -> None:
    found = message(offline, order())
    assert found["channel"] == "#retention"
    assert found["text"] == "Call *Ana* back"
    assert [text["text"] for text in texts(found)] == [
        "Call *Ana* back",
        "0 of 10, detractor - “Too slow. I want my money back!”",
        "Ana Pérez | Acme & Sons | Relationship NPS | 2026-11-25 12:00 UTC",
        "<https://survey.example.com/r/1?a=1&amp;b=2|Open the answer>",
    ]


def test_nothing_from_a_customer_can_mention_or_link(offline: SlackMessage) -> None:
    facts = FACTS.model_copy(
        update={
            "comment": HOSTILE,
            "customer": {"name": HOSTILE},
            "company": {"name": HOSTILE},
            "link": "https://x.example.com/|<!channel>",
        }
    )
    found = message(offline, order(f"{HOSTILE} wrote {HOSTILE}", facts))
    for text in texts(found):
        if text["type"] == "plain_text":
            assert text["emoji"] is False
        else:
            assert "<" not in text["text"]
            assert text["verbatim"] is True
    assert "<" not in found["text"]
    assert (found["parse"], found["link_names"]) == ("none", False)
    assert (found["unfurl_links"], found["unfurl_media"]) == (False, False)


def test_the_author_of_a_rule_says_who_is_notified_in_a_field_of_its_own(
    offline: SlackMessage,
) -> None:
    found = message(offline, order("<!everyone>", mention=["here", "U0123456", "S0123456"]))
    said = "<!here> <@U0123456> <!subteam^S0123456> &lt;!everyone&gt;"
    assert (found["text"], found["blocks"][0]["text"]["text"]) == (said, said)


@pytest.mark.parametrize("who", ["all", "@ana", "u0123456", "U1", "here> <!channel"])
def test_a_mention_that_is_none_is_refused_when_the_rules_are_read(who: str) -> None:
    with pytest.raises(ValidationError):
        MessageParams.model_validate({"channel": "#c", "mention": [who]})


def test_long_texts_fit_slacks_limits_without_half_an_escape(offline: SlackMessage) -> None:
    facts = FACTS.model_copy(update={"comment": "🙂<&" * 50_000})
    found = message(offline, order("&" * 50_000, facts))
    assert all(len(text["text"]) <= 3000 for text in texts(found))
    headline = found["blocks"][0]["text"]["text"].removesuffix("…")
    assert headline.replace("&amp;", "") == ""


def test_an_alarm_that_is_about_no_answer_shows_only_its_text(offline: SlackMessage) -> None:
    nothing = Facts(response_id="-", source="-", survey="", score=None, segment=None)
    found = message(offline, order("Alarm: delighted is silent", nothing))
    assert [text["text"] for text in texts(found)] == ["Alarm: delighted is silent"]


def test_a_message_is_the_same_bytes_every_time(offline: SlackMessage) -> None:
    assert offline.prepare([order()], NOW) == offline.prepare([order()], NOW)


def test_one_order_that_does_not_fit_leaves_the_others_alone(offline: SlackMessage) -> None:
    wrong = order().model_copy(update={"params": {"text": "no channel"}})
    first, second = offline.prepare([wrong, order()], NOW)
    assert isinstance(first, Refused)
    assert isinstance(second, bytes)


# -- against the stand-in -----------------------------------------------------------------------


def test_an_alert_is_posted_once_and_its_receipt_says_where(
    make: Callable[..., SlackMessage], slack: Slack
) -> None:
    result = sent(make(), order())
    assert isinstance(result, Receipt)
    (posted,) = slack.messages()
    assert posted["channel"] == "retention"
    assert result.remote_id == f"C00000002/{posted['ts']}"
    assert slack.counts() == {"slack.message": 1}


def test_the_frozen_bytes_are_what_goes_over_the_wire(
    make: Callable[..., SlackMessage], slack: Slack
) -> None:
    sink = make()
    (body,) = sink.prepare([order()], NOW)
    sent(sink, order())
    (call,) = slack.calls("POST", "/api/chat.postMessage")
    assert call.body == body
    assert call.headers["content-type"] == "application/json; charset=utf-8"


def test_a_lost_reply_leaves_a_doubt_and_nobody_can_be_asked(
    make: Callable[..., SlackMessage], slack: Slack
) -> None:
    sink = make()
    slack.fault("lose_reply", path="/api/chat.postMessage")
    assert isinstance(sent(sink, order()), LookFirst)
    assert slack.counts() == {"slack.message": 1}
    (found,) = sink.find([Prepared(order=order(), body=b"{}")], NOW)
    assert isinstance(found, LookFirst)
    assert not sink.capabilities.can_find
    assert not sink.capabilities.key_lifetime


def test_a_channel_problem_concerns_one_message_and_says_the_cure(
    make: Callable[..., SlackMessage], slack: Slack
) -> None:
    slack.add_channel("old", archived=True)
    slack.add_channel("private", member=False)
    sink = make()
    for channel, cure in (
        ("#nowhere", "check the rule"),
        ("old", "another"),
        ("private", "/invite"),
    ):
        result = sent(sink, order(channel=channel))
        assert isinstance(result, Refused)
        assert cure in str(result)
    assert isinstance(sent(sink, order()), Receipt)


def test_a_revoked_token_pauses_the_account_and_is_in_no_text(
    make: Callable[..., SlackMessage],
) -> None:
    sink = make("xoxb-revoked-secret")
    result = sent(sink, order())
    assert isinstance(result, Paused)
    (finding,) = sink.check(NOW)
    assert not finding.ok
    assert "revoked-secret" not in f"{result} {finding} {sink.account}"


def test_check_reaches_slack_without_posting(
    make: Callable[..., SlackMessage], slack: Slack
) -> None:
    (finding,) = make().check(NOW)
    assert (finding.ok, "Sandbox" in finding.message) == (True, True)
    assert slack.counts() == {"slack.message": 0}


def test_a_rate_limit_makes_the_whole_account_wait(
    make: Callable[..., SlackMessage], slack: Slack
) -> None:
    slack.state["settings"]["limit_channels"] = True
    sink = make()
    first, second = sent(sink, order()), sent(sink, order())
    assert isinstance(first, Receipt)
    assert isinstance(second, TryLater)
    assert (second.account_wide, second.retry_after_seconds) == (True, 1)


# -- Slack's answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"ok": False, "error": "invalid_auth"}, Paused),
        (200, {"ok": False, "error": "missing_scope"}, Paused),
        (200, {"ok": False, "error": "channel_not_found"}, Refused),
        (200, {"ok": False, "error": "msg_too_long"}, Refused),
        (200, {"ok": False, "error": "something_new"}, Refused),
        (200, {"ok": False, "error": "ratelimited"}, TryLater),
        (200, {"ok": False, "error": "request_timeout"}, TryLater),
        (200, {"ok": False, "error": "internal_error"}, LookFirst),
        (200, {"ok": False, "error": "fatal_error"}, LookFirst),
        (200, "<html>a proxy's page</html>", LookFirst),
        (200, [], LookFirst),
        (200, {"ok": None}, LookFirst),
        (200, {"ok": "true"}, LookFirst),
        (200, {"ok": False, "error": "xoxb-sandbox of ana.perez@example.com"}, Refused),
        (400, "bad request", Refused),
        (403, "forbidden", Paused),
        (500, "oops", LookFirst),
        (503, "later", TryLater),
        (429, "slow down", TryLater),
    ],
)
def test_every_answer_of_slack_says_what_happens_next(
    offline: SlackMessage, status: int, body: Any, error: type[ConnectorError]
) -> None:
    with responses.RequestsMock() as network:
        text = body if isinstance(body, str) else json.dumps(body)
        network.post(POST, body=text, status=status)
        result = sent(offline, order())
    assert type(result) is error
    assert TOKEN not in str(result)
    assert "ana.perez" not in str(result)


def test_the_registry_knows_this_sink() -> None:
    assert load("slack.message") is SlackMessage
