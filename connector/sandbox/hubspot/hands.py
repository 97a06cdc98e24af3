"""What people of the sales team do with tasks, for tests and the demo."""

from __future__ import annotations

from typing import ClassVar

from connector.sandbox.core import Vendor
from connector.sandbox.hubspot.answers import ItemError, Row
from connector.sandbox.hubspot.crm import Crm

REP = "sonia@example.com"
OTHER_REP = "casper@example.com"


class Staffed(Vendor):
    """A stand-in whose tasks are worked on. `by` and `to` are owners, by their addresses."""

    crm: Crm
    hands: ClassVar[frozenset[str]] = frozenset(
        {"start", "complete", "reassign", "reopen", "delete", "fill"}
    )

    def start(self, task_id: str, by: str = REP) -> Row:
        return self.fill(task_id, {"hs_task_status": "IN_PROGRESS"}, by)

    def complete(self, task_id: str, by: str = REP) -> Row:
        return self.fill(task_id, {"hs_task_status": "COMPLETED"}, by)

    def reassign(self, task_id: str, to: str = OTHER_REP, by: str = REP) -> Row:
        return self.fill(task_id, {"hubspot_owner_id": self._owner(to)["id"]}, by)

    def reopen(self, task_id: str, by: str = REP) -> Row:
        return self.fill(task_id, {"hs_task_status": "IN_PROGRESS"}, by)

    def delete(self, task_id: str) -> None:
        """Into the recycling bin, where `archived=true` still sees it."""
        with self.changing():
            self.crm.archive(self.crm.rows("tasks")[task_id])

    def fill(self, task_id: str, fields: Row, by: str = REP) -> Row:
        """Raises ValueError for what the vendor's own pages would refuse."""
        with self.changing():
            row = self.crm.rows("tasks")[task_id]
            try:
                self.crm.check("tasks", fields, row)
            except ItemError as refusal:
                raise ValueError(refusal.message) from None
            self.crm.update("tasks", row, fields, self._owner(by)["userId"])
            return row

    def purge(self, task_id: str) -> None:
        """Deleted for good: nothing shows it any more."""
        with self.changing():
            del self.crm.rows("tasks")[task_id]

    def leave(self, email: str) -> None:
        """A user is deactivated; what they own stays theirs."""
        with self.changing():
            self._owner(email)["archived"] = True

    def touch_by_agent(self, task_id: str, **properties: str) -> Row:
        """A sales user changes properties of a task."""
        return self.fill(task_id, properties)

    def _owner(self, email: str) -> Row:
        owners: list[Row] = self.state["owners"]
        found = next((owner for owner in owners if owner["email"] == email), None)
        if found is None:
            raise ValueError(f"there is no owner {email}")
        return found
