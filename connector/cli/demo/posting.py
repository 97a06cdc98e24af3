"""Webhooks as their senders make them: signed over the raw bytes, posted over HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from connector.cli.demo.scenario import given_at
from connector.text import one_line

if TYPE_CHECKING:
    from connector.cli.demo.scenario import Answer, AppAnswer
    from connector.cli.demo.watching import Say

TIMEOUT_SECONDS = 10.0

Webhook = tuple[bytes, dict[str, str]]


@dataclass
class Poster:
    """Posts to one receiver. `posted` is called after each webhook."""

    url: str
    say: Say
    posted: Callable[[], None]
    refused: list[int] = field(default_factory=list)

    def post(self, source: str, webhook: Webhook, remark: str = "") -> None:
        """`remark` is told first, where a webhook is not just the next answer."""
        if remark:
            self.say("webhook", remark)
        body, headers = webhook
        url = f"{self.url}/hooks/{source}"
        with direct() as session:
            reply = session.post(url, data=body, headers=headers, timeout=TIMEOUT_SECONDS)
        if reply.status_code != 202:
            self.refused.append(reply.status_code)
            said = one_line(reply.text, 60)
            self.say("refused", f"{reply.status_code} at /hooks/{source}: {said}")
        self.posted()


def direct() -> requests.Session:
    """For this machine: no proxy that the environment names can know its ports."""
    session = requests.Session()
    session.trust_env = False
    return session


def typeform(number: int, answer: Answer, now: datetime, secret: str) -> Webhook:
    """https://www.typeform.com/developers/webhooks/example-payload/"""
    who = answer.who
    hidden = {"email": who.email, "name": who.name, "language": who.language} if who else {}
    answers: list[dict[str, Any]] = [
        {"type": "number", "number": answer.score, "field": {"id": "f1", "type": "opinion_scale"}}
    ]
    if answer.comment:
        kind = {"id": "f2", "type": "long_text"}
        answers.append({"type": "text", "text": answer.comment, "field": kind})
    content = {
        "event_id": f"demo-event-{number}",
        "event_type": "form_response",
        "form_response": {
            "form_id": "demoForm",
            "token": f"demo-token-{number}",
            "submitted_at": _zulu(given_at(answer.minutes_ago, now)),
            "hidden": hidden,
            "answers": answers,
        },
    }
    return signed_by_typeform(_json(content), secret)


def signed_by_typeform(body: bytes, secret: str) -> Webhook:
    """https://www.typeform.com/developers/webhooks/secure-your-webhooks/"""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return body, {"Typeform-Signature": "sha256=" + base64.b64encode(digest).decode()}


def from_app(sent: AppAnswer, now: datetime, secret: str) -> Webhook:
    """The shape that the source `app` of the shipped connector.yaml reads."""
    who = sent.answer.who
    content = {
        "survey": sent.survey,
        "answer": {
            "id": sent.id,
            "score": sent.answer.score,
            "comment": sent.answer.comment,
            "answered_at": _zulu(given_at(sent.answer.minutes_ago, now)),
        },
        "person": {"email": who.email, "name": who.name, "language": who.language} if who else {},
    }
    return signed_standard(_json(content), sent.id, now, secret)


def signed_standard(body: bytes, message: str, now: datetime, secret: str) -> Webhook:
    """https://github.com/standard-webhooks/standard-webhooks"""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp = str(int(now.timestamp()))
    digest = hmac.new(key, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
    return body, headers


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def _zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
