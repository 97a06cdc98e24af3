"""Delighted, REST API v1 and its webhooks. The service ended on 30 June 2026; archives live on.

https://delighted.com/docs/api
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

import requests
from pydantic import Field

from connector.domain import Finding, Note, Pulled, Respondent, Response, Value
from connector.errors import ConnectorError, Refused, TryLater
from connector.ports import FileRow, SourceSettings
from connector.sources import asking, reading
from connector.sources.archives import saved_rows
from connector.sources.overlap import Overlap, time_of
from connector.sources.signatures import BodyHmac, Secrets, revealed
from connector.sources.values import read_link
from connector.text import clean_email, clean_phone

URL = "https://api.delighted.com/v1/survey_responses.json"
PER_PAGE = 100
FEWEST_PER_PAGE = 20  # the vendor's own default: whatever it makes of our wish, less is the end
SECOND = 10**9  # nanoseconds
# The newest seconds are left for the next poll: an answer may still be on its way to the list.
SETTLE_SECONDS = 5
OVERLAP = timedelta(minutes=10)
OVERLAP_NANOSECONDS = int(OVERLAP.total_seconds()) * SECOND
MOST_PAGES_OF_A_SECOND = 1000

CURES = {
    401: "Delighted refuses the API key: copy it again from Delighted under Settings, API",
    403: "Delighted refuses the API to this project: its plan does not include it",
    410: (
        "Delighted has ended its service (30 June 2026) and answers 410; answers that were saved "
        "before can still come in: connector import, here for JSON of the API, or into a source "
        "of type csv"
    ),
}


class DelightedSettings(SourceSettings):
    """One Delighted project: each has its own API key."""

    api_key: Secrets = Field(
        description="the first one calls the API, each one proves the origin of webhooks"
    )
    external_id_property: str = Field(
        "customer_id", description="the property that holds your own id of the customer"
    )


class _Place(Value):
    """Where a poll stands. Of the reading of history: when it began, and how far it has come, in
    unix seconds."""

    reading_history: bool = True
    began: int | None = None
    since: int | None = None
    overlap: Overlap = Overlap()


class _Lane(NamedTuple):
    """One order in which the list can be read, and the parameters of its window."""

    order: str
    since: str
    until: str
    field: str


_CREATED = _Lane("asc", "since", "until", "created_at")
_UPDATED = _Lane("asc:updated_at", "updated_since", "updated_until", "updated_at")


class Delighted:
    Settings: ClassVar[type[SourceSettings]] = DelightedSettings
    type: ClassVar[str] = "delighted"

    def __init__(self, settings: DelightedSettings, session: requests.Session) -> None:
        self._settings = settings
        self._session = session
        self._keys = revealed(settings.api_key)
        self._signature = BodyHmac(
            self._keys, "X-Delighted-Webhook-Signature", encoding="hex", prefix="sha256="
        )

    def verify(self, note: Note, now: datetime) -> bool:
        return self._signature.accepts(note, now)

    def split(self, note: Note) -> Sequence[bytes]:
        """A webhook is one record; a saved list of the API is one for each row."""
        return reading.split_list(note.body)

    def rows(self, data: bytes) -> Iterator[FileRow]:
        """An archive: replies of the API that were saved before the service ended."""
        return saved_rows(data)

    def parse(self, note: Note) -> Response | None:
        row = reading.read_object(note.body)
        if "event_type" in row:
            if not str(row["event_type"]).startswith("survey_response."):
                return None
            row = reading.as_object(row.get("event_data"), "event_data")
        return self._response(row)

    def _response(self, row: dict[str, Any]) -> Response:
        # Without `expand[]=person` the person is only an id, which says nothing to anybody else.
        expanded = row.get("person") if isinstance(row.get("person"), dict) else None
        person = reading.as_object(expanded, "person")
        sent = reading.as_object(row.get("person_properties"), "person_properties")
        own_id = reading.as_text(sent.get(self._settings.external_id_property), "external id")
        created_at = reading.read_time(row.get("created_at"), "UTC", "created_at")
        revised_at = reading.read_time(row.get("updated_at"), "UTC", "updated_at")
        score = reading.whole_score(row.get("score"), "score")
        tags = reading.as_list(row.get("tags"), "tags")
        return Response(
            record=reading.as_id(row.get("id"), "id"),
            survey_ref=reading.as_text(row.get("survey_type"), "survey_type"),
            score=score,
            comment=reading.as_text(row.get("comment"), "comment"),
            respondent=Respondent(
                email=clean_email(reading.as_text(person.get("email"), "person.email")),
                phone=clean_phone(reading.as_text(person.get("phone_number"), "phone_number")),
                external_id=own_id.strip() or None,
                name=reading.as_text(person.get("name"), "person.name").strip() or None,
            ),
            answered_at=created_at,
            revised_at=revised_at or created_at,
            complete=score is not None,
            properties=reading.as_scalars({**_additional(row), **sent}),
            tags=tuple(reading.as_text(tag, "tags") for tag in tags),
            link=read_link(reading.as_text(row.get("permalink"), "permalink")),
        )

    def pull(self, cursor: str | None, now: datetime) -> Iterator[Pulled]:
        """At first all answers in the order of their creation, which no revision disturbs; from
        the next poll on whatever was created or revised, a little of it twice."""
        place = asking.place_of(cursor, _Place)
        until = int(now.timestamp()) - SETTLE_SECONDS
        if place.reading_history:
            yield from self._history(place, until)
        else:
            yield from self._updates(place, until)

    def _history(self, place: _Place, until: int) -> Iterator[Pulled]:
        # What is revised while this goes on is found by the poll after it: it looks back to here.
        began = place.began or until
        newest, kept = 0, dict[str, tuple[int, int]]()
        for rows, since, more in self._walk(_CREATED, place.since, until):
            news = []
            for row in rows:
                mark, changed = reading.digest(row), _changed(row, until)
                if mark not in place.overlap.seen and mark not in kept:
                    news.append(reading.as_record(row))
                kept[mark] = (_created(row, until), changed)
                newest = max(newest, changed)
            floor = min(newest or began * SECOND, began * SECOND) - OVERLAP_NANOSECONDS
            floor = max(floor, place.overlap.floor or 0)
            kept = {
                mark: (created, changed)
                for mark, (created, changed) in kept.items()
                if changed > floor or created >= (since or 0) * SECOND
            }
            after = _Place(
                began=began,
                since=since,
                reading_history=more,
                overlap=Overlap(floor=floor, seen=place.overlap.seen.union(kept)),
            )
            yield Pulled(records=tuple(news), cursor=after.model_dump_json(), more=more)

    def _updates(self, place: _Place, until: int) -> Iterator[Pulled]:
        overlap, read = place.overlap, dict[str, int]()
        for rows, _, more in self._walk(_UPDATED, (overlap.floor or 0) // SECOND, until):
            news = []
            for row in rows:
                mark, at = reading.digest(row), _changed(row, until)
                if mark not in read and overlap.is_news(at, mark):
                    news.append(reading.as_record(row))
                read[mark] = at
            reached = overlap.seeing(read) if more else overlap.moved(read, OVERLAP)
            after = _Place(reading_history=False, overlap=reached)
            yield Pulled(records=tuple(news), cursor=after.model_dump_json(), more=more)

    def _walk(
        self, lane: _Lane, since: int | None, until: int
    ) -> Iterator[tuple[list[Any], int | None, bool]]:
        """Pages of rows, oldest first, the second that was reached, and whether more can follow.

        Rows that are changed or deleted meanwhile would shift numbered pages. So each page starts
        at the second where the last one ended, by number only within one second, and the window
        ends at a moment fixed beforehand.
        """
        page = 1
        while page <= MOST_PAGES_OF_A_SECOND:
            query: dict[str, str | int] = {
                "per_page": PER_PAGE,
                "page": page,
                "order": lane.order,
                lane.until: until,
                "expand[]": "person",
            }
            rows = self._rows(query if since is None else {**query, lane.since: since})
            reached = _last_second(rows, lane.field)
            if reached is not None and reached > (since or 0):
                since, page = reached, 1
            else:
                page += 1
            yield rows, since, len(rows) >= FEWEST_PER_PAGE
            if len(rows) < FEWEST_PER_PAGE:
                return
        raise Refused("Delighted repeats the same page of answers without an end")

    def _rows(self, query: asking.Query) -> list[Any]:
        key = self._keys[0] if self._keys else ""
        response = asking.get(self._session, URL, query, auth=(key, ""))
        return _list(asking.answer(response, "Delighted", CURES))

    def check(self, now: datetime) -> Sequence[Finding]:
        try:
            self._rows({"per_page": 1})
        except ConnectorError as error:
            return [Finding(ok=False, subject="Delighted", message=str(error))]
        return [Finding(ok=True, subject="Delighted", message="the API key reads the answers")]


def _list(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise TryLater("Delighted answered something that is not a list of answers")
    return found


def _created(row: Any, until: int) -> int:
    return time_of(row.get("created_at") if isinstance(row, dict) else None, until * SECOND)


def _changed(row: Any, until: int) -> int:
    revised = row.get("updated_at") if isinstance(row, dict) else None
    return _created(row, until) if revised is None else time_of(revised, until * SECOND)


def _last_second(rows: list[Any], field: str) -> int | None:
    """The second where a page ends; None when its rows are in no order that we understand, as
    when the vendor puts those without `updated_at` at one end."""
    fields = [row if isinstance(row, dict) else {} for row in rows]
    seconds = [row.get("created_at") if row.get(field) is None else row[field] for row in fields]
    known = [second for second in seconds if isinstance(second, int)]
    return known[-1] if known and len(known) == len(rows) and known == sorted(known) else None


def _additional(row: dict[str, Any]) -> dict[str, Any]:
    """Answers to further questions under the text of the question."""
    found: dict[str, Any] = {}
    for entry in reading.as_list(row.get("additional_answers"), "additional_answers"):
        answer = reading.as_object(entry, "additional_answers")
        question = reading.as_object(answer.get("question"), "question")
        value = reading.as_object(answer.get("value"), "value").get(str(question.get("type")))
        name = reading.as_text(question.get("text") or question.get("id"), "question.text")
        found[name] = _chosen(value)
    return found


def _chosen(value: Any) -> Any:
    if isinstance(value, list):
        return [_chosen(one) for one in value]
    return value.get("text") if isinstance(value, dict) else value
