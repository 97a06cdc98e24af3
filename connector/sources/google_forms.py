"""Google Forms, API v1, read by a service account.

https://developers.google.com/workspace/forms/api/reference/rest/v1/forms.responses
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import quote

import requests
from pydantic import Field

from connector.domain import Finding, Note, Pulled, Response, Value
from connector.errors import ConnectorError, TryLater, Unreadable
from connector.ports import Duration, FileRow, Secret, SourceSettings
from connector.sources import asking, reading
from connector.sources.archives import saved_rows
from connector.sources.form_answers import from_record, from_row
from connector.sources.form_questions import Chosen, Question, Wanted, choose, questions_of
from connector.sources.overlap import MOST_MARKS, Overlap, time_of
from connector.sources.service_account import ServiceAccount
from connector.sources.signatures import Closed
from connector.text import one_line

URL = "https://forms.googleapis.com/v1/forms/"
SCOPES = (
    "https://www.googleapis.com/auth/forms.body.readonly",
    "https://www.googleapis.com/auth/forms.responses.readonly",
)
PAGE_SIZE = 1000
OVERLAP = timedelta(minutes=10)

CURES = {
    401: "Google does not accept its own token any more: make a new key for the service account",
    403: (
        "Google refuses this form: share it with the service account (client_email in its key) "
        "as an editor, and switch on the Google Forms API in the project of the key"
    ),
    404: "Google has no such form: form_id is the part of its edit address between /d/ and /edit",
}


class GoogleFormsSettings(SourceSettings):
    """One form. Questions are named by their id; `connector doctor` lists them."""

    form_id: str
    service_account: Secret = Field(description="the JSON key of a service account, as text")
    subject: str | None = Field(
        None, description="the user to act for, with domain-wide delegation; else share the form"
    )
    score_question: str | None = None
    comment_question: str | None = None
    email_question: str | None = None
    external_id_question: str | None = Field(
        None, description="a prefilled question that holds your own id of the customer"
    )
    full_list_every: Duration = Field(
        timedelta(days=1),
        description="how often everything is listed, to find edits that the time filter misses",
    )

    def wanted(self) -> Wanted:
        return Wanted(**{name: getattr(self, name) for name in Wanted.model_fields})


class _Place(Value):
    """Where a poll stands; times in nanoseconds, as Google's are longer than microseconds."""

    questions: tuple[Question, ...] = ()
    chosen: Chosen | None = None
    newest: int = 0
    listed_at: int | None = None
    overlap: Overlap = Overlap()


class GoogleForms:
    Settings: ClassVar[type[SourceSettings]] = GoogleFormsSettings
    type: ClassVar[str] = "google_forms"

    def __init__(self, settings: GoogleFormsSettings, session: requests.Session) -> None:
        self._settings = settings
        self._session = session
        self._url = URL + quote(settings.form_id, safe="")
        self._account = ServiceAccount(
            settings.service_account.get_secret_value(), SCOPES, settings.subject, session
        )

    def verify(self, note: Note, now: datetime) -> bool:
        """Google pushes no answers, only hints by Pub/Sub: nothing is taken in by webhook."""
        return Closed().accepts(note, now)

    def split(self, note: Note) -> Sequence[bytes]:
        """A saved reply of the API is one record for each of its responses."""
        body = reading.read_json(note.body)
        if isinstance(body, dict) and "responses" in body:
            return tuple(map(reading.as_record, reading.as_list(body["responses"], "responses")))
        return reading.split_list(note.body)

    def rows(self, data: bytes) -> Iterator[FileRow]:
        """Saved replies of `responses.list`; the settings then have to name the questions."""
        return saved_rows(data, list_name="responses")

    def parse(self, note: Note) -> Response | None:
        record = reading.read_object(note.body)
        if "response" in record:
            return from_record(record, self._settings.form_id)
        wanted = self._settings.wanted()
        if not wanted.score_question:
            raise Unreadable(
                "questions: a saved list does not tell them apart; "
                "write score_question (and comment_question) of this source"
            )
        chosen = Chosen(
            score=wanted.score_question,
            comment=wanted.comment_question,
            email=wanted.email_question,
            external_id=wanted.external_id_question,
        )
        return from_row(record, self._settings.form_id, chosen, {})

    def pull(self, cursor: str | None, now: datetime) -> Iterator[Pulled]:
        """What was submitted since shortly before the newest answer; now and then everything.

        The list has no order, so the cursor moves only when its last page is read. A list that was
        stopped begins again; of a very long one, answers are handed on once more.
        """
        place = asking.place_of(cursor, _Place)
        moment = reading.to_nanoseconds(now)
        every = int(self._settings.full_list_every.total_seconds()) * 10**9
        in_full = (
            place.listed_at is None
            or moment - place.listed_at >= every
            or len(place.overlap.seen) > MOST_MARKS
        )
        if in_full or place.chosen is None:
            place = self._looked_up(place, now)
        looked_up, read = in_full, dict[str, int]()
        overlap = int(OVERLAP.total_seconds()) * 10**9
        since = None if in_full else max(0, place.newest - overlap)
        for rows, more in self._pages(since, now):
            news = []
            for row in rows:
                mark, at = reading.digest(row), _submitted(row, moment)
                if mark in read or not place.overlap.is_news(at, mark):
                    read[mark] = at
                    continue
                read[mark] = at
                if not looked_up and not _asked(row) <= {q.id for q in place.questions}:
                    place, looked_up = self._looked_up(place, now), True
                news.append(self._record(row, place))
            after = (
                _halfway(place, read) if more else _ended(place, read, moment if in_full else None)
            )
            yield Pulled(records=tuple(news), cursor=after.model_dump_json(), more=more)

    def _record(self, row: Any, place: _Place) -> bytes:
        titles = {q.id: q.title for q in place.questions if q.id in _asked(row)}
        questions = place.chosen.model_dump() if place.chosen else {}
        return reading.as_record({"response": row, "questions": questions, "titles": titles})

    def _looked_up(self, place: _Place, now: datetime) -> _Place:
        """With the questions of the form as they are now."""
        questions = questions_of(reading.as_object(self._ask("", {}, now), "form"))
        chosen = choose(questions, self._settings.wanted(), place.chosen)
        return place.model_copy(update={"questions": tuple(questions), "chosen": chosen})

    def _pages(self, since: int | None, now: datetime) -> Iterator[tuple[list[Any], bool]]:
        query: dict[str, str | int] = {"pageSize": PAGE_SIZE}
        if since is not None:
            query["filter"] = f"timestamp >= {reading.write_nanoseconds(since)}"
        token, more = "", True
        while more:
            reply = self._ask("/responses", {**query, "pageToken": token} if token else query, now)
            found = reply if isinstance(reply, dict) else {}
            rows, before = found.get("responses") or [], token
            token = str(found.get("nextPageToken") or "")
            if token and token == before:
                raise TryLater("Google repeats the same page of answers")
            more = bool(token)
            yield rows, more

    def _ask(self, path: str, query: asking.Query, now: datetime) -> Any:
        response = self._get(path, query, self._account.bearer(now))
        if response.status_code == 401:  # revoked before its time, or this computer's clock moved
            response = self._get(path, query, self._account.bearer(now, renew=True))
        return asking.answer(response, "Google Forms", CURES)

    def _get(self, path: str, query: asking.Query, bearer: str) -> requests.Response:
        return asking.get(self._session, self._url + path, query, Authorization=bearer)

    def check(self, now: datetime) -> Sequence[Finding]:
        subject = f"Google form {one_line(self._settings.form_id, 60)}"
        try:
            form = reading.as_object(self._ask("", {}, now), "form")
            self._ask("/responses", {"pageSize": 1}, now)
            questions = questions_of(form)
            chosen = choose(questions, self._settings.wanted())
        except ConnectorError as error:
            return [Finding(ok=False, subject=subject, message=str(error))]
        titles = {question.id: str(question) for question in questions}
        comment = f"the comment {titles[chosen.comment]}" if chosen.comment else "no comment"
        message = f"the score is {titles[chosen.score]}, with {comment}"
        return [Finding(ok=True, subject=subject, message=message), *_anonymous(form, subject)]


def _anonymous(form: dict[str, Any], subject: str) -> Iterator[Finding]:
    settings = reading.as_object(form.get("settings"), "settings")
    if settings.get("emailCollectionType") == "DO_NOT_COLLECT":
        yield Finding(
            ok=True,
            subject=subject,
            message="the form collects no e-mail addresses: its answers are anonymous",
            cure="collect them in the form's settings, or name an email_question",
        )


def _halfway(place: _Place, read: Mapping[str, int]) -> _Place:
    """The place after a page that is not the last: the same, but it remembers what was handed on,
    as far as a cursor can hold it."""
    floor = place.overlap.floor or 0
    marks = islice((mark for mark, at in read.items() if at > floor), MOST_MARKS)
    return place.model_copy(update={"overlap": place.overlap.seeing(marks)})


def _ended(place: _Place, read: Mapping[str, int], listed_at: int | None) -> _Place:
    """The place after the last page. Only a full list tells which answers are settled."""
    newest = max([place.newest, *read.values()])
    if listed_at is None:
        return place.model_copy(update={"newest": newest, "overlap": place.overlap.seeing(read)})
    overlap = place.overlap.moved(read, OVERLAP)
    return place.model_copy(update={"newest": newest, "listed_at": listed_at, "overlap": overlap})


def _submitted(row: Any, now: int) -> int:
    found = row if isinstance(row, dict) else {}
    return time_of(found.get("lastSubmittedTime") or found.get("createTime"), now)


def _asked(row: Any) -> set[str]:
    """The ids of the questions that a response answers."""
    answers = row.get("answers") if isinstance(row, dict) else None
    return set(answers) if isinstance(answers, dict) else set()
