"""When a sink has something to do next, and what counts as unfinished."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.store import Store, alarms, arrivals, outbox, sending, watching

SINK = "desk"


def action(key: str, due_at: datetime, **values: Any) -> dict[str, Any]:
    row = {
        "key": key,
        "rule_id": "detractor",
        "sink": SINK,
        "account": "zendesk:acme",
        "kind": "zendesk.ticket",
        "opens_case": True,
        "to_customer": False,
        "order": {},
        "state": "waiting",
        "due_at": due_at,
        "created_at": due_at,
    }
    return row | values


def add(store: Store, row: dict[str, Any]) -> int:
    return store.write(lambda c: outbox.add_action(c, row))


def next_due(store: Store, now: datetime) -> datetime | None:
    with store.read() as connection:
        return sending.next_due(connection, SINK, now)


@pytest.mark.parametrize("state", ["sending", "in_doubt", "held"])
def test_an_amendment_is_not_due_before_its_case_is_made(
    store: Store, now: datetime, state: str
) -> None:
    later = now + timedelta(hours=1)
    case = add(store, action("case", later, state=state))
    add(store, action("case-r2", now - timedelta(minutes=1), amends=case))
    assert next_due(store, now) == (later if state == "sending" else None)


def test_an_amendment_of_a_case_that_is_made_is_due(store: Store, now: datetime) -> None:
    case = add(store, action("case", now, state="done"))
    add(store, action("case-r2", now, amends=case))
    assert next_due(store, now) == now


def test_what_waits_for_a_person_is_not_unfinished(store: Store, now: datetime) -> None:
    for state in ("held", "parked", "in_doubt", "done", "withheld", "superseded"):
        add(store, action(state, now, state=state))
    with store.read() as connection:
        assert watching.unfinished(connection) == (0, 0, 0)


def test_what_still_happens_by_itself_is_unfinished(store: Store, now: datetime) -> None:
    add(store, action("waiting", now + timedelta(days=1)))
    add(store, action("sending", now, state="sending"))
    store.write(lambda c: arrivals.store_records(c, "app", "webhook", [b"one"], now))
    store.write(lambda c: alarms.raise_alarm(c, "parked", "action 1", "see it", now))
    with store.read() as connection:
        assert watching.unfinished(connection) == (1, 2, 1)
