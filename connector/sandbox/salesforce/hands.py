"""What people of the sales team do with tasks, for tests and the demo."""

from __future__ import annotations

from typing import Any, ClassVar

from connector.sandbox.core import Vendor
from connector.sandbox.salesforce.schema import Row
from connector.sandbox.salesforce.tasks import RecordError, Tasks

REP = "sonia@example.com"
MANAGER = "marta@example.com"


class Staffed(Vendor):
    """A stand-in whose tasks are worked on. `by` and `to` are users, by their user names."""

    tasks: Tasks
    hands: ClassVar[frozenset[str]] = frozenset(
        {"start", "complete", "reassign", "reopen", "delete", "fill"}
    )

    def start(self, task_id: str, by: str = REP) -> Row:
        return self._changed(task_id, by, Status="In Progress")

    def complete(self, task_id: str, by: str = REP) -> Row:
        return self._changed(task_id, by, Status="Completed")

    def reassign(self, task_id: str, to: str = REP, by: str = MANAGER) -> Row:
        return self._changed(task_id, by, OwnerId=self._user(to))

    def reopen(self, task_id: str, by: str = REP) -> Row:
        return self._changed(task_id, by, Status="In Progress")

    def delete(self, task_id: str, by: str = REP) -> None:
        """Into the recycle bin."""
        with self.changing():
            self.tasks.delete(self.tasks.rows[task_id], self._user(by))

    def fill(self, task_id: str, fields: Row, by: str = REP) -> Row:
        return self._changed(task_id, by, **fields)

    def purge(self, task_id: str) -> None:
        """The recycle bin is emptied."""
        with self.changing():
            del self.tasks.rows[task_id]

    def touch_by_agent(self, task_id: str, **changes: Any) -> Row:
        """A sales user changes fields of a task."""
        return self._changed(task_id, REP, **changes)

    def _changed(self, task_id: str, by: str, **changes: Any) -> Row:
        with self.changing():
            row = self.tasks.rows[task_id]
            try:
                self.tasks.update(row, self.tasks.parse(changes), self._user(by))
            except RecordError as refusal:
                raise ValueError(refusal.error["message"]) from None
            return row

    def _user(self, name: str) -> str:
        users: dict[str, Row] = self.state["records"]["User"]
        found = next((id for id, user in users.items() if user["Username"] == name), None)
        if found is None:
            raise ValueError(f"there is no user {name}")
        return found
