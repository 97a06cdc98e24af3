"""What a stage that stays up says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.cli.demo.staging import Stage

_COMMANDS = """\
  now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  body='{{"event_type": "form_response", "form_response": {{"token": "mine '$now'",
    "submitted_at": "'$now'", "hidden": {{"email": "you@example.com", "name": "You"}}, "answers": [
    {{"number": 2, "field": {{"type": "opinion_scale"}}}},
    {{"text": "I want a refund", "field": {{"type": "long_text"}}}}]}}}}'
  digest=$(printf %s "$body" | openssl dgst -sha256 -hmac '{secret}' -binary | base64)
  curl -H "Typeform-Signature: sha256=$digest" --data-raw "$body" {receiver}/hooks/typeform"""


def addresses(stage: Stage) -> str:
    """The stand-ins, one a line."""
    lines = [f"  {vendor:<11} {url}" for vendor, url in stage.sandbox.urls.items()]
    lines.append("  What was made at each: GET /_sandbox/counts, /_sandbox/state, /_sandbox/log")
    return "\n".join(lines)


def invitation(receiver: str, stage: Stage) -> str:
    """The receiver's address, the stand-ins', and how to post an answer of one's own."""
    secret = stage.sandbox.secrets["TYPEFORM_SECRET"]
    return f"""
Receiving on {receiver}/hooks/<source>. The stand-ins:
{addresses(stage)}

Post an answer of your own, signed as Typeform signs:

{_COMMANDS.format(secret=secret, receiver=receiver)}

Stop with Ctrl-C."""
