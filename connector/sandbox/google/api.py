"""Stand-in of Google's token endpoint and the Google Forms API v1, read side.

https://developers.google.com/workspace/forms/api/reference/rest/v1/forms.responses
What makes the real one hard to read completely is kept: pages in no useful order, edits that only
`lastSubmittedTime` shows, times with 0, 3 or 6 decimals, default values left out.

Assumed: `timestamp` is compared with `lastSubmittedTime` (`filter_by` chooses the other reading);
a pageSize above 5000 is refused; a scale from 0 has no `low`; the fixed, time-independent order.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime

from connector.sandbox.core import Call, Refusal, Reply, Route
from connector.sandbox.google.account import MOST_PER_PAGE, GoogleAccount, Row
from connector.sandbox.google.oauth import FORM_SCOPES, RESPONSE_SCOPES

FILTER = re.compile(r"timestamp (>=?) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)")
# Besides a method's own. `fields` is not among them: the stand-in always answers in full.
STANDARD_PARAMETERS = frozenset({"alt", "key", "prettyPrint", "quotaUser"})


class Google(GoogleAccount):
    def routes(self) -> list[Route]:
        return [
            ("POST", "/token", self.desk.issue),
            ("GET", "/v1/forms/{form_id}", self._form),
            ("GET", "/v1/forms/{form_id}/responses", self._responses),
            ("GET", "/v1/forms/{form_id}/responses/{response_id}", self._response),
        ]

    def unknown(self, call: Call) -> Reply:
        return Reply(404, "<title>Error 404 (Not Found)!!1</title>")

    # -- the API -------------------------------------------------------------------------------

    def _form(self, call: Call) -> Reply:
        return Reply(200, self._opened(call, FORM_SCOPES, "Read requests")["form"])

    def _response(self, call: Call) -> Reply:
        about = self._opened(call, RESPONSE_SCOPES, "Read requests")
        row = about["responses"].get(call.params["response_id"])
        if row is None:
            raise _refusal(404, "NOT_FOUND", "Requested entity was not found.")
        return Reply(200, {"formId": call.params["form_id"], **row})

    def _responses(self, call: Call) -> Reply:
        parameters = frozenset({"filter", "pageSize", "pageToken"})
        about = self._opened(call, RESPONSE_SCOPES, "Expensive read requests", parameters)
        text, size = call.q("filter") or "", _page_size(call)
        first = _first_nanoseconds(text)
        field = self.state["filter_reads"]
        found = [
            (_shuffled(row["responseId"]), row)
            for row in about["responses"].values()
            if _nanoseconds(row[field]) >= first
        ]
        found.sort(key=lambda pair: pair[0])
        asked = {"form": call.params["form_id"], "filter": text}
        if token := call.q("pageToken"):
            after = _token_place(token, asked)
            found = [pair for pair in found if pair[0] > after]
        page = found[: min(size, self.state["most_per_page"])]
        body: Row = {}
        if page:
            body["responses"] = [row for _, row in page]
        if len(page) < len(found):
            body["nextPageToken"] = _packed({**asked, "after": page[-1][0]})
        return Reply(200, body)

    def _opened(
        self,
        call: Call,
        scopes: frozenset[str],
        quota: str,
        parameters: frozenset[str] = frozenset(),
    ) -> Row:
        """The form of the call, once token, quota, parameters and access have been judged."""
        token = self.desk.find(call)
        if token is None:
            raise _refusal(
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token,"
                " login cookie or other valid authentication credential.",
                headers={
                    "WWW-Authenticate": 'Bearer realm="https://accounts.google.com/",'
                    ' error="invalid_token"'
                },
            )
        if scopes.isdisjoint(token["scopes"]):
            raise _refusal(
                403,
                "PERMISSION_DENIED",
                "Request had insufficient authentication scopes.",
                reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            )
        self._use(quota, token["user"])
        for name, _ in call.query:
            if name not in parameters | STANDARD_PARAMETERS:
                raise _bad_argument(
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query'
                    f" parameter. Field '{name}' could not be found in request message."
                )
        about: Row | None = self.state["forms"].get(call.params["form_id"])
        if about is None:
            raise _refusal(404, "NOT_FOUND", "Requested entity was not found.")
        if token["user"] not in about["shared_with"]:
            raise _refusal(403, "PERMISSION_DENIED", "The caller does not have permission")
        return about

    def _use(self, quota: str, user: str) -> None:
        minute = int(self.clock.timestamp() // 60)
        if self.state["used"]["minute"] != minute:
            self.state["used"] = {"minute": minute}
        used = self.state["used"]
        keys = (quota, f"{quota} of {user}")
        for key, limit in zip(keys, self.state["quotas"][quota], strict=True):
            if used.get(key, 0) >= limit:
                per = "minute" if key == quota else "minute per user"
                raise _refusal(
                    429,
                    "RESOURCE_EXHAUSTED",
                    f"Quota exceeded for quota metric '{quota}' and limit '{quota} per {per}' of"
                    " service 'forms.googleapis.com' for consumer 'project_number:100000000001'.",
                    reason="RATE_LIMIT_EXCEEDED",
                )
        for key in keys:
            used[key] = used.get(key, 0) + 1


def _nanoseconds(zulu: str) -> int:
    """Since 1970. Raises ValueError for a date that does not exist."""
    seconds = int(datetime.fromisoformat(zulu[:19] + "+00:00").timestamp())
    return seconds * 1_000_000_000 + int(zulu[19:].strip(".Z").ljust(9, "0"))


def _first_nanoseconds(text: str) -> int:
    """The earliest moment that a filter lets through; everything when there is no filter."""
    if not text:
        return 0
    match = FILTER.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        return _nanoseconds(match[2]) + (match[1] == ">")
    except ValueError:
        raise _bad_argument("Request contains an invalid argument.") from None


def _page_size(call: Call) -> int:
    text = call.q("pageSize") or "0"
    if not (text.isascii() and text.isdecimal() and int(text) <= MOST_PER_PAGE):
        raise _bad_argument("Request contains an invalid argument.")
    return int(text) or MOST_PER_PAGE


def _shuffled(response_id: str) -> str:
    """A place in the list that has nothing to do with time; it never changes."""
    return hashlib.sha1(response_id.encode(), usedforsecurity=False).hexdigest()


def _packed(value: Row) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _token_place(token: str, asked: Row) -> str:
    """Where the page before ended, if the token belongs to this form and this very filter."""
    try:
        value = json.loads(base64.urlsafe_b64decode(token))
        after = str(value.pop("after"))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _bad_argument("Request contains an invalid argument.") from None
    if value != asked:
        raise _bad_argument("Request contains an invalid argument.")
    return after


def _bad_argument(message: str) -> Refusal:
    return _refusal(400, "INVALID_ARGUMENT", message)


def _refusal(
    code: int,
    status: str,
    message: str,
    *,
    reason: str | None = None,
    headers: dict[str, str] | None = None,
) -> Refusal:
    error: Row = {"code": code, "message": message, "status": status}
    if reason is not None:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        error["details"] = [{"@type": kind, "reason": reason, "domain": "googleapis.com"}]
    return Refusal(code, {"error": error}, headers)
