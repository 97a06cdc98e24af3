"""News of our tasks: what changed since, by one query in pages, or some tasks by their ids.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.domain import Followed, Standing, Watched, is_case_key
from connector.sinks.salesforce.people import chunks
from connector.sinks.salesforce.session import Org
from connector.sinks.salesforce.settings import SalesforceSettings
from connector.sinks.salesforce.standings import COMPLETED, Columns, standing

OVERLAP = timedelta(minutes=5)  # a slow transaction is seen after younger ones, with an older stamp
_TASK_ID = re.compile(r"00T[A-Za-z0-9]{12}(?:[A-Z0-9]{3})?")
_PLACE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)(?: (00T[A-Za-z0-9]{12,15}))?")
Fields = Mapping[str, Mapping[str, Any]]
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Place:
    """How far the changes were read: to their end, or to one row within a round."""

    stamp: str
    row: str = ""

    @classmethod
    def read(cls, cursor: str | None) -> _Place | None:
        """None where it is no cursor of ours: then it begins anew."""
        found = _PLACE.fullmatch(cursor or "")
        return cls(found[1], found[2] or "") if found else None

    def __str__(self) -> str:
        return f"{self.stamp} {self.row}"

    @property
    def condition(self) -> str:
        if self.row:
            behind = f"SystemModstamp = {self.stamp} AND Id > '{self.row}'"
            return f"(SystemModstamp > {self.stamp} OR ({behind}))"
        since = datetime.fromisoformat(self.stamp) - OVERLAP
        return f"SystemModstamp >= {_literal(since.isoformat())}"


class News:
    """`fields`: what Task has, by case-folded name.

    Where the unique field is not shown there is no telling which tasks are ours: then those that
    are watched are looked at, 200 a call.
    """

    def __init__(
        self, org: Org, settings: SalesforceSettings, fields: Callable[[datetime], Fields]
    ) -> None:
        self._org = org
        self._settings = settings
        self._fields = fields
        self._waiting = {status.casefold() for status in settings.waiting_statuses}

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        columns, place = self._columns(now), _Place.read(cursor)
        if not columns.key:
            yield Followed(standings=tuple(self.look(watched, now)))
        elif place is None:
            newest = self._newest(columns.key, now)  # before they are read: nothing falls between
            yield Followed(standings=tuple(self.look(watched, now)), cursor=newest)
        else:
            yield from self._since(place, columns, watched, now)

    def look(self, watched: Sequence[Watched], now: datetime) -> list[Standing]:
        """With the recycle bin. One that is not shown at all is passed over: it may be purged, or
        only hidden from the integration user."""
        from connector.sinks.salesforce.client import format_soql

        columns, known = self._columns(now), _by_short_id(watched)
        soql = f"SELECT {columns.listed} FROM Task WHERE Id IN {{ids}}"  # noqa: S608 - names of fields
        found: list[Standing] = []
        for some in chunks(sorted(known)):
            rows = self._org.query(format_soql(soql, ids=some), now, deleted=True)
            found += self._standings(rows, columns, known)
        return found

    def _since(
        self, place: _Place, columns: Columns, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        """Stopped between two pages, the next round goes on behind the last row; one that came to
        its end begins the next a little earlier."""
        known = _by_short_id(watched)
        soql = (
            f"SELECT {columns.listed} FROM Task "  # noqa: S608 - names of fields and a place of ours
            f"WHERE {columns.key} != null AND {place.condition} ORDER BY SystemModstamp, Id"
        )
        for rows, more in self._org.pages(soql, now, deleted=True):
            if rows:
                place = _Place(_literal(rows[-1]["SystemModstamp"]), str(rows[-1]["Id"]))
            standings = tuple(self._standings(rows, columns, known))
            yield Followed(standings=standings, cursor=f"{place}" if more else place.stamp)

    def _newest(self, key: str, now: datetime) -> str | None:
        """The far side's own time, so that our clock does not matter; None before the first."""
        rows = self._org.query(
            f"SELECT SystemModstamp FROM Task WHERE {key} != null "  # noqa: S608 - our setting
            "ORDER BY SystemModstamp DESC LIMIT 1",
            now,
            deleted=True,
        )
        return _literal(rows[0]["SystemModstamp"]) if rows else None

    def _standings(
        self, rows: Rows, columns: Columns, known: Mapping[str, Watched]
    ) -> Iterator[Standing]:
        for row in rows:
            if not columns.key or is_case_key(str(row[columns.key])):
                yield standing(row, columns, self._waiting, known.get(str(row["Id"])[:15]))

    def _columns(self, now: datetime) -> Columns:
        fields, settings = self._fields(now), self._settings

        def shown(name: str) -> str:
            return str(fields.get(name.casefold(), {}).get("name", ""))

        return Columns(
            key=shown(settings.external_id_field),
            completed=shown(COMPLETED),
            cause=shown(settings.cause_field),
            action_taken=shown(settings.action_field),
        )


def _by_short_id(watched: Sequence[Watched]) -> dict[str, Watched]:
    """A person may have recorded another id by hand; one that is none would refuse the query."""
    return {one.remote_id[:15]: one for one in watched if _TASK_ID.fullmatch(one.remote_id)}


def _literal(stamp: object) -> str:
    """A time as Salesforce shows it, as SOQL reads it."""
    when = datetime.fromisoformat(str(stamp)).astimezone(UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
