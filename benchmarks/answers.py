"""Signed survey answers as a sender of webhooks posts them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import UTC, datetime

SECRET = "whsec_" + base64.b64encode(b"a benchmark secret of 32 bytes!!").decode()
_KEY = base64.b64decode(SECRET.removeprefix("whsec_"))


class Answers:
    """An endless stream of answers, no two alike; `comment` is the running number."""

    def __init__(self, host: str, port: int) -> None:
        self._run = uuid.uuid4().hex[:8]
        self._head = (
            f"POST /hooks/app HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        )
        self.made = 0

    def request(self) -> bytes:
        number, self.made = self.made, self.made + 1
        body = json.dumps(
            {
                "id": f"{self._run}-{number}",
                "score": number % 11,
                "comment": str(number),
                "at": datetime.now(UTC).isoformat(),
                "email": f"person-{self._run}-{number}@example.com",
                "name": f"Person {number}",
            }
        ).encode()
        stamp = str(int(time.time()))
        digest = hmac.new(_KEY, f"m{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
        head = (
            f"{self._head}webhook-id: m{number}\r\nwebhook-timestamp: {stamp}\r\n"
            f"webhook-signature: v1,{base64.b64encode(digest).decode()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
