"""The one session policy for every vendor: time-outs, no hidden retries, honest errors, no leaks.

Vendor clients (zenpy, simple-salesforce, google-auth) get this session and meet only answers that
they understand: what means "wait" or "nobody knows" has become an error of ours before they could
sleep on it, retry it or print it. https://requests.readthedocs.io
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from connector import __version__, faultpoints
from connector.errors import ConnectorError, LookFirst, Paused, TryLater

if TYPE_CHECKING:
    from connector.limits import Meter

RETRY_AFTER_SECONDS = (1.0, 3600.0)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SECONDS = re.compile(r"\d{1,9}(\.\d+)?")
# Addresses (`…/contacts/jane@example.com`) and tokens or keys (24 characters and more) of a path.
_TELLTALE = re.compile(r"[^/]*(?:@|%40)[^/]*|[^/]{24,}", re.IGNORECASE)

# Its debug lines print queries, and queries hold addresses.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class Session(requests.Session):
    """A `requests.Session` for one adapter instance, used by one thread at a time.

    `base_url`: every request goes there instead, with its own path and query (a sandbox, a
    gateway). `timeout`: seconds to connect and seconds of silence; it wins over what a client asks
    for.

    Raises, from every request:
        TryLater: nothing happened: no connection, 429, 503, and any failure of a read.
        LookFirst: the outcome of a write is unknown: reset, silence, truncated reply, 500, 502,
            504, 52x.
        Paused: a write was answered with a redirect; redirects are followed for reads only.
    All other answers are returned. Error texts name the method and the path, nothing else.
    """

    def __init__(
        self,
        base_url: str | None = None,
        timeout: tuple[float, float] = (3.05, 20.0),
    ) -> None:
        super().__init__()
        self._timeout = (timeout[0], faultpoints.seconds("silence", timeout[1]))
        self._meter: Meter | None = None
        self._reading = 0
        self._exact: _Exact | None = None
        adapter = _Rebased(base_url) if base_url else HTTPAdapter(max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self.headers["User-Agent"] = f"nps-connector/{__version__}"
        self.auth = _unchanged  # else a ~/.netrc of the machine would replace our credentials
        # A session cookie would go on working after the credentials were revoked.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def report_to(self, meter: Meter) -> None:
        """Tell this meter of every request and every answer from now on."""
        self._meter = meter

    @contextmanager
    def reading(self) -> Iterator[None]:
        """POSTs inside only read or fetch a token: whatever fails, nothing happened."""
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1

    @contextmanager
    def exactly(self, body: bytes, headers: Mapping[str, str] | None = None) -> Iterator[None]:
        """The next write inside goes out with exactly these bytes and extra headers.

        If the client repeats that write (same method and URL, after a new login), so does the
        body: it can never go out in the client's own words.
        """
        self._exact = _Exact(body, dict(headers or {}))
        try:
            yield
        finally:
            self._exact = None

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Every request of every client passes here, each step of a redirect as well."""
        following = request.method in READ_METHODS
        reading = following or self._reading > 0
        what = _name(request)
        if self._meter is not None:
            self._meter.call()
        if self._exact is not None and not reading:
            self._exact.apply(request)
        kwargs["timeout"] = self._timeout
        kwargs["allow_redirects"] = following and kwargs.get("allow_redirects", True)
        try:
            response = super().send(request, **kwargs)
        except (OSError, urllib3.exceptions.HTTPError) as failure:
            error = _failed(failure, what, reading)
        else:
            if self._meter is not None:
                self._meter.hear(response.headers)
            _judge(response, what, reading, following)
            return response
        raise error  # out here, so that it does not carry the cause, whose text holds the whole URL


@dataclass
class _Exact:
    body: bytes
    headers: dict[str, str]
    taken_by: tuple[str | None, str | None] | None = field(default=None)

    def apply(self, request: requests.PreparedRequest) -> None:
        target = (request.method, request.url)
        self.taken_by = self.taken_by or target
        if self.taken_by != target:
            return
        request.body = self.body
        request.headers.pop("Transfer-Encoding", None)
        request.headers["Content-Length"] = str(len(self.body))
        request.headers.setdefault("Content-Type", "application/json")
        request.headers.update(self.headers)


class _Rebased(HTTPAdapter):
    """Sends to `base_url` while the client goes on seeing its own URLs (zenpy chooses by them)."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")
        super().__init__(max_retries=0)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # requests passes everything but the request by name
        asked = urlsplit(str(request.url))
        moved = request.copy()
        moved.url = self._base + asked.path + (f"?{asked.query}" if asked.query else "")
        # The proxies in `kwargs` were chosen for the vendor's host, which is not asked; and no
        # proxy can lead to a port of this machine.
        here = urlsplit(self._base).hostname in LOOPBACK
        kwargs["proxies"] = {} if here else get_environ_proxies(moved.url, no_proxy=None)
        response = super().send(moved, **kwargs)
        response.request = request
        response.url = str(request.url)
        return response


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """`Retry-After` as seconds or HTTP date, clamped to 1..3600 s; None if absent or garbage.

    A date counts from the answer's own `Date`, so that a wrong clock on either side does no harm.
    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        wish = float(text)
    else:
        until = _http_date(text)
        if until is None:
            return None
        wish = (until - (_http_date(headers.get("Date", "")) or now)).total_seconds()
    least, most = RETRY_AFTER_SECONDS
    return min(max(wish, least), most)


def _judge(response: requests.Response, what: str, reading: bool, following: bool) -> None:
    status = response.status_code
    wait = retry_after_seconds(response.headers, datetime.now(UTC))
    if status == 429:
        raise TryLater(f"{what}: the rate limit is reached (429)", wait, account_wide=True)
    if status == 503:
        raise TryLater(f"{what}: the service is unavailable (503)", wait)
    if status in (500, 502, 504) or 520 <= status <= 529:
        if reading:
            raise TryLater(f"{what}: the service failed ({status})", wait)
        raise LookFirst(f"{what}: the service failed ({status}); it may have acted before")
    if response.is_redirect and not following:
        raise Paused(
            f"{what}: answered with a redirect ({status}), as after a change of address; "
            "check the domain of this account in connector.yaml"
        )


def _failed(failure: Exception, what: str, reading: bool) -> ConnectorError:
    unsent = _unsent(failure)
    if unsent:
        return TryLater(f"{what}: {unsent}")
    silent = (requests.Timeout, urllib3.exceptions.ReadTimeoutError)
    late = isinstance(failure, silent) or isinstance(_cause(failure), silent)
    said = "no answer in time" if late else "the connection broke before the answer was whole"
    return TryLater(f"{what}: {said}") if reading else LookFirst(f"{what}: {said}")


def _unsent(failure: Exception) -> str:
    """Why the request cannot have reached the far side; empty where it may have."""
    if isinstance(failure, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(failure, ValueError | requests.TooManyRedirects):
        return "the address leads nowhere"
    cause = _cause(failure)
    if isinstance(cause, urllib3.exceptions.MaxRetryError):
        cause = cause.reason
    if isinstance(cause, urllib3.exceptions.ProxyError):
        return "the proxy could not be used"
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return "no connection"
    if isinstance(_cause(cause), ssl.SSLCertVerificationError):
        return "the certificate of the far side is not trusted"
    return ""


def _cause(failure: object) -> object:
    return failure.args[0] if isinstance(failure, Exception) and failure.args else None


def _name(request: requests.PreparedRequest) -> str:
    path = urlsplit(str(request.url)).path
    return f"{request.method} {_TELLTALE.sub('…', path)}"


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
