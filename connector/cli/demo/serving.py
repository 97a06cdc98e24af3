"""What a stage that stays up says about itself."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from connector.access import people

if TYPE_CHECKING:
    from datetime import datetime

    from connector.cli.demo.staging import Stage
    from connector.store import Store

USER = "demo"

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


def let_in(store: Store, now: datetime) -> str:
    """A user for whoever watches, with a password of this run; returns it."""
    password = secrets.token_urlsafe(12)
    people.add_user(store, USER, password, "admin", "demo", now)
    return password


def _one_that_waits(stage: Stage) -> int:
    """The number of the newest ticket that nobody has begun with."""
    tickets = stage.sandbox.zendesk.tickets()
    return int(max(one["id"] for one in tickets if one["status"] in ("new", "open")))


def invitation(receiver: str, stage: Stage, password: str) -> str:
    """The pages, the stand-ins, how to post an answer of one's own and how to be the agent."""
    secret = stage.sandbox.secrets["TYPEFORM_SECRET"]
    zendesk, ticket = stage.sandbox.urls["zendesk"], _one_that_waits(stage)
    return f"""
Look at {receiver}/today: name {USER}, password {password}

Receiving on {receiver}/hooks/<source>. The stand-ins:
{addresses(stage)}

Post an answer of your own, signed as Typeform signs:

{_COMMANDS.format(secret=secret, receiver=receiver)}

Be the agent who solves ticket {ticket}; the pages know it within seconds:

  curl --json '{{"do": "solve", "ticket_id": {ticket}}}' {zendesk}/_sandbox/hands

Stop with Ctrl-C."""
