"""Hotjar surveys, and Contentsquare Voice of Customer, which has the same API at another address.

https://help.hotjar.com/hc/en-us/articles/36820005914001
https://docs.contentsquare.com/en/api/responses/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, NamedTuple
from urllib.parse import quote

import requests
from pydantic import Field, field_validator

from connector.domain import Finding, Note, Pulled, Response, Value
from connector.errors import ConnectorError, TryLater
from connector.patience import patiently
from connector.ports import Secret, SourceSettings
from connector.sources import asking, reading
from connector.sources.hotjar_shapes import RATINGS, from_api, from_webhook
from connector.sources.overlap import MOST_MARKS, Overlap, time_of
from connector.sources.signatures import Check, Closed, SignatureSetting
from connector.text import one_line

PER_PAGE = 100
# A visitor may finish, and Hotjar may tag, an answer long after it appeared; nothing tells when.
OVERLAP = timedelta(hours=48)
FEWEST_MARKS = 100
TOKEN_MARGIN = timedelta(minutes=2)

KEY = (
    "Hotjar refuses the API key: keys end after one year and cannot be extended; "
    "let an administrator make a new one and set client_id and client_secret"
)
CURES = {
    401: "Hotjar does not accept its own token: see in its settings whether the key still exists",
    403: (
        "Hotjar refuses the survey answers: exporting them needs the Ask Scale plan "
        "(Contentsquare: Pro, and the API switched on for the project)"
    ),
    404: "Hotjar has no such site: site_id is the number in the address of its dashboard",
}


class _Api(NamedTuple):
    base: str
    surveys: str
    token_as_json: bool


_APIS = {
    "hotjar": _Api("https://api.hotjar.io/v1", "sites/{}/surveys", token_as_json=False),
    "contentsquare": _Api(
        "https://api.contentsquare.com/v1", "public/projects/{}/surveys", token_as_json=True
    ),
}


class HotjarSettings(SourceSettings):
    """One site. `base_url` leads to another host that speaks the same API."""

    site_id: str = Field(description="for Contentsquare the id of the project")
    client_id: str
    client_secret: Secret
    api: Literal["hotjar", "contentsquare"] = "hotjar"
    ignored_surveys: tuple[str, ...] = ()
    signature: SignatureSetting | None = Field(
        None, description="how a webhook proves itself; without it no webhook is taken in"
    )

    @field_validator("site_id", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value


class _Reading(Value):
    """How far one survey is read. `low` (nanoseconds) is how far down the first reading of its
    history has come; None when it has ended."""

    overlap: Overlap = Overlap()
    low: int | None = None

    def is_news(self, at: int, mark: str) -> bool:
        if self.low is None or self.overlap.floor is None:
            return self.overlap.is_news(at, mark)
        passed = self.low < at <= self.overlap.floor
        return not passed and mark not in self.overlap.seen

    def halfway(self, read: Mapping[str, int], oldest: int, most_marks: int) -> _Reading:
        """After a page that is not the last one; `read` holds mark -> time of all rows so far."""
        floor = self.overlap.floor
        low = oldest if self.low is None else min(self.low, oldest)
        edge = {mark for mark, at in read.items() if at == low}  # its moment may go on below
        if floor is None:
            overlap = self.overlap.moved(read, OVERLAP, most_marks)
            return _Reading(overlap=overlap.seeing(edge), low=low)
        marks = {mark for mark, at in read.items() if at > floor}
        overlap = self.overlap.seeing(marks | edge)
        return _Reading(overlap=overlap, low=None if self.low is None else low)


class _Place(Value):
    surveys: dict[str, _Reading] = {}


class Hotjar:
    Settings: ClassVar[type[SourceSettings]] = HotjarSettings
    type: ClassVar[str] = "hotjar"

    def __init__(self, settings: HotjarSettings, session: requests.Session) -> None:
        self._settings = settings
        self._session = session
        self._api = _APIS[settings.api]
        self._surveys_path = self._api.surveys.format(quote(settings.site_id, safe=""))
        self._token = ""
        self._token_until: datetime | None = None
        self._signature: Check = settings.signature.check() if settings.signature else Closed()

    def verify(self, note: Note, now: datetime) -> bool:
        return self._signature.accepts(note, now)

    def split(self, note: Note) -> Sequence[bytes]:
        return reading.split_list(note.body)

    def parse(self, note: Note) -> Response | None:
        record = reading.read_object(note.body)
        if "event" not in record:
            return from_api(record)
        if record["event"] != "survey_response":
            return None
        return from_webhook(reading.as_object(record.get("data"), "data"))

    def pull(self, cursor: str | None, now: datetime) -> Iterator[Pulled]:
        """Each survey from its newest answer down to those that are settled. The vendor's own
        cursor is a place in a list that shifts: it is never kept from one poll to the next."""
        place = asking.place_of(cursor, _Place)
        surveys = {str(survey.get("id")): survey for survey in self._surveys(now)}
        wanted = {id: survey for id, survey in surveys.items() if self._is_wanted(id, survey)}
        most_marks = max(FEWEST_MARKS, MOST_MARKS // max(1, len(wanted)))
        for id, survey in wanted.items():
            before = place.surveys.get(id, _Reading())
            for records, after in self._read(survey, before, most_marks, now):
                if records or after != place.surveys.get(id):
                    place = _Place(surveys={**place.surveys, id: after})
                    yield Pulled(records=records, cursor=place.model_dump_json(), more=True)
        ended = _Place(surveys={id: known for id, known in place.surveys.items() if id in wanted})
        yield Pulled(records=(), cursor=ended.model_dump_json())

    def _is_wanted(self, id: str, survey: Mapping[str, Any]) -> bool:
        """Surveys with an NPS question, also such as nobody declared: their answers are held and
        an alarm says so. A rating has another scale, so its survey has to be declared."""
        if id in self._settings.ignored_surveys:
            return False
        return id in self._settings.surveys or "nps" in _types(survey)

    def _read(
        self, survey: Mapping[str, Any], before: _Reading, most_marks: int, now: datetime
    ) -> Iterator[tuple[tuple[bytes, ...], _Reading]]:
        questions = [_short(question) for question in survey.get("questions") or []]
        about = {"id": survey.get("id"), "name": survey.get("name"), "questions": questions}
        path = f"{self._surveys_path}/{quote(str(survey.get('id')), safe='')}/responses"
        moment, floor = reading.to_nanoseconds(now), before.overlap.floor
        read: dict[str, int] = {}
        for rows, more in self._pages(path, {}, now):
            news, times = [], []
            for row in rows:
                mark, at = reading.digest(row), time_of(_created(row), moment)
                if mark not in read and before.is_news(at, mark):
                    news.append(reading.as_record({"survey": about, "response": row}))
                read[mark] = at
                times.append(at)
            oldest = min(times, default=moment)
            settled = floor is not None and before.low is None and oldest <= floor
            if more and not settled:
                yield tuple(news), before.halfway(read, oldest, most_marks)
                continue
            yield tuple(news), _Reading(overlap=before.overlap.moved(read, OVERLAP, most_marks))
            return

    def _surveys(self, now: datetime) -> list[Mapping[str, Any]]:
        pages = self._pages(self._surveys_path, {"with_questions": "true"}, now)
        return [survey for rows, _ in pages for survey in rows if isinstance(survey, dict)]

    def _pages(
        self, path: str, query: asking.Query, now: datetime
    ) -> Iterator[tuple[list[Any], bool]]:
        """Rows, and whether more follow."""
        asked, cursor = {**query, "limit": PER_PAGE}, ""
        while True:
            reply = self._ask(path, {**asked, "cursor": cursor} if cursor else asked, now)
            if not isinstance(reply, dict) or not isinstance(reply.get("results"), list):
                raise TryLater("Hotjar answered something that is not a list")
            following = str(reply.get("next_cursor") or "")
            if following and following == cursor:
                raise TryLater("Hotjar repeats the same page")
            cursor = following
            yield reply["results"], bool(cursor)
            if not cursor:
                return

    def _ask(self, path: str, query: asking.Query, now: datetime) -> Any:
        response = self._get(path, query, now)
        if response.status_code == 401:
            self._token_until = None
            response = self._get(path, query, now)
        return asking.answer(response, "Hotjar", CURES)

    def _get(self, path: str, query: asking.Query, now: datetime) -> requests.Response:
        if self._token_until is None or now >= self._token_until:
            self._renew(now)
        url = f"{self._api.base}/{path}"
        return asking.get(self._session, url, query, Authorization=f"Bearer {self._token}")

    def _renew(self, now: datetime) -> None:
        credentials = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
        }
        body: dict[str, Any] = {"data": credentials}
        if self._api.token_as_json:
            body = {"json": {**credentials, "scope": "surveys"}}
        with asking.only_reads(self._session):
            response = patiently(
                lambda: self._session.post(f"{self._api.base}/oauth/token", **body)
            )
        reply = asking.answer(response, "Hotjar", {400: KEY, 401: KEY, 403: KEY})
        self._token = str(reply.get("access_token") or "") if isinstance(reply, dict) else ""
        lasts = reply.get("expires_in") if isinstance(reply, dict) else None
        if not self._token or not isinstance(lasts, int | float):
            raise TryLater("Hotjar gave no token that could be read")
        self._token_until = now + max(timedelta(seconds=lasts) - TOKEN_MARGIN, TOKEN_MARGIN)

    def check(self, now: datetime) -> Sequence[Finding]:
        try:
            surveys = {str(survey.get("id")): survey for survey in self._surveys(now)}
        except ConnectorError as error:
            return [Finding(ok=False, subject="Hotjar", message=str(error))]
        return [
            Finding(ok=True, subject="Hotjar", message=f"surveys of the site: {len(surveys)}"),
            *(self._judged(id, survey) for id, survey in surveys.items()),
            *(_missing(id) for id in self._settings.surveys if id not in surveys),
        ]

    def _judged(self, id: str, survey: Mapping[str, Any]) -> Finding:
        subject = f"Hotjar survey {one_line(id, 60)} '{one_line(str(survey.get('name')), 60)}'"
        if id in self._settings.ignored_surveys:
            return Finding(ok=True, subject=subject, message="is ignored, as the settings say")
        if not self._is_wanted(id, survey):
            return Finding(ok=True, subject=subject, message="has no NPS question: it is not read")
        if self._settings.survey_for(id) is None:
            cure = f"write '{id}: <survey>' under surveys, or add it to ignored_surveys"
            return Finding(ok=False, subject=subject, message="belongs to no survey", cure=cure)
        if not {"nps", *RATINGS} & _types(survey):
            return Finding(ok=False, subject=subject, message="asks for no score")
        return Finding(ok=True, subject=subject, message="is read")


def _missing(id: str) -> Finding:
    return Finding(
        ok=False,
        subject=f"Hotjar survey {one_line(id, 60)}",
        message="the site has no such survey",
        cure="correct its id under surveys; connector doctor lists those that exist",
    )


def _types(survey: Mapping[str, Any]) -> set[str]:
    questions = survey.get("questions") or []
    return {str(question.get("type")) for question in questions if isinstance(question, dict)}


def _short(question: Any) -> Any:
    """What `parse` needs of a question; the rest would swell each record."""
    if not isinstance(question, dict):
        return question
    return {key: question.get(key) for key in ("id", "type", "text")}


def _created(row: Any) -> Any:
    return row.get("created_time") if isinstance(row, dict) else None
