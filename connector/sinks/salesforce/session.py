"""simple-salesforce on our session: log-in, one refresh, and errors named after the next step.

The client has no cap on repeated log-ins, forgets extra headers after one, and puts whole URLs
(and with them addresses) into its error texts; nothing of that gets past this module.
https://github.com/simple-salesforce/simple-salesforce
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import requests

from connector.errors import LookFirst, Paused, TryLater
from connector.patience import patiently
from connector.sinks.crm import Rejected, Transport

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce
    from simple_salesforce.exceptions import SalesforceError

TOKEN_PATH = "/services/oauth2/"  # noqa: S105 - a path, not a password
QUOTA_PAUSE = timedelta(hours=1)
_COMPLAINT = re.compile(r"(?:column|relationship|sObject type) '[\w.]{1,80}'")
_OAUTH_CODE = re.compile(r"\w{1,60}")
TRANSIENT = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG"})


class Forbidden(Paused):
    """403: this user may not do this, here or anywhere."""


class Stale(TryLater):
    """412: somebody changed the record after we had read it; nothing was written."""


class CappedSession(requests.Session):
    """Hands every request to our session and lets the client log in again once, not for ever.

    A first 401 goes back to simple-salesforce, which fetches a new token and repeats the call; a
    second in a row, a 401 that it cannot read, and a refused log-in are a pause.
    """

    def __init__(self, transport: Transport, log_in_hint: str) -> None:
        super().__init__()
        self._transport = transport
        self._hint = log_in_hint
        self._unauthorised = 0

    def request(
        self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any
    ) -> requests.Response:
        seen, self._unauthorised = self._unauthorised, 0
        if TOKEN_PATH in str(url):
            with self._transport.reading():
                response = self._transport.request(method, url, *args, **kwargs)
            self._unauthorised = seen  # a new token is no proof that it is good for anything
            self._logged_in(response)
            return response
        response = self._transport.request(method, url, *args, **kwargs)
        if response.status_code == 401:
            if seen or _code(response) != "INVALID_SESSION_ID":
                raise Paused(
                    "Salesforce answers 401 also after a new log-in; check that the integration "
                    "user is active, may use the API, and is the one of the connected app"
                )
            self._unauthorised = 1
        return response

    def _logged_in(self, response: requests.Response) -> None:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            if response.ok:
                raise TryLater("Salesforce's answer to the log-in could not be read")
            answer = {}
        if response.ok and answer.get("access_token") and answer.get("instance_url"):
            return
        self._unauthorised = 0
        code = str(answer.get("error") or "")
        reason = code if _OAUTH_CODE.fullmatch(code) else f"status {response.status_code}"
        raise Paused(f"Salesforce refuses the log-in ({reason}); {self._hint}")


class Org:
    """One Salesforce organisation as the adapter sees it. `connect` logs in, on first use only."""

    def __init__(
        self,
        connect: Callable[[requests.Session], Salesforce],
        session: requests.Session,
        log_in_hint: str,
    ) -> None:
        self._connect = connect
        self._transport = cast("Transport", session)
        self._capped = CappedSession(self._transport, log_in_hint)
        self._hint = log_in_hint
        self._client: Salesforce | None = None

    def query(self, soql: str, now: datetime, deleted: bool = False) -> list[dict[str, Any]]:
        """All rows; with `deleted` also those in the recycle bin."""

        def ask() -> Any:
            return self._client_now().query_all(soql, include_deleted=deleted)["records"]

        return cast("list[dict[str, Any]]", self._read(ask, now))

    def pages(
        self, soql: str, now: datetime, deleted: bool = False
    ) -> Iterator[tuple[list[dict[str, Any]], bool]]:
        """The same rows page by page, in the far side's own steps (2,000 rows at most); with each
        whether there are more."""

        def first() -> Any:
            return self._client_now().query(soql, include_deleted=deleted)

        ask: Callable[[], Any] | None = first
        while ask is not None:
            rows, more = self._read(partial(_page, ask), now)
            yield rows, bool(more)
            ask = partial(self._client_now().query_more, more, True, deleted) if more else None

    def fields(self, kind: str, now: datetime) -> dict[str, dict[str, Any]]:
        """What an object has, as far as our user may see it, by name."""

        def ask() -> Any:
            described: Any = self._client_now().restful(f"sobjects/{kind}/describe")
            return {str(one["name"]): one for one in described["fields"]}

        return cast("dict[str, dict[str, Any]]", self._read(ask, now))

    def write(
        self, path: str, body: bytes, now: datetime, headers: Mapping[str, str] | None = None
    ) -> Any:
        """PATCH exactly these bytes; the headers also survive a new log-in half-way."""
        client = patiently(self._client_now)
        with self._transport.exactly(body, headers):
            return _translated(lambda: client.restful(path, method="PATCH", data=body), now, False)

    def calls_used(self) -> str:
        """`18 of 5000` (24 hours), as the last answer said; empty where it did not."""
        usage = self._client.api_usage.get("api-usage") if self._client else None
        return f"{usage.used} of {usage.total}" if usage else ""

    def _read(self, ask: Callable[[], Any], now: datetime) -> Any:
        return patiently(lambda: _translated(ask, now, True))

    def _client_now(self) -> Salesforce:
        from jwt import PyJWTError

        if self._client is None:
            try:
                self._client = self._connect(self._capped)
            except (ValueError, TypeError, PyJWTError):
                # `from None`: the cause may quote the key.
                raise Paused(f"the private key cannot be used; {self._hint}") from None
        return self._client


def _page(ask: Callable[[], Any]) -> tuple[list[dict[str, Any]], str]:
    answer = ask()
    return answer["records"], "" if answer["done"] else answer["nextRecordsUrl"]


def _translated(call: Callable[[], Any], now: datetime, reading: bool) -> Any:
    from connector.sinks.salesforce.client import SalesforceError

    try:
        return call()
    except SalesforceError as fault:
        failure = _meaning(fault, now)
    except (ValueError, KeyError, TypeError):
        said = "Salesforce's answer could not be read"
        failure = TryLater(said) if reading else LookFirst(said)
    # Raised out here: the client's own error holds the URL and with it what was asked for.
    raise failure


def _meaning(fault: SalesforceError, now: datetime) -> Exception:
    first = _first_error(fault.content)
    code = str(first.get("errorCode") or f"status {fault.status}")
    words = str(first.get("message") or "")
    if fault.status == 403 and code == "REQUEST_LIMIT_EXCEEDED":
        return Paused(
            "Salesforce's daily API calls are used up (REQUEST_LIMIT_EXCEEDED); it is tried again "
            "in an hour, or buy more calls",
            until=now + QUOTA_PAUSE,
        )
    if fault.status == 403:
        return Forbidden(
            f"Salesforce forbids it ({code}); give the integration user API access and the right "
            "to read contacts, leads and users and to create and edit tasks"
        )
    if fault.status == 412:
        return Stale("the task was changed while we wrote", retry_after_seconds=5)
    if code in TRANSIENT:
        return TryLater(f"Salesforce is busy with this record ({code})", retry_after_seconds=5)
    if code in ("INVALID_FIELD", "INVALID_TYPE"):
        # The message can repeat the whole query; only the name that it complains about is taken.
        name = _COMPLAINT.search(words)
        return Paused(
            f"Salesforce does not show {name[0] if name else 'a field that is needed'} ({code}); "
            "give the integration user access to it, and run `connector doctor`"
        )
    return Rejected("Salesforce", fault.status, code, words)


def _code(response: requests.Response) -> str:
    try:
        return str(_first_error(json.loads(response.content)).get("errorCode") or "")
    except ValueError:
        return ""


def _first_error(content: object) -> dict[str, Any]:
    """Errors come as a list, when they come from the API itself and not from what stands before."""
    first = content[0] if isinstance(content, list) and content else None
    return first if isinstance(first, dict) else {}
