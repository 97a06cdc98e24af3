"""Asking a vendor's API: patient reads, replies turned into JSON or errors of ours, cursors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import requests
from pydantic import ValidationError

from connector.domain import Value
from connector.errors import Paused, Refused, TryLater
from connector.patience import patiently

Query = Mapping[str, str | int]
P = TypeVar("P", bound=Value)


def get(
    session: requests.Session, url: str, query: Query, auth: Any = None, **headers: str
) -> requests.Response:
    """GET with the patience that a read deserves. Raises what the session raises."""
    return patiently(lambda: session.get(url, params=query, auth=auth, headers=headers))


def answer(response: requests.Response, vendor: str, cures: Mapping[int, str]) -> Any:
    """The JSON of a good reply.

    Args:
        cures: what a person has to do about a status, as a whole sentence.

    Raises:
        Paused: for a status in `cures`.
        Refused: for another status that is not good.
        TryLater: when a good reply is no JSON, as from a proxy or a login page on the way.
    """
    status = response.status_code
    if status in cures:
        raise Paused(cures[status])
    if not response.ok:
        raise Refused(f"{vendor} answered {status} to a read of its answers")
    try:
        return response.json()
    except ValueError:
        raise TryLater(f"{vendor} answered something that is not JSON") from None


def only_reads(session: requests.Session) -> AbstractContextManager[None]:
    """For a POST that only fetches a token: whatever fails inside, nothing happened."""
    reading: AbstractContextManager[None] = getattr(session, "reading", nullcontext)()
    return reading


def place_of(cursor: str | None, kind: type[P]) -> P:
    """The place that a cursor names. One that cannot be read counts as none: everything is read
    again, and whatever is known already is recognised by its id."""
    try:
        return kind.model_validate_json(cursor) if cursor else kind()
    except ValidationError:
        return kind()
