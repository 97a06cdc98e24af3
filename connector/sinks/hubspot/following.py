"""News of our tasks: each one that is watched is read, as HubSpot has no list of changes that does
not lag; what is not there any more is looked for among the deleted.

https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.domain import CaseState, Followed, Standing, Watched, is_case_key
from connector.sinks.hubspot.people import Owners
from connector.sinks.hubspot.portal import MOST_INPUTS, Portal
from connector.sinks.hubspot.records import as_moment
from connector.sinks.hubspot.settings import HubSpotSettings

MOST_WITH_HISTORY = 50
STATUS, OWNER = "hs_task_status", "hubspot_owner_id"
CHANGED, COMPLETED = "hs_lastmodifieddate", "hs_task_completion_date"
STATES: Mapping[str, CaseState] = {
    "NOT_STARTED": "open",
    "IN_PROGRESS": "contacted",
    "WAITING": "contacted",
    "DEFERRED": "contacted",
    "COMPLETED": "closed",
}
_PLACE = re.compile(r"(open|contacted):(\d{1,30})")
Row = Mapping[str, Any]


class News:
    def __init__(self, settings: HubSpotSettings, portal: Portal, owners: Owners) -> None:
        self._settings = settings
        self._portal = portal
        self._owners = owners
        told = (settings.cause_field, settings.action_field)
        names = (STATUS, OWNER, CHANGED, COMPLETED, settings.marker_property, *told)
        self._properties = [name for name in names if name]

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        """A call for 100 tasks; for 50 whose first touch is not known, because that stands in the
        history of the status. Stopped between two calls, the next round goes on with the rest."""
        pages = list(_pages(watched))
        behind = _place(cursor)
        rest = [page for page in pages if behind is not None and _order(page[-1]) > behind] or pages
        for page in rest:
            standings = tuple(self._read(page, not page[0].contacted, now))
            last = page is rest[-1]
            yield Followed(standings=standings, cursor=None if last else _cursor(page[-1]))

    def look(self, watched: Sequence[Watched], now: datetime) -> list[Standing]:
        pages = self.follow(None, watched, now)
        return [standing for page in pages for standing in page.standings]

    def _read(
        self, page: Sequence[Watched], with_history: bool, now: datetime
    ) -> Iterator[Standing]:
        since = {one.remote_id: one.since for one in page}
        ids = list(since)
        asked = {"properties": self._properties} | (
            {"propertiesWithHistory": (STATUS,)} if with_history else {}
        )
        rows, errors = self._portal.tasks_now(ids, asked, now, archived=False)
        missing = _named(errors) & set(ids) - {str(row["id"]) for row in rows}
        rows = [row for row in rows if self._is_ours(row)]
        owners = self._owners.names((_told(row, OWNER) for row in rows), now)
        for row in rows:
            yield self._standing(row, owners, since.get(str(row["id"])))
        if missing:
            yield from self._gone(sorted(missing), now)

    def _gone(self, missing: Sequence[str], now: datetime) -> Iterator[Standing]:
        """Of one that was deleted for good nothing is left to say when."""
        asked = {"properties": self._properties}
        rows, _ = self._portal.tasks_now(missing, asked, now, archived=True)
        deleted = {str(row["id"]): row for row in rows}
        for one in missing:
            row = deleted.get(one, {})
            if row and not self._is_ours(row):
                continue
            yield Standing(
                remote_id=one,
                state="gone",
                status=_told(row, STATUS),
                changed_at=as_moment(row.get("archivedAt")) or now,
            )

    def _is_ours(self, row: Row) -> bool:
        marker = self._settings.marker_property
        return marker is None or is_case_key(_told(row, marker))

    def _standing(
        self, row: Row, owners: Mapping[str, str], since: datetime | None = None
    ) -> Standing:
        status, settings = _told(row, STATUS), self._settings
        changed_at = as_moment(_told(row, CHANGED)) or as_moment(str(row["updatedAt"]))
        assert changed_at is not None  # noqa: S101 - every record has this time
        state = STATES.get(status, "contacted")  # a status of the account's own: somebody set it
        closed_at = (as_moment(_told(row, COMPLETED)) or changed_at) if state == "closed" else None
        return Standing(
            remote_id=str(row["id"]),
            state=state,
            status=status,
            changed_at=changed_at,
            owner=owners.get(_told(row, OWNER), ""),
            contacted_at=None
            if state == "open"
            else _first_touch(row, since) or closed_at or changed_at,
            closed_at=closed_at,
            cause=_told(row, settings.cause_field),
            action_taken=_told(row, settings.action_field),
        )


def _order(one: Watched) -> tuple[bool, int]:
    return one.contacted, int(one.remote_id)


def _pages(watched: Sequence[Watched]) -> Iterator[Sequence[Watched]]:
    """A person may have recorded another id by hand; one that is none would refuse the call."""
    numbered = sorted((one for one in watched if one.remote_id.isdecimal()), key=_order)
    for contacted, most in ((False, MOST_WITH_HISTORY), (True, MOST_INPUTS)):
        group = [one for one in numbered if one.contacted == contacted]
        for start in range(0, len(group), most):
            yield group[start : start + most]


def _cursor(last: Watched) -> str:
    return f"{'contacted' if last.contacted else 'open'}:{last.remote_id}"


def _place(cursor: str | None) -> tuple[bool, int] | None:
    """None where it is no cursor of ours: then it begins anew."""
    found = _PLACE.fullmatch(cursor or "")
    return (found[1] == "contacted", int(found[2])) if found else None


def _told(row: Row, name: str) -> str:
    return str((row.get("properties") or {}).get(name) or "")


def _first_touch(row: Row, since: datetime | None = None) -> datetime | None:
    """When the status was first another than the one with which we make tasks; what it was before
    `since` belongs to an earlier case in the same task."""
    history = (row.get("propertiesWithHistory") or {}).get(STATUS) or []
    begun = [one for one in history if one.get("value") not in ("", None, "NOT_STARTED")]
    times = [at for one in begun if (at := as_moment(str(one.get("timestamp") or "")))]
    return min((at for at in times if since is None or at >= since), default=None)


def _named(errors: Sequence[Row]) -> set[str]:
    """The ids that are not there, as HubSpot lists them; any other error says nothing about one."""
    absent = [error for error in errors if error.get("category") == "OBJECT_NOT_FOUND"]
    return {str(one) for error in absent for one in (error.get("context") or {}).get("ids") or []}
