"""How one task stands: what its row says, and no more than that.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_task.htm
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.domain import CaseState, Standing, Watched

ALWAYS_READ = (
    "Id, IsDeleted, Status, IsClosed, OwnerId, Owner.Name, CreatedDate, CreatedById, "
    "LastModifiedDate, LastModifiedById, SystemModstamp"
)
COMPLETED = "CompletedDateTime"
ONE_SAVE = timedelta(seconds=2)  # a flow that runs on creation saves the same record again
QUEUE = "00G"


@dataclass(frozen=True)
class Columns:
    """What is asked of each task; a field that this organisation does not show is empty."""

    key: str
    completed: str
    cause: str
    action_taken: str

    @property
    def listed(self) -> str:
        more = dict.fromkeys((self.key, self.completed, self.cause, self.action_taken))
        return ", ".join((ALWAYS_READ, *(name for name in more if name)))


def standing(
    row: Mapping[str, Any], columns: Columns, waiting: Collection[str], watched: Watched | None
) -> Standing:
    """`waiting`: the values of Status, case-folded, at which nobody has begun."""
    changed_at = _moment(row["SystemModstamp"])
    touched_at = _touched_at(row, waiting)
    closed_at = None
    if row["IsDeleted"]:
        state: CaseState = "gone"
        touched_at = None
    elif row["IsClosed"]:
        state = "closed"
        completed = row.get(columns.completed) if columns.completed else None
        closed_at = _moment(completed) if completed else changed_at
        touched_at = min(touched_at or closed_at, closed_at)
    elif touched_at:
        state = "contacted"
    else:
        state = "open"
    owner = str((row.get("Owner") or {}).get("Name") or "")
    queued = str(row.get("OwnerId") or "").startswith(QUEUE)
    return Standing(
        remote_id=watched.remote_id if watched else str(row["Id"]),
        state=state,
        status=str(row.get("Status") or ""),
        changed_at=changed_at,
        owner="" if queued else owner,
        team=owner if queued else "",
        contacted_at=touched_at,
        closed_at=closed_at,
        cause=_text(row, columns.cause),
        action_taken=_text(row, columns.action_taken),
    )


def _touched_at(row: Mapping[str, Any], waiting: Collection[str]) -> datetime | None:
    """When a person had surely begun; None where the row does not prove it.

    It tells the last editor, not what was edited. So with a Status that still waits only an edit
    by the owner counts: one by somebody else is what handing the task on looks like, and it may be
    an automation. A rule can make a task with another Status: until the second save it proves
    nothing.
    """
    edited = _moment(row["LastModifiedDate"])
    by_us = row["LastModifiedById"] == row["CreatedById"]
    if str(row.get("Status") or "").casefold() not in waiting:
        only_made = by_us and edited - _moment(row["CreatedDate"]) <= ONE_SAVE
        return None if only_made else edited
    return edited if not by_us and row["LastModifiedById"] == row["OwnerId"] else None


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column) if column else None
    return "" if value is None else str(value)
