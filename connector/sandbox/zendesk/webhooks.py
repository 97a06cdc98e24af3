"""Zendesk's webhooks: signed calls to one address, at least once and in no certain order.

Assumed: the body of a trigger is `{"ticket_id": "…"}`, as our documentation tells people to write.
https://developer.zendesk.com/documentation/webhooks/
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

import requests

from connector.sandbox.zendesk.desk import Row

Mood = Literal["prompt", "doubled", "late", "lost"]
Sign = Callable[[bytes], dict[str, str]]

PATIENCE_SECONDS = 12  # Zendesk waits no longer for an answer
TRIES = 3


class Webhooks:
    """`prompt`: each call at once; `doubled`: twice; `late`: held until `deliver_late`; `lost`:
    never. A call that fails is tried again where Zendesk does so: 409, 429, 503, silence."""

    def __init__(self, state: Row) -> None:
        self._state = state

    def ring(self, ticket: Row, sign: Sign) -> None:
        webhook = self._state["webhook"]
        if not webhook["url"]:
            return
        body = json.dumps(_body(webhook["form"], ticket))
        match webhook["mood"]:
            case "late":
                self._state["unsent"].append(body)
            case "prompt":
                self._call(body, sign)
            case "doubled":
                self._call(body, sign)
                self._call(body, sign)

    def deliver_late(self, sign: Sign, newest_first: bool) -> int:
        held = list(self._state["unsent"])
        self._state["unsent"].clear()
        for body in reversed(held) if newest_first else held:
            self._call(body, sign)
        return len(held)

    def _call(self, body: str, sign: Sign) -> None:
        for _ in range(TRIES):
            status = self._try(body.encode(), sign)
            self._state["called"].append(status)
            if status not in (0, 409, 429, 503):
                return

    def _try(self, body: bytes, sign: Sign) -> int:
        """The status of the answer; 0 without one."""
        url = self._state["webhook"]["url"]
        try:
            answer = requests.post(url, data=body, headers=sign(body), timeout=PATIENCE_SECONDS)
        except requests.RequestException:
            return 0
        return answer.status_code


def _body(form: str, ticket: Row) -> Row:
    if form == "trigger":
        return {"ticket_id": str(ticket["id"])}
    return {
        "type": "zen:event-type:ticket.status_changed",
        "account_id": 12514403,
        "id": f"sandbox-{ticket['id']}-{ticket['updated_at']}",
        "time": ticket["updated_at"],
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{ticket['id']}",
        "detail": {
            "id": str(ticket["id"]),
            "external_id": ticket["external_id"],
            "status": ticket["status"].upper(),
            "updated_at": ticket["updated_at"],
        },
        "event": {"meta": {"sequence": {"id": "sandbox", "position": 1}}},
    }
