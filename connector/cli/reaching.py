"""Asking one system for its findings, and saying which address did not answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from connector import http
from connector.domain import Finding
from connector.errors import ConnectorError

_REQUEST = re.compile(r"[A-Z]+ /")  # GET /path: …


class Reaching(http.Session):
    """Remembers the host that a request was meant for when no answer came from it."""

    def __init__(self, base_url: str | None) -> None:
        super().__init__(base_url)
        self.unreached = ""
        self._base = base_url

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        # Whatever a system says, an answer passes this hook; then it was reached.
        self.unreached = urlsplit(self._base or str(request.url)).netloc.rpartition("@")[2]
        request.hooks["response"] = [*request.hooks["response"], self._came]
        return super().send(request, **kwargs)

    def _came(self, _response: requests.Response, *_: Any, **__: Any) -> None:
        self.unreached = ""


def judged(id: str, session: Reaching, ask: Callable[[], Sequence[Finding]]) -> list[Finding]:
    """The findings of one source or sink, each with its id, what is wrong, and what to do."""
    try:
        found = ask()
    except ConnectorError as error:
        found = [Finding(ok=False, subject="", message=str(error))]
    return [_plain(id, session.unreached, finding) for finding in found]


def _plain(id: str, unreached: str, found: Finding) -> Finding:
    message, cure = found.message, found.cure
    if not found.ok and unreached:
        message = f"{unreached} cannot be reached ({message.rpartition(': ')[2]})"
        cure = "is it reachable from here? check network, proxy and base_url"
    elif not found.ok and (not cure or cure in message):
        what, rest = _split(message)
        message, cure = what, cure or rest
    return Finding(
        ok=found.ok, subject=f"{id} {found.subject}".rstrip(), message=message, cure=cure
    )


def _split(said: str) -> tuple[str, str]:
    """The text of an error says both: what is wrong, and what to do."""
    mark = "; " if "; " in said else ": "
    if mark == ": " and _REQUEST.match(said):
        return said, ""
    what, _, cure = said.partition(mark)
    return what, cure
