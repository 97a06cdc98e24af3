"""Stand-in of the Hotjar API (https://help.hotjar.com/hc/en-us/articles/36820005914001).

Newest first and without any filter; a cursor is a place in a list that shifts with each new
answer; a response has no update time, so that one which is completed or tagged later can only be
seen by reading it again.

Assumed: the cursor counts rows from the top; 20 rows a page without `limit`; bad values are refused
with 400 and unknown parameters ignored; several options of one question are several answers; the
error bodies, which follow a third-party description of the API.
"""

from __future__ import annotations

import base64
import copy
import json
import secrets
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from connector.sandbox.core import Call, Clock, Refusal, Reply, Route, Vendor
from connector.sandbox.credentials import SECRETS

Row = dict[str, Any]
Value = str | int | Iterable[str] | None

SITE = "12345"
TOKEN_SECONDS = 3600
KEY_SECONDS = 365 * 86_400  # an API key ends after a year and cannot be extended
MOST_PER_PAGE = 100
DEFAULT_PER_PAGE = 20
REQUESTS_PER_MINUTE = 3000
QUESTION_TYPES = (
    "nps",
    "rating-1-5",
    "rating-1-7",
    "reaction",
    "reaction-binary",
    "single-option",
    "multiple-option",
    "short-text",
    "long-text",
    "email",
    "statement",
    "thank-you",
)


class Hotjar(Vendor):
    name: ClassVar[str] = "hotjar"

    def __init__(self, clock: Clock, state: dict[str, Any]) -> None:
        super().__init__(clock, state)
        state.setdefault("surveys", {})  # id -> survey with its questions
        state.setdefault("site_of", {})  # survey id -> site id
        state.setdefault("responses", {})  # survey id -> {id: response}, in the order of seeding
        state.setdefault("tokens", {})  # token -> unix seconds of its end
        state.setdefault("key_ends_at", clock.timestamp() + KEY_SECONDS)
        state.setdefault("exports", True)
        state.setdefault("per_minute", REQUESTS_PER_MINUTE)
        state.setdefault("used", {"minute": 0, "requests": 0})
        state.setdefault("last_response", 0)

    def routes(self) -> list[Route]:
        surveys = "/v1/sites/{site_id}/surveys"
        return [
            ("POST", "/v1/oauth/token", self._token),
            ("GET", surveys, self._surveys),
            ("GET", surveys + "/{survey_id}", self._survey),
            ("GET", surveys + "/{survey_id}/responses", self._responses),
        ]

    def guard(self, call: Call) -> None:
        if call.path != "/v1/oauth/token":
            scheme, _, token = call.headers.get("authorization", "").partition(" ")
            ends_at = self.state["tokens"].get(token, 0)
            if scheme.lower() != "bearer" or ends_at <= self.clock.timestamp():
                raise _refusal(401, "unauthorized", "The access token is missing or expired.")
        self._use()
        if "site_id" in call.params and not self.state["exports"]:
            raise _refusal(403, "forbidden", "Your plan does not include survey response export.")

    def unknown(self, call: Call) -> Reply:
        return _refusal(404, "not_found", "There is nothing at this address.").reply

    # -- switches ------------------------------------------------------------------------------

    def allow_exports(self, allowed: bool) -> None:
        """Whether the account has the plan that exports survey responses."""
        with self.changing():
            self.state["exports"] = allowed

    def limit(self, per_minute: int) -> None:
        with self.changing():
            self.state["per_minute"] = per_minute

    def _use(self) -> None:
        minute = int(self.clock.timestamp() // 60)
        if self.state["used"]["minute"] != minute:
            self.state["used"] = {"minute": minute, "requests": 0}
        if self.state["used"]["requests"] >= self.state["per_minute"]:
            # Without Retry-After: whether Hotjar sends one is not confirmed.
            raise _refusal(429, "too_many_requests", "The request limit is reached.")
        self.state["used"]["requests"] += 1

    # -- seeding -------------------------------------------------------------------------------

    def add_survey(
        self,
        questions: Iterable[Row],
        *,
        name: str = "NPS",
        site: str = SITE,
        id: str | None = None,
        at: datetime | None = None,
    ) -> Row:
        """Make a survey of questions from `question`. Returns it with them.

        Raises ValueError for an id that is taken.
        """
        id = f"survey_{uuid.uuid4()}" if id is None else id
        with self.changing():
            if id in self.state["surveys"]:
                raise ValueError(f"there is a survey {id} already")
            created = self._time(at)
            url = f"/v1/sites/{site}/surveys/{id}"
            survey = {
                "id": id,
                "name": name,
                "type": "popover",
                "is_enabled": True,
                "created_time": created,
                "updated_time": created,
                "url": url,
                "responses_url": f"{url}/responses",
                "sentiment_analysis_enabled": True,
                "questions": [dict(one) for one in questions],
            }
            self.state["surveys"][id] = survey
            self.state["site_of"][id] = site
            self.state["responses"][id] = {}
            return copy.deepcopy(survey)

    def add_response(
        self,
        survey_id: str,
        answers: Mapping[str, Value],
        *,
        at: datetime | None = None,
        id: str | None = None,
        complete: bool = True,
        attributes: Mapping[str, str] | None = None,
        **columns: Any,
    ) -> Row:
        """A visitor answers. `answers`: question id -> text, number, several texts, or None.

        None is a question shown and not answered; one that is missing was not shown. `attributes`
        come from the Identify API. `columns` replace `device`, `country`, `recording_url`, ...
        Returns the response as listed. Raises KeyError for an unknown survey, ValueError for an
        unknown question or column or an id that is taken.
        """
        with self.changing():
            responses = self.state["responses"][survey_id]
            self.state["last_response"] += 1
            number = self.state["last_response"]
            id = f"response_{number}" if id is None else id
            if id in responses:
                raise ValueError(f"there is a response {id} already")
            row: Row = {
                "id": id,
                "created_time": self._time(at),
                "is_complete": complete,
                "hotjar_user_id": str(uuid.UUID(int=number)),
                "device": "desktop",
                "browser": "Firefox",
                "os": "Linux",
                "country": "ES",
                "window_size": {"width": 1440, "height": 900},
                "response_origin_url": "https://shop.example.com/",
                "recording_url": None,
                "user_attributes": [
                    {"name": name, "value": value} for name, value in (attributes or {}).items()
                ],
                "answers": self._answers(survey_id, answers),
            }
            if unknown := set(columns) - set(row):
                raise ValueError(f"a response has no {', '.join(sorted(unknown))}")
            responses[id] = {**row, **columns}
            return copy.deepcopy(responses[id])

    def complete_response(self, id: str, answers: Mapping[str, Value]) -> Row:
        """The visitor goes on and finishes. Neither id nor `created_time` changes.

        Raises KeyError for an unknown response, ValueError for an unknown question.
        """
        with self.changing():
            survey_id, row = self._found(id)
            kept = [one for one in row["answers"] if one["question_id"] not in answers]
            row["answers"] = kept + self._answers(survey_id, answers)
            row["is_complete"] = True
            return copy.deepcopy(row)

    def analyse(
        self, id: str, question_id: str, *, tags: Iterable[str] = (), sentiment: str | None = None
    ) -> Row:
        """What Hotjar or a colleague adds later to an answer. Raises KeyError when unknown."""
        with self.changing():
            _, row = self._found(id)
            for answer in row["answers"]:
                if answer["question_id"] == question_id:
                    answer["tags"] = [{"name": tag} for tag in tags]
                    answer["sentiment"] = sentiment
            return copy.deepcopy(row)

    def delete_response(self, id: str) -> None:
        """Erase a response; the list closes up without a trace. Raises KeyError when unknown."""
        with self.changing():
            survey_id, _ = self._found(id)
            del self.state["responses"][survey_id][id]

    def _found(self, id: str) -> tuple[str, Row]:
        for survey_id, responses in self.state["responses"].items():
            if id in responses:
                return survey_id, responses[id]
        raise KeyError(id)

    def _answers(self, survey_id: str, answers: Mapping[str, Value]) -> list[Row]:
        known = {one["id"] for one in self.state["surveys"][survey_id]["questions"]}
        if unknown := set(answers) - known:
            raise ValueError(f"the survey has no question {', '.join(sorted(unknown))}")
        rows: list[Row] = []
        for question_id, value in answers.items():
            texts = [value] if value is None or isinstance(value, str | int) else list(value)
            for text in texts:
                rows.append(
                    {
                        "question_id": question_id,
                        "answer": None if text is None else str(text),
                        "comment": None,
                        "tags": [],
                        "sentiment": None,
                    }
                )
        return rows

    def _time(self, at: datetime | None) -> str:
        return (at or self.clock.now()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # -- the API -------------------------------------------------------------------------------

    def _token(self, call: Call) -> Reply:
        """The client credentials flow, form-encoded as OAuth demands."""
        kind = call.headers.get("content-type", "").partition(";")[0].strip()
        form = call.form()
        if kind != "application/x-www-form-urlencoded" or "grant_type" not in form:
            raise _refusal(400, "invalid_request", "Send grant_type and the API key as a form.")
        if form["grant_type"] != "client_credentials":
            raise _refusal(400, "unsupported_grant_type", "Use client_credentials.")
        given = (form.get("client_id"), form.get("client_secret"))
        key = (SECRETS["HOTJAR_CLIENT_ID"], SECRETS["HOTJAR_CLIENT_SECRET"])
        now = self.clock.timestamp()
        if given != key or now >= self.state["key_ends_at"]:
            raise _refusal(401, "invalid_client", "The API key is wrong or expired.")
        tokens = self.state["tokens"]
        self.state["tokens"] = {t: ends_at for t, ends_at in tokens.items() if ends_at > now}
        token = secrets.token_urlsafe(32)
        self.state["tokens"][token] = now + TOKEN_SECONDS
        return Reply(
            200, {"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS}
        )

    def _surveys(self, call: Call) -> Reply:
        site = call.params["site_id"]
        flag = call.q("with_questions", "false")
        if flag not in ("true", "false"):
            raise _refusal(400, "bad_request", "with_questions is true or false.")
        of_site = [id for id, its_site in self.state["site_of"].items() if its_site == site]
        if not of_site:
            raise _refusal(404, "not_found", "There is no such site.")
        surveys = [dict(self.state["surveys"][id]) for id in of_site]
        if flag == "false":
            for survey in surveys:
                del survey["questions"]
        return _page(call, surveys, f"surveys of {site}")

    def _survey(self, call: Call) -> Reply:
        return Reply(200, self.state["surveys"][self._survey_id(call)])

    def _responses(self, call: Call) -> Reply:
        survey_id = self._survey_id(call)
        rows: list[Row] = list(self.state["responses"][survey_id].values())
        rows.sort(key=lambda row: str(row["created_time"]))
        rows.reverse()
        return _page(call, rows, f"responses of {survey_id}")

    def _survey_id(self, call: Call) -> str:
        survey_id = call.params["survey_id"]
        if self.state["site_of"].get(survey_id) != call.params["site_id"]:
            raise _refusal(404, "not_found", "There is no such survey on this site.")
        return survey_id


def question(id: str, type: str, text: str, **settings: Any) -> Row:
    """One question of a survey. `type`: one of `QUESTION_TYPES`; raises ValueError for another.

    `settings`: `is_required`, `choices` ([{text, allow_comment}]), `labels` ({low_label,
    high_label}), `image_url`.
    """
    if type not in QUESTION_TYPES:
        raise ValueError(f"unknown question type {type!r}; there are {', '.join(QUESTION_TYPES)}")
    empty = {"is_required": False, "choices": None, "labels": None, "image_url": None}
    return {"id": id, "type": type, "text": text, **empty, **settings}


def _page(call: Call, rows: list[Row], of: str) -> Reply:
    """The part of a list after the cursor, which counts from the top of the list as it is now."""
    limit = call.q("limit") or str(DEFAULT_PER_PAGE)
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= MOST_PER_PAGE):
        raise _refusal(400, "bad_request", f"limit is between 1 and {MOST_PER_PAGE}.")
    start = 0
    if (cursor := call.q("cursor")) is not None:
        start = _place(cursor, of)
    end = start + int(limit)
    next_cursor = None
    if end < len(rows):
        place = json.dumps({"of": of, "start": end})
        next_cursor = base64.urlsafe_b64encode(place.encode()).decode()
    return Reply(200, {"results": copy.deepcopy(rows[start:end]), "next_cursor": next_cursor})


def _place(cursor: str, of: str) -> int:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor))
        if place["of"] != of:
            raise ValueError
        return int(place["start"])
    except (ValueError, KeyError, TypeError):
        raise _refusal(400, "bad_request", "The cursor is not one of this list.") from None


def _refusal(status: int, error: str, message: str) -> Refusal:
    return Refusal(status, {"error": error, "message": message})
