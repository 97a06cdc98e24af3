"""Stand-in of the Delighted REST API v1 (https://delighted.com/docs/api), read side and webhooks.

It keeps what makes the real one hard to read completely: pages by number over a list in which
rows move, bounds that include their own second, `updated_at` null until the first revision, and
a person that is only an id unless `expand[]=person` asks for more.

Assumed, because no page that we know says it: a row that was never revised matches the `updated_*`
bounds by its creation; bad values are refused with 422 and unknown parameters ignored; the text
of error bodies other than 422.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from urllib.parse import urlencode

from connector.sandbox.core import Call, Refusal, Reply, Route
from connector.sandbox.credentials import SECRETS
from connector.sandbox.delighted.project import DelightedProject, Row

MOST_PER_PAGE = 100
ORDERS = ("asc", "desc", "asc:updated_at", "desc:updated_at")
EXPANDABLE = ("person", "notes")
METRICS_WINDOW_SECONDS = 30 * 86_400
LONGEST_QUERY = 8_000  # characters; what common front servers take before they answer 414


class Delighted(DelightedProject):
    def routes(self) -> list[Route]:
        lists = [
            ("survey_responses", self._survey_responses),
            ("people", self._people),
            ("metrics", self._metrics),
        ]
        return [
            ("GET", f"/v1/{noun}{ending}", handler)
            for noun, handler in lists
            for ending in (".json", "")
        ]

    def guard(self, call: Call) -> None:
        if self.state["gone"]:
            raise Refusal(410, "<h1>Gone</h1><p>Delighted is no longer available.</p>")
        if not _has_key(call):
            headers = {"WWW-Authenticate": 'Basic realm="Delighted API"'}
            raise _refusal(401, "The API key is missing or wrong.", headers=headers)
        asks_json = "application/json" in call.headers.get("accept", "")
        if not (call.path.endswith(".json") or asks_json):
            raise _refusal(406, "Ask for JSON: end the path in .json or send an Accept header.")
        if len(urlencode(call.query)) > LONGEST_QUERY:
            raise Refusal(414, "<h1>414 Request-URI Too Large</h1>")
        self._pour()

    def unknown(self, call: Call) -> Reply:
        return Reply(404, {"status": 404, "message": "Not found"})

    # -- switches ------------------------------------------------------------------------------

    def end_service(self) -> None:
        """From now on each call answers 410, as the real API has since its sunset."""
        with self.changing():
            self.state["gone"] = True

    def limit(self, burst: int, per_second: float) -> None:
        """A leaky bucket that takes `burst` requests at once and empties at `per_second`."""
        with self.changing():
            self.state["bucket"] = {
                "burst": burst,
                "per_second": per_second,
                "level": 0.0,
                "at": self.clock.timestamp(),
            }

    def _pour(self) -> None:
        bucket = self.state["bucket"]
        if bucket is None:
            return
        now = self.clock.timestamp()
        bucket["level"] = max(0.0, bucket["level"] - (now - bucket["at"]) * bucket["per_second"])
        bucket["at"] = now
        over = bucket["level"] + 1 - bucket["burst"]
        if over > 0:
            seconds = max(1, math.ceil(over / bucket["per_second"]))
            raise _refusal(429, "Too many requests.", headers={"Retry-After": str(seconds)})
        bucket["level"] += 1

    # -- the API -------------------------------------------------------------------------------

    def _survey_responses(self, call: Call) -> Reply:
        """https://delightedapp.com/docs/api/listing-survey-responses"""
        per_page = _number(call, "per_page", 20, at_least=1, at_most=MOST_PER_PAGE)
        page = _number(call, "page", 1, at_least=1)
        order = _last(call, "order") or "asc"
        if order not in ORDERS:
            raise _unprocessable("order", f"must be one of {', '.join(ORDERS)}")
        expand = {value for name, value in call.query if name == "expand[]"}
        if not expand.issubset(EXPANDABLE):
            raise _unprocessable("expand", f"must be among {', '.join(EXPANDABLE)}")
        direction, _, by = order.partition(":")
        rows = self._found(call)
        rows.sort(key=_updated if by else _created)
        if direction == "desc":
            rows.reverse()
        part = rows[(page - 1) * per_page : page * per_page]
        return Reply(200, [self.shown(row, expand_person="person" in expand) for row in part])

    def _found(self, call: Call) -> list[Row]:
        """The rows that every filter lets through. An unknown parameter is no filter."""
        _no_trend(call)
        rows: list[Row] = list(self.state["responses"].values())
        created = _window(call, "since", "until")
        updated = _window(call, "updated_since", "updated_until")
        rows = [r for r in rows if created[0] <= _created(r) <= created[1]]
        rows = [r for r in rows if updated[0] <= _updated(r) <= updated[1]]
        if (person_id := _last(call, "person_id")) is not None:
            rows = [r for r in rows if r["person"] == person_id]
        if (email := _last(call, "person_email")) is not None:
            person_id = self.state["person_of_email"].get(email.casefold())
            rows = [r for r in rows if r["person"] == person_id]
        return rows

    def _people(self, call: Call) -> Reply:
        """https://delighted.com/docs/api/listing-people: pages by the Link header."""
        per_page = _number(call, "per_page", 20, at_least=1, at_most=MOST_PER_PAGE)
        first, last = _window(call, "since", "until")
        people: list[Row] = list(self.state["people"].values())
        people = [p for p in people if first <= p["created_at"] <= last]
        for parameter, key in (("email", "email"), ("phone_number", "phone_number")):
            if (wanted := _last(call, parameter)) is not None:
                people = [p for p in people if (p[key] or "").casefold() == wanted.casefold()]
        people.sort(key=_place)
        if (page_info := _last(call, "page_info")) is not None:
            after = _unpacked(page_info)
            people = [p for p in people if _place(p) > after]
        headers = {}
        if len(people) > per_page:
            # The parameters of the call are repeated as they came: a client that adds its own to
            # this address once more makes it longer with every page, until it is refused.
            query = [(name, value) for name, value in call.query if name != "page_info"]
            query.append(("page_info", _packed(_place(people[per_page - 1]))))
            url = f"http://{call.headers.get('host', '')}{call.path}?{urlencode(query)}"
            headers["Link"] = f'<{url}>; rel="next"'
        return Reply(200, [dict(person) for person in people[:per_page]], headers)

    def _metrics(self, call: Call) -> Reply:
        """Counts and NPS of a window, by default the last 30 days."""
        _no_trend(call)
        now = self.clock.timestamp()
        first = _number(call, "since", int(now) - METRICS_WINDOW_SECONDS)
        last = _number(call, "until", int(now))
        rows = self.state["responses"].values()
        scores = [r["score"] for r in rows if first <= r["created_at"] <= last]
        scores = [score for score in scores if score is not None]
        counts = {
            "promoter": sum(score >= 9 for score in scores),
            "passive": sum(7 <= score <= 8 for score in scores),
            "detractor": sum(score <= 6 for score in scores),
        }
        body: Row = {"nps": round(_percent(counts["promoter"] - counts["detractor"], len(scores)))}
        for kind, count in counts.items():
            body[f"{kind}_count"] = count
            body[f"{kind}_percent"] = round(_percent(count, len(scores)), 1)
        return Reply(200, {**body, "response_count": len(scores)})


def _refusal(
    status: int,
    message: str,
    *,
    errors: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Refusal:
    body: Row = {"status": status, "message": message}
    if errors is not None:
        body["errors"] = errors
    return Refusal(status, body, headers)


def _unprocessable(field: str, reason: str) -> Refusal:
    return _refusal(422, "Unprocessable Entity", errors={field: [reason]})


def _has_key(call: Call) -> bool:
    """Basic with the API key as user name and nothing after the colon."""
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and decoded == f"{SECRETS['DELIGHTED_API_KEY']}:"


def _last(call: Call, name: str) -> str | None:
    """The value that counts when a parameter is repeated, in a Rails application the last."""
    return next((value for key, value in reversed(call.query) if key == name), None)


def _number(
    call: Call, name: str, default: int, *, at_least: int = 0, at_most: int | None = None
) -> int:
    text = _last(call, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()):
        raise _unprocessable(name, "must be a whole number")
    number = int(text)
    if number < at_least or (at_most is not None and number > at_most):
        reason = f"must be at least {at_least}" + (f" and at most {at_most}" if at_most else "")
        raise _unprocessable(name, reason)
    return number


def _window(call: Call, since: str, until: str) -> tuple[float, float]:
    """Unix seconds; both ends belong to the window."""
    end = math.inf if _last(call, until) is None else float(_number(call, until, 0))
    return float(_number(call, since, 0)), end


def _no_trend(call: Call) -> None:
    if _last(call, "trend") is not None:
        raise _unprocessable("trend", "there is no such trend")


def _created(row: Row) -> int:
    seconds: int = row["created_at"]
    return seconds


def _updated(row: Row) -> int:
    """A row that nobody revised counts from its creation, though it shows `updated_at` null."""
    return _created(row) if row["updated_at"] is None else int(row["updated_at"])


def _place(person: Row) -> tuple[int, int]:
    return person["created_at"], int(person["id"])


def _packed(place: tuple[int, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _unpacked(page_info: str) -> tuple[int, int]:
    try:
        created_at, id = json.loads(base64.urlsafe_b64decode(page_info))
        return int(created_at), int(id)
    except (ValueError, TypeError):
        raise _unprocessable("page_info", "is not one that a Link header gave") from None


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
