"""News of our tasks: what changed since, by one query in pages, or some tasks by their ids.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.domain import Followed, Standing, Watched, is_case_key
from connector.sinks.salesforce.people import chunks
from connector.sinks.salesforce.session import Org
from connector.sinks.salesforce.settings import SalesforceSettings
from connector.sinks.salesforce.standings import COMPLETED, Columns, standing

OVERLAP = timedelta(minutes=5)  # a slow transaction is seen after younger ones, with an older stamp
_TASK_ID = re.compile(r"00T[A-Za-z0-9]{12}(?:[A-Z0-9]{3})?")
Fields = Mapping[str, Mapping[str, Any]]


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
        columns = self._columns(now)
        if not columns.key:
            yield Followed(standings=tuple(self.look(watched, now)), cursor=cursor)
        elif cursor is None:
            newest = self._newest(columns.key, now)  # before they are read: nothing falls between
            yield Followed(standings=tuple(self.look(watched, now)), cursor=newest)
        else:
            yield from self._since(cursor, columns, watched, now)

    def look(self, watched: Sequence[Watched], now: datetime) -> list[Standing]:
        """With the recycle bin. One that is not shown at all is passed over: it may be purged, or
        only hidden from the integration user."""
        from connector.sinks.salesforce.client import format_soql

        columns, known = self._columns(now), _by_short_id(watched)
        soql = f"SELECT {columns.listed} FROM Task WHERE Id IN {{ids}}"  # noqa: S608 - names of fields
        found: list[Standing] = []
        for some in chunks(sorted(known)):
            rows = self._org.query(format_soql(soql, ids=some), now, deleted=True)
            found += [self._standing(row, columns, known) for row in rows]
        return found

    def _since(
        self, cursor: str, columns: Columns, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        """The far side keeps its place between pages, so equal stamps at a border lose nothing."""
        known, key = _by_short_id(watched), columns.key
        since = _literal(datetime.fromisoformat(cursor) - OVERLAP)
        soql = (
            f"SELECT {columns.listed} FROM Task "  # noqa: S608 - names of fields and a time of ours
            f"WHERE {key} != null AND SystemModstamp >= {since} ORDER BY SystemModstamp, Id"
        )
        for rows in self._org.pages(soql, now, deleted=True):
            if rows:
                cursor = max(cursor, _literal(_stamp(rows[-1])))
            ours = [row for row in rows if is_case_key(str(row[key]))]
            standings = [self._standing(row, columns, known) for row in ours]
            yield Followed(standings=tuple(standings), cursor=cursor)

    def _newest(self, key: str, now: datetime) -> str | None:
        """The far side's own time, so that our clock does not matter; None before the first."""
        rows = self._org.query(
            f"SELECT SystemModstamp FROM Task WHERE {key} != null "  # noqa: S608 - our setting
            "ORDER BY SystemModstamp DESC LIMIT 1",
            now,
            deleted=True,
        )
        return _literal(_stamp(rows[0])) if rows else None

    def _standing(
        self, row: Mapping[str, Any], columns: Columns, known: Mapping[str, Watched]
    ) -> Standing:
        return standing(row, columns, self._waiting, known.get(str(row["Id"])[:15]))

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


def _stamp(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(row["SystemModstamp"]))


def _literal(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
