"""Taking a person out of the digests that tell of them: what is not sent is written anew."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from connector.store.alarms import raise_alarm
from connector.store.tables import actions, alarms, attempts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ERASED = "a person was erased from it"
_ON_ITS_WAY = "a person in it was erased while it was on its way; look whether it arrived"


def forget(connection: Connection, response: str, now: datetime) -> None:
    """No digest keeps a word of this response, nor its frozen request. What is sent or may have
    been is not sent again: a message that was on its way is in doubt."""
    mine = select(actions.c.key, actions.c.grouped_in).where(actions.c.response_id == response)
    keys: dict[int, set[str]] = {}
    # Locked, all of them: one that is being grouped at this moment is seen in its digest.
    for row in connection.execute(mine.order_by(actions.c.id).with_for_update()):
        if row.grouped_in is not None:
            keys.setdefault(row.grouped_in, set()).add(row.key)
    for digest, gone in sorted(keys.items()):
        found = select(actions).where(actions.c.id == digest).with_for_update()
        row = connection.execute(found).one()
        values = _without(row, gone, now)
        connection.execute(update(actions).where(actions.c.id == digest).values(**values))
        connection.execute(
            update(attempts).where(attempts.c.action_id == digest).values(error=None)
        )
        about = alarms.c.subject == f"action {digest}"
        connection.execute(update(alarms).where(about).values(message=_ERASED))
        if values.get("state") == "in_doubt" and row.state != "in_doubt":
            raise_alarm(connection, "in_doubt", f"action {digest}", _ON_ITS_WAY, now)


def _without(row: Any, gone: Collection[str], now: datetime) -> dict[str, Any]:
    order = _shorter(row.order, gone)
    values: dict[str, Any] = {"order": order, "request": None, "error": None, "remark": None}
    if row.state == "sending" or (row.state == "parked" and row.first_sent_at is not None):
        # A new fence: whoever has it in hand, or takes it over, must not send these bytes again.
        values |= {"state": "in_doubt", "error": _ON_ITS_WAY, "finished_at": now}
        values |= {"fence": row.fence + 1, "lease_until": None}
    elif row.state in ("waiting", "held"):
        values |= {"fence": row.fence + 1, "lease_until": None}
    elif row.state in ("parked", "in_doubt"):
        values["error"] = _ERASED
    empty = not (order["digest"]["lines"] or order["digest"]["more"])
    if empty and row.first_sent_at is None and row.state in ("waiting", "held", "parked"):
        values |= {"state": "superseded", "error": "the person was erased", "finished_at": now}
    return values


def _shorter(order: Mapping[str, Any], gone: Collection[str]) -> dict[str, Any]:
    """The order without these lines; its text may quote nobody."""
    digest = order["digest"]
    lines = [line for line in digest["lines"] if line["key"] not in gone]
    more = max(digest["more"] - len(gone) + len(digest["lines"]) - len(lines), 0)
    params = {**order["params"], "text": f"{len(lines) + more} alerts"}
    return {**order, "params": params, "digest": {"lines": lines, "more": more}}
