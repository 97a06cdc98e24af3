"""A frozen request as a person reads it."""

from __future__ import annotations

import email
import email.policy
import json


def readable(request: bytes) -> str:
    """JSON indented; of a mail the headers and its text. Control characters are not shown."""
    text = request.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        pass
    message = email.message_from_bytes(request, policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    if not message.keys() or body is None:
        return printable(text)
    headers = "".join(f"{name}: {value}\n" for name, value in message.items())
    return printable(f"{headers}\n{body.get_content()}".strip())


def printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text.replace("\r\n", "\n"))
