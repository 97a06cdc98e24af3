"""Sources with one mistake each, such as are easily made. Nothing but the contract notices them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import requests

from connector.domain import Note, Pulled, Response
from connector.sources.delighted import Delighted


class RepeatsTheBoundaryRow(Delighted):
    """Knows the second that it ended with, but not what it had read of it."""

    def pull(self, cursor: str | None, now: datetime) -> Iterator[Pulled]:
        inner, boundary = json.loads(cursor) if cursor else (None, [])
        newest = list(boundary)
        for page in super().pull(inner, now):
            records = [record.decode() for record in page.records]
            again = {_created(record) for record in records} & {_created(old) for old in boundary}
            newest = _newest([*newest, *records])
            yield Pulled(
                records=tuple(one.encode() for one in [*(boundary if again else []), *records]),
                cursor=json.dumps([page.cursor, newest]),
                more=page.more,
            )


def _created(record: str) -> int:
    row = json.loads(record)
    return int(row.get("created_at", 0)) if isinstance(row, dict) else 0


def _newest(records: list[str]) -> list[str]:
    last = max(map(_created, records), default=0)
    return [record for record in records if _created(record) == last]


class StopsAtPageOne(Delighted):
    """Leaves the rest for the next poll, a minute later."""

    def pull(self, cursor: str | None, now: datetime) -> Iterator[Pulled]:
        yield next(super().pull(cursor, now))


class TreatsZeroAsNoScore(Delighted):
    """`score or None`."""

    def parse(self, note: Note) -> Response | None:
        read = super().parse(note)
        return read.model_copy(update={"score": read.score or None}) if read else None


class HasNoTimeout(Delighted):
    """Asks with a session of its own making."""

    def __init__(self, settings: Any, session: requests.Session) -> None:
        super().__init__(settings, session)
        session._timeout = None  # type: ignore[attr-defined]  # only the broken reach in there
