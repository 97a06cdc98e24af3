"""What a Delighted project holds and what happens in it: answers, revisions, webhooks.

The API over it is in `api.py`.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Final

from connector.sandbox.core import Clock, Vendor
from connector.sandbox.credentials import SECRETS

Row = dict[str, Any]

EVENTS = ("survey_response.created", "survey_response.updated", "unsubscribe.created")
COLUMNS: dict[str, Any] = {"survey_type": "nps", "notes": [], "tags": [], "additional_answers": []}


class _Keep(Enum):
    """The default of `revise`: None is a value there (a comment that was taken back)."""

    KEEP = "keep"


KEEP: Final = _Keep.KEEP


class DelightedProject(Vendor):
    name: ClassVar[str] = "delighted"

    def __init__(self, clock: Clock, state: dict[str, Any]) -> None:
        super().__init__(clock, state)
        state.setdefault("responses", {})  # id -> row, in the order of seeding; person is an id
        state.setdefault("revised", {})  # id -> {"first": the row as first given, "times": n}
        state.setdefault("people", {})  # id -> person, in the order of seeding
        state.setdefault("person_of_email", {})
        state.setdefault("last_response_id", 9_000_000)
        state.setdefault("last_person_id", 7_000_000)
        state.setdefault("gone", False)
        state.setdefault("bucket", None)

    def add_response(
        self,
        score: int | None,
        *,
        comment: str | None = None,
        email: str | None = None,
        name: str | None = None,
        phone: str | None = None,
        properties: Mapping[str, Any] | None = None,
        at: datetime | None = None,
        id: str | None = None,
        **columns: Any,
    ) -> Row:
        """A person answers. Returns the row as the list shows it with `expand[]=person`.

        The same e-mail is the same person; without one the person is new. `columns`: any of
        `COLUMNS`, as JSON. Raises ValueError for an id that is taken and for an unknown column.
        """
        if unknown := set(columns) - set(COLUMNS):
            raise ValueError(f"a response has no {', '.join(sorted(unknown))}")
        with self.changing():
            if id is None:
                self.state["last_response_id"] += 1
                id = str(self.state["last_response_id"])
            if id in self.state["responses"]:
                raise ValueError(f"there is a response {id} already")
            seconds = self._seconds(at)
            self.state["responses"][id] = {
                "id": id,
                "person": self._person(email, name, phone, seconds),
                "score": score,
                "comment": comment,
                "permalink": f"https://app.delighted.com/r/{id}",
                "created_at": seconds,
                "updated_at": None,
                "person_properties": None if properties is None else dict(properties),
                **copy.deepcopy({**COLUMNS, **columns}),
            }
            return self.shown(self.state["responses"][id], expand_person=True)

    def revise(
        self,
        id: str,
        *,
        comment: str | _Keep | None = KEEP,
        score: int | _Keep | None = KEEP,
        properties: Mapping[str, Any] | _Keep | None = KEEP,
        tags: Iterable[str] | _Keep = KEEP,
        at: datetime | None = None,
    ) -> Row:
        """Change an answer, as a respondent does who adds the comment after the score.

        Sets `updated_at`; the row keeps its place in creation order and moves in update order.
        Raises KeyError for an unknown id.
        """
        with self.changing():
            row = self.state["responses"][id]
            revised = self.state["revised"].setdefault(
                id, {"first": copy.deepcopy(row), "times": 0}
            )
            revised["times"] += 1
            if comment is not KEEP:
                row["comment"] = comment
            if score is not KEEP:
                row["score"] = score
            if properties is not KEEP:
                row["person_properties"] = None if properties is None else dict(properties)
            if tags is not KEEP:
                row["tags"] = list(tags)
            row["updated_at"] = self._seconds(at)
            return self.shown(row, expand_person=True)

    def delete_person(self, email: str) -> None:
        """Erase a person and every answer of theirs; the lists close up without a trace.

        Raises KeyError for an unknown e-mail.
        """
        with self.changing():
            person_id = self.state["person_of_email"].pop(email.casefold())
            del self.state["people"][person_id]
            for id, row in list(self.state["responses"].items()):
                if row["person"] == person_id:
                    del self.state["responses"][id]
                    self.state["revised"].pop(id, None)

    def webhook(self, id: str, event: str) -> tuple[bytes, dict[str, str]]:
        """(body, headers) of the call that Delighted makes for an event of response `id`.

        `survey_response.created` shows the row as first given, which is before any later comment;
        `survey_response.updated` as it is now. Asking again gives the same bytes, as a redelivery
        does. Raises KeyError for an unknown id, ValueError for an event that did not happen.
        https://app.delighted.com/docs/api/webhooks
        """
        with self.lock:
            row, times = self.state["responses"][id], 0
            if event not in EVENTS:
                raise ValueError(f"unknown event {event!r}; there are {', '.join(EVENTS)}")
            if event == "survey_response.created" and id in self.state["revised"]:
                row = self.state["revised"][id]["first"]
            elif event == "survey_response.updated":
                if id not in self.state["revised"]:
                    raise ValueError(f"response {id} has not been revised")
                times = self.state["revised"][id]["times"]
            person = self.state["people"][row["person"]]
            short = {key: person[key] for key in ("id", "email", "name", "created_at")}
            data = {**row, "person": short}
            if event == "unsubscribe.created":
                data = {  # assumed to be a row of /unsubscribes.json
                    "person_id": person["id"],
                    "email": person["email"],
                    "name": person["name"],
                    "unsubscribed_at": row["created_at"],
                }
        event_id = hashlib.sha256(f"{event} {id} {times}".encode()).hexdigest()
        payload = {"event_type": event, "event_id": event_id, "event_data": data}
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        return body, {
            "Content-Type": "application/json",
            "X-Delighted-Webhook-Signature": sign(SECRETS["DELIGHTED_API_KEY"], body),
        }

    def _person(self, email: str | None, name: str | None, phone: str | None, seconds: int) -> str:
        """The id of the person with that e-mail, made when there is none."""
        person_id: str | None = None
        if email is not None:
            person_id = self.state["person_of_email"].get(email.casefold())
        if person_id is None:
            self.state["last_person_id"] += 1
            person_id = str(self.state["last_person_id"])
            self.state["people"][person_id] = {
                "id": person_id,
                "email": email,
                "name": None,
                "created_at": seconds,
                "phone_number": None,
                "last_sent_at": seconds,
                "last_responded_at": None,
                "next_survey_scheduled_at": None,
            }
            if email is not None:
                self.state["person_of_email"][email.casefold()] = person_id
        person = self.state["people"][person_id]
        person["name"] = name if name is not None else person["name"]
        person["phone_number"] = phone if phone is not None else person["phone_number"]
        person["last_responded_at"] = max(seconds, person["last_responded_at"] or 0)
        return person_id

    def _seconds(self, at: datetime | None) -> int:
        return int((at or self.clock.now()).timestamp())

    def shown(self, row: Row, *, expand_person: bool) -> Row:
        """A row as the API gives it: the person is an id, or the object when expanded."""
        shown = copy.deepcopy(row)
        if expand_person:
            shown["person"] = dict(self.state["people"][row["person"]])
        return shown


def sign(key: str, body: bytes) -> str:
    """The value of `X-Delighted-Webhook-Signature`: HMAC-SHA256 of the raw body, key = API key."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
