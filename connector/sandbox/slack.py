"""The Slack stand-in: chat.postMessage and incoming webhooks.

https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
from typing import Any

from connector.sandbox.core import Call, Clock, Refusal, Reply, Route, Vendor
from connector.sandbox.credentials import SECRETS

Row = dict[str, Any]

WEBHOOK_PATH = "/services/T00000001/B00000001/sandboxhook"
MOST_TEXT = 40_000
MOST_BLOCKS = 50
MOST_SECTION_TEXT = 3000
_TEXT = {"content-type": "text/plain; charset=utf-8"}


class Slack(Vendor):
    """`settings.limit_channels`: whether one message a second per channel is the limit."""

    name = "slack"

    def __init__(self, clock: Clock, state: Row) -> None:
        super().__init__(clock, state or _seeds())

    def routes(self) -> list[Route]:
        return [
            ("POST", "/api/chat.postMessage", self._post),
            ("POST", "/api/auth.test", self._test),
            ("GET", "/api/auth.test", self._test),
            ("GET", "/api/conversations.list", self._channels),
            ("POST", "/services/{team}/{bot}/{secret}", self._webhook),
        ]

    def counts(self) -> dict[str, int]:
        return {"slack.message": len(self.state["messages"])}

    def guard(self, call: Call) -> None:
        if not call.path.startswith("/api/"):
            return
        given = call.headers.get("authorization")
        if given is None:
            raise _not_ok("not_authed")
        if given != f"Bearer {self.state['settings']['token']}":
            raise _not_ok("invalid_auth")

    def malformed(self, call: Call) -> Reply:
        if call.path.startswith("/services/"):
            return Reply(400, "invalid_payload", _TEXT)
        return _not_ok("invalid_json").reply

    def unknown(self, call: Call) -> Reply:
        return _not_ok("unknown_method").reply

    def messages(self) -> list[Row]:
        """All messages, oldest first: `channel` (its name), `text`, `blocks`, `thread_ts`, `ts`."""
        with self.lock:
            return list(self.state["messages"])

    def add_channel(self, name: str, archived: bool = False, member: bool = True) -> None:
        with self.changing():
            number = f"C{len(self.state['channels']) + 1:08}"
            channel = {"id": number, "name": name, "is_archived": archived, "is_member": member}
            self.state["channels"].append(channel)

    def _test(self, call: Call) -> Reply:
        return Reply(200, {"ok": True, "team": "Sandbox", "user": "connector", "user_id": "U1"})

    def _channels(self, call: Call) -> Reply:
        paging = {"response_metadata": {"next_cursor": ""}}
        return Reply(200, {"ok": True, "channels": self.state["channels"], **paging})

    def _post(self, call: Call) -> Reply:
        sent = _body(call)
        channel = self._channel(str(sent.get("channel", "")))
        if channel is None:
            raise _not_ok("channel_not_found")
        if channel["is_archived"]:
            raise _not_ok("is_archived")
        if not channel["is_member"]:
            raise _not_ok("not_in_channel")
        if (error := _fault_of(sent)) is not None:
            raise _not_ok(error)
        self._limit(channel)
        message = self._keep(channel, sent)
        shown = {"type": "message", "text": message["text"], "ts": message["ts"]}
        return Reply(
            200, {"ok": True, "channel": channel["id"], "ts": message["ts"], "message": shown}
        )

    def _webhook(self, call: Call) -> Reply:
        """Answers in plain text; the webhook itself decides the channel."""
        if call.path != WEBHOOK_PATH:
            return Reply(404, "no_service", _TEXT)
        sent = call.json()
        if not isinstance(sent, dict) or _fault_of(sent) is not None:
            return Reply(400, "invalid_payload", _TEXT)
        channel = self.state["channels"][0]
        if channel["is_archived"]:
            return Reply(410, "channel_is_archived", _TEXT)
        self._limit(channel)
        self._keep(channel, sent)
        return Reply(200, "ok", _TEXT)

    def _channel(self, wanted: str) -> Row | None:
        """By id, or by name with or without #."""
        channels: list[Row] = self.state["channels"]
        name = wanted.removeprefix("#")
        return next((c for c in channels if wanted == c["id"] or name == c["name"]), None)

    def _limit(self, channel: Row) -> None:
        now = self.clock.timestamp()
        last = self.state["last_message_at"].get(channel["id"])
        if self.state["settings"]["limit_channels"] and last is not None and now - last < 1:
            raise Refusal(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "1"})
        self.state["last_message_at"][channel["id"]] = now

    def _keep(self, channel: Row, sent: Row) -> Row:
        number = len(self.state["messages"])
        message = {
            "channel": channel["name"],
            "text": sent.get("text", ""),
            "blocks": sent.get("blocks", []),
            "thread_ts": sent.get("thread_ts"),
            "ts": f"{int(self.clock.timestamp())}.{number:06}",
        }
        self.state["messages"].append(message)
        return message


def _seeds() -> Row:
    names = ("cx-alerts", "retention", "nps", "wins")
    return {
        "settings": {"token": SECRETS["SLACK_BOT_TOKEN"], "limit_channels": False},
        "channels": [
            {"id": f"C{i:08}", "name": name, "is_archived": False, "is_member": True}
            for i, name in enumerate(names, start=1)
        ],
        "messages": [],
        "last_message_at": {},
    }


def _body(call: Call) -> Row:
    """JSON, or a form whose `blocks` are JSON."""
    if call.headers.get("content-type", "").startswith("application/json"):
        sent = call.json()
        if not isinstance(sent, dict):
            raise _not_ok("json_not_object")
        return sent
    form: Row = dict(call.form())
    if "blocks" in form:
        try:
            form["blocks"] = json.loads(form["blocks"])
        except ValueError:
            raise _not_ok("invalid_blocks_format") from None
    return form


def _fault_of(sent: Row) -> str | None:
    """Slack's word for what is wrong with the message."""
    text, blocks = sent.get("text", ""), sent.get("blocks", [])
    if not isinstance(text, str) or not isinstance(blocks, list):
        return "invalid_arguments"
    if not text and not blocks:
        return "no_text"
    if len(text) > MOST_TEXT:
        return "msg_too_long"
    if len(blocks) > MOST_BLOCKS or not all(_fits(block) for block in blocks):
        return "invalid_blocks"
    return None


def _fits(block: Any) -> bool:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    text = block.get("text")
    if block["type"] != "section":
        return True
    if not isinstance(text, dict):
        return "fields" in block
    return isinstance(text.get("text"), str) and 0 < len(text["text"]) <= MOST_SECTION_TEXT


def _not_ok(error: str) -> Refusal:
    """Slack's errors have the status 200."""
    return Refusal(200, {"ok": False, "error": error})
