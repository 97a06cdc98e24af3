"""Cases as following up leaves them, put into the tables as they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from connector.store.tables import actions, cases, responses

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Cases:
    """`add(days_ago, touched=…, closed=…)`; times are hours after the answer."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.number = 1_000  # other tests make actions of their own

    def add(
        self,
        days_ago: float = 10,
        touched: float | None = None,
        closed: float | None = None,
        promised: float | None = 24,
        times: int = 1,
        at: datetime | None = None,
        **more: Any,
    ) -> None:
        at = at or self.world.now - days_ago * DAY
        after = {
            name: None if hours is None else at + hours * HOUR
            for name, hours in (("touched", touched), ("closed", closed), ("promised", promised))
        }
        state = "closed" if closed is not None else "contacted" if touched is not None else "open"
        row = {"source": "app", "survey": "nps", "score": 3, "segment": "detractor"}
        row |= {"rule_id": "detractor", "sink": "desk", "state": state, "team": "Care"}
        row |= {"owner": "ana", "contacted_at": after["touched"], "closed_at": after["closed"]}
        row |= {"working_seconds": None if touched is None else touched * 1_200}
        row |= {"respond_by": after["promised"], "opened_at": at, "cause": None}
        row |= {"action_taken": None, "reopened": 0, "customer_id": None, **more}
        numbers = range(self.number + 1, self.number + times + 1)
        self.number += times
        rows = [_rows(number, at, row) for number in numbers]

        def work(connection: Any) -> None:
            for table, some in zip(
                (responses, actions, cases), zip(*rows, strict=True), strict=True
            ):
                connection.execute(insert(table), list(some))

        self.world.workspace.store.write(work)


def _rows(number: int, at: datetime, row: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    response = f"case-{number}"
    shared = {name: row[name] for name in ("source", "survey", "score", "segment")}
    answer = {**shared, "id": response, "revision": 1, "content": {}, "history": False}
    answer |= {"content_hash": response, "answered_at": at, "received_at": at}
    action = {"id": number, "key": f"nps-{number}", "response_id": response, "created_at": at}
    action |= {"rule_id": row["rule_id"], "sink": row["sink"], "account": "zendesk:acme"}
    action |= {"kind": "zendesk.ticket", "opens_case": True, "to_customer": False, "order": {}}
    action |= {"state": "done", "due_at": at}
    case = {**row, "action_id": number, "response_id": response, "remote_id": str(number)}
    return answer, action, {**case, "answered_at": at}
