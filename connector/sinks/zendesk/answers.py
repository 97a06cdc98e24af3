"""What Zendesk says when it says no. https://developer.zendesk.com/api-reference/introduction/responses/"""

from __future__ import annotations

from collections.abc import Iterable

import requests


class Answered(Exception):
    """Zendesk said no. `code` is its own name of the error, `words` its reasons, unfiltered."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.code = code
        self.words = words


class Conflict(Exception):
    """409: someone changed the ticket after it was read; nothing of this request was written."""


class KeyMismatch(Exception):
    """400 IdempotentRequestError: the key was used before, for other bytes."""


def answered(response: requests.Response) -> Answered:
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    error = answer.get("error")
    code = error.get("title") if isinstance(error, dict) else error
    words = [*_details(answer.get("details"))] or [
        str(text)
        for text in (answer.get("description"), answer.get("message"), _message(error))
        if text
    ]
    return Answered(response.status_code, str(code or ""), "; ".join(words))


def _details(details: object) -> Iterable[str]:
    """`{"priority": [{"description": "Priority: asap is not included in the list"}]}`."""
    problems = details.values() if isinstance(details, dict) else ()
    for listed in problems:
        for one in listed if isinstance(listed, list) else [listed]:
            yield str(one.get("description") or one) if isinstance(one, dict) else str(one)


def _message(error: object) -> object:
    return error.get("message") if isinstance(error, dict) else None


def said(no: Answered) -> str:
    return f"{no.status} {no.code}"[:80].strip()
