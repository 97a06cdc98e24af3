"""What came of an attempt: receipts are kept, failures wait or are parked, a person is told."""

from __future__ import annotations

import random
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from connector import retry
from connector.domain import Receipt
from connector.errors import Paused, Refused, TryLater
from connector.store import alarms, outbox
from connector.text import clean_email, hashed, one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.ports import Capabilities

_NOTHING_SENT: dict[str, Any] = {"request": None, "first_sent_at": None}


def record(
    connection: Connection,
    row: Any,
    result: Any,
    capabilities: Capabilities,
    looking: bool,
    now: datetime,
) -> str:
    """Keep what came of this row: a receipt, an error, or None for "nobody knows".

    `looking`: it was only a look-up, so an earlier send stays unheard. Returns done, wait, parked
    or in_doubt; nothing where somebody else has the row by now.
    """
    if isinstance(result, Receipt):
        _succeed(connection, row, result, now)
        return "done"
    if not outbox.still_mine(connection, [row]):
        return ""  # only a receipt is worth keeping then
    if result is None:
        message = "sent, but no answer came; it may have arrived"
        _park(connection, row, "in_doubt", message, undone=False, now=now)
        return "in_doubt"
    sure = Refused if row.request is not None else Refused | TryLater | Paused
    undone = isinstance(result, sure) and not looking
    return _fail(connection, row, result, capabilities, undone, now)


def finish(connection: Connection, row: Any, state: str, now: datetime, **values: object) -> None:
    values = {"error": None, "failing_since": None, **values}
    outbox.change_action(
        connection, row.id, state=state, finished_at=now, lease_until=None, **values
    )


def address_hash(row: Any) -> str | None:
    """The address that a message goes to, as the suppression list knows it."""
    address = clean_email(str(row.order["facts"]["customer"].get("email") or ""))
    return hashed("address", address) if address else None


def _succeed(connection: Connection, row: Any, receipt: Receipt, now: datetime) -> None:
    outbox.end_attempt(connection, row.id, "done", None, now)
    values: dict[str, Any] = {"remote_id": receipt.remote_id, "url": receipt.url}
    if outbox.is_superseded(connection, row.id):
        what = (
            f"{row.kind} {receipt.remote_id} in {row.sink} was on its way while its person was "
            f"erased; delete it there {receipt.url}"
        )
        alarms.raise_alarm(connection, "erased", f"action {row.id}", what.strip(), now)
    else:
        values["remark"] = receipt.remark or None
        if receipt.needs_attention:
            alarms.raise_alarm(connection, "remark", f"action {row.id}", receipt.remark, now)
    finish(connection, row, "done", now, **values)
    if outbox.resume_account(connection, row.account, now):
        alarms.clear_alarm(connection, "sink-paused", row.account, now)
    if row.failing_since is not None:
        alarms.clear_alarm(connection, "sink-failing", row.account, now)


def _fail(
    connection: Connection,
    row: Any,
    error: Exception,
    capabilities: Capabilities,
    undone: bool,
    now: datetime,
) -> str:
    """`undone`: nothing exists at the far side, so the newest revision may replace it."""
    message = one_line(str(error), 500)
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
    tries, since = row.attempts + 1, row.failing_since or now
    step = retry.after_failure(error, tries, since, capabilities, now, jitter)
    outbox.end_attempt(connection, row.id, type(error).__name__, message, now)
    if isinstance(step, retry.Park):
        _park(connection, row, step.state, message, undone, now)
        if isinstance(error, Refused) and error.address_dead and (digest := address_hash(row)):
            outbox.suppress(connection, digest, "bounced", now)
        return step.state
    paused = isinstance(error, Paused)
    values: dict[str, Any] = {"due_at": step.at, "lease_until": None, "error": message}
    values |= {"attempts": tries, "failing_since": None if paused else since}
    if undone:
        values |= {"state": "waiting", **_NOTHING_SENT}
    outbox.change_action(connection, row.id, **values)
    if step.everyone:
        outbox.pause_account(connection, row.account, step.at, message)
    if paused or now - since >= retry.SAY_SO_AFTER:
        kind: alarms.AlarmKind = "sink-paused" if paused else "sink-failing"
        alarms.raise_alarm(connection, kind, row.account, message, now)
    return "wait"


def _park(
    connection: Connection,
    row: Any,
    state: Literal["parked", "in_doubt"],
    message: str,
    undone: bool,
    now: datetime,
) -> None:
    """A person must look. `undone`: it can be built anew; else what was frozen is kept, and a
    retry looks for it first."""
    finish(connection, row, state, now, error=message, **(_NOTHING_SENT if undone else {}))
    if undone or state == "in_doubt":
        outbox.drop_amendments(connection, row, undone, now)
    if row.response_id is None:  # an alarm about each message of an alarm would never end
        alarms.raise_alarm(connection, alarms.CHANNEL, row.sink, message, now)
        return
    what = f"{row.kind} for response {row.response_id}: {message}"
    alarms.raise_alarm(connection, state, f"action {row.id}", what, now)
