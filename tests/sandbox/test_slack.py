"""The Slack stand-in: errors with the status 200, plain text for webhooks."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector.sandbox import Sandbox
from connector.sandbox.slack import WEBHOOK_PATH, Slack

TOKEN = {"Authorization": "Bearer xoxb-sandbox"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


@pytest.fixture
def slack(sandbox: Sandbox) -> Slack:
    return sandbox.slack


def call(sandbox: Sandbox, path: str, body: Any = None, **options: Any) -> requests.Response:
    options = {"headers": TOKEN, **options}
    return requests.post(sandbox.urls["slack"] + path, json=body, timeout=5, **options)


def post(sandbox: Sandbox, **fields: Any) -> requests.Response:
    return call(sandbox, "/api/chat.postMessage", {"channel": "#retention", "text": "t", **fields})


def hook(sandbox: Sandbox, body: Any, path: str = WEBHOOK_PATH) -> tuple[int, str]:
    answer = call(sandbox, path, body, headers={})
    assert answer.headers["Content-Type"].startswith("text/plain")
    return answer.status_code, answer.text


SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"channel": "#nowhere"}, "channel_not_found"),
        ({"channel": "old"}, "is_archived"),
        ({"channel": "private"}, "not_in_channel"),
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"blocks": [SECTION] * 51}, "invalid_blocks"),
        ({"blocks": [{"text": "no type"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
            "invalid_blocks",
        ),
        ({"blocks": "x"}, "invalid_arguments"),
    ],
)
def test_a_wrong_message_is_a_200_that_says_no(
    sandbox: Sandbox, slack: Slack, fields: dict[str, Any], error: str
) -> None:
    slack.add_channel("old", archived=True)
    slack.add_channel("private", member=False)
    answer = post(sandbox, **fields)
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})
    assert slack.counts() == {"slack.message": 0}


@pytest.mark.parametrize(
    ("headers", "error"),
    [({}, "not_authed"), ({"Authorization": "Bearer old"}, "invalid_auth")],
)
def test_a_wrong_token_is_a_200_that_says_no(
    sandbox: Sandbox, headers: dict[str, str], error: str
) -> None:
    assert call(sandbox, "/api/auth.test", headers=headers).json()["error"] == error


def test_what_is_not_json_is_a_200_that_says_no(sandbox: Sandbox) -> None:
    headers = {**TOKEN, "Content-Type": "application/json"}
    for body, error in ((b"{", "invalid_json"), (b"[]", "json_not_object")):
        answer = call(sandbox, "/api/chat.postMessage", data=body, headers=headers)
        assert answer.json()["error"] == error
    assert call(sandbox, "/api/nonsense", {}).json()["error"] == "unknown_method"


def test_messages_are_kept_by_channel_and_thread(sandbox: Sandbox, slack: Slack) -> None:
    first = post(sandbox, blocks=[SECTION]).json()
    second = post(sandbox, channel=first["channel"], thread_ts=first["ts"]).json()
    assert (first["ok"], second["ok"]) == (True, True)
    assert first["ts"] != second["ts"]
    messages = slack.messages()
    assert [message["channel"] for message in messages] == ["retention", "retention"]
    assert messages[1]["thread_ts"] == first["ts"]


def test_a_form_is_understood_too(sandbox: Sandbox, slack: Slack) -> None:
    form = {"channel": "nps", "text": "t", "blocks": '[{"type": "divider"}]'}
    assert call(sandbox, "/api/chat.postMessage", data=form).json()["ok"] is True
    assert slack.messages()[0]["blocks"] == [{"type": "divider"}]
    wrong = call(sandbox, "/api/chat.postMessage", data={**form, "blocks": "["})
    assert wrong.json()["error"] == "invalid_blocks_format"


def test_the_token_and_the_channels_can_be_looked_at(sandbox: Sandbox) -> None:
    assert call(sandbox, "/api/auth.test").json()["ok"] is True
    url = f"{sandbox.urls['slack']}/api/conversations.list"
    channels = requests.get(url, headers=TOKEN, timeout=5).json()["channels"]
    assert "retention" in [channel["name"] for channel in channels]


def test_a_webhook_answers_in_plain_text(sandbox: Sandbox, slack: Slack) -> None:
    assert hook(sandbox, {"text": "hello"}) == (200, "ok")
    assert hook(sandbox, {}) == (400, "invalid_payload")
    assert hook(sandbox, []) == (400, "invalid_payload")
    assert hook(sandbox, {"text": "x"}, "/services/T1/B1/old") == (404, "no_service")
    slack.state["channels"][0]["is_archived"] = True
    assert hook(sandbox, {"text": "x"}) == (410, "channel_is_archived")
    assert slack.counts() == {"slack.message": 1}


def test_a_webhook_that_is_not_json_is_refused(sandbox: Sandbox) -> None:
    answer = call(sandbox, WEBHOOK_PATH, data=b"{", headers={})
    assert (answer.status_code, answer.text) == (400, "invalid_payload")


def test_one_message_a_second_per_channel_once_switched_on(sandbox: Sandbox, slack: Slack) -> None:
    assert [post(sandbox).status_code for _ in range(2)] == [200, 200]
    slack.state["settings"]["limit_channels"] = True
    sandbox.clock.advance(2)
    assert post(sandbox).json()["ok"] is True
    limited = post(sandbox)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "1")
    assert limited.json()["error"] == "ratelimited"
    assert post(sandbox, channel="nps").json()["ok"] is True
    sandbox.clock.advance(1)
    assert post(sandbox).json()["ok"] is True
