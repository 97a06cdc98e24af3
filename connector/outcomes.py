"""What came of an attempt: receipts are kept, failures wait or are parked, a person is told."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from connector import retry
from connector.domain import Receipt
from connector.errors import ConnectorError, Paused, Refused, TryLater
from connector.store import alarms, cases, outbox, sending, suppressions
from connector.text import clean_email, hashed, one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.domain import Order
    from connector.ports import Capabilities

_NOTHING_SENT: dict[str, Any] = {"request": None, "first_sent_at": None}


@dataclass(slots=True)
class Claimed:
    """An action in hand: its row as it was claimed, its order, and the bytes to send.

    `absent`: it was looked for, and it is not at the far side.
    """

    row: Any
    order: Order | None
    body: bytes = b""
    absent: bool = False


@dataclass(slots=True)
class Tried:
    """One try and its result: a receipt, an error, or None for "nobody knows".

    `step` is send or find.
    """

    claimed: Claimed
    result: Receipt | ConnectorError | None
    step: str = "send"
    began: datetime | None = None  # nothing was called without it

    @property
    def undone(self) -> bool:
        """Nothing of it exists at the far side, so the newest revision may replace it."""
        sure = Refused if self.claimed.row.request is not None else Refused | TryLater | Paused
        return isinstance(self.result, sure) and self.step == "send"


def record(
    connection: Connection, tries: Sequence[Tried], capabilities: Capabilities, now: datetime
) -> list[str]:
    """Keep what came of these.

    Returns for each: done, wait, parked or in_doubt; nothing where somebody else has the row by
    now and there is no receipt, which alone is worth keeping then.
    """
    receipts = [one for one in tries if isinstance(one.result, Receipt)]
    _succeed(connection, receipts, now)
    if capabilities.opens_case:
        _keep_cases(connection, receipts, now)
    outcomes = dict.fromkeys((one.claimed.row.id for one in receipts), "done")
    others = [one for one in tries if not isinstance(one.result, Receipt)]
    mine = sending.still_mine(connection, [one.claimed.row for one in others]) if others else ()
    ours = [one for one in others if one.claimed.row.id in mine]
    keep_attempts(connection, [*receipts, *ours], now)
    for one in ours:
        outcomes[one.claimed.row.id] = _record_failure(connection, one, capabilities, now)
    return [outcomes.get(one.claimed.row.id, "") for one in tries]


def _record_failure(
    connection: Connection, tried: Tried, capabilities: Capabilities, now: datetime
) -> str:
    if tried.result is None:
        message = "sent, but no answer came; it may have arrived"
        _park(connection, tried.claimed.row, "in_doubt", message, undone=False, now=now)
        return "in_doubt"
    return _fail(connection, tried, capabilities, now)


def keep_attempts(connection: Connection, tries: Sequence[Tried], now: datetime) -> None:
    """For the story of each action; of what was not called there is nothing to tell."""
    made = [
        sending.Attempt(
            one.claimed.row.id,
            one.claimed.row.attempts + 1,
            one.step,
            one.began,
            now,
            _name(one.result),
            one_line(str(one.result), 500) if isinstance(one.result, Exception) else None,
        )
        for one in tries
        if one.began is not None
    ]
    sending.add_attempts(connection, made)


def _name(result: object) -> str:
    if isinstance(result, Receipt):
        return "done"
    return "nothing found" if result is None else type(result).__name__


def finish(connection: Connection, row: Any, state: str, now: datetime, **values: object) -> None:
    values = {"error": None, "failing_since": None, **values}
    outbox.change_action(
        connection, row.id, state=state, finished_at=now, lease_until=None, **values
    )


def address_hash(order: Order) -> str | None:
    """The address that a message goes to, as the suppression list knows it."""
    address = clean_email(str(order.facts.customer.get("email") or ""))
    return hashed("address", address) if address else None


def _succeed(connection: Connection, tries: Sequence[Tried], now: datetime) -> None:
    rows = [one.claimed.row for one in tries]
    made = {one.claimed.row.id: one.result for one in tries if isinstance(one.result, Receipt)}
    if not rows:
        return
    erased = sending.keep_receipts(connection, made, now)
    alarms.end_about(connection, list(made), now)
    for row in rows:
        receipt = made[row.id]
        if row.id in erased:
            _tell_erased(connection, row, receipt, now)
        elif receipt.needs_attention:
            alarms.raise_alarm(connection, "remark", f"action {row.id}", receipt.remark, now)
    for account in {row.account for row in rows}:
        if outbox.resume_account(connection, account, now):
            alarms.clear_alarm(connection, "sink-paused", account, now)
    for account in {row.account for row in rows if row.failing_since is not None}:
        alarms.clear_alarm(connection, "sink-failing", account, now)


def _keep_cases(connection: Connection, tries: Sequence[Tried], now: datetime) -> None:
    made = []
    for one in tries:
        order = one.claimed.order
        priority = str(order.params.get("priority") or "").lower() if order else ""
        made.append(cases.Made(one.claimed.row, priority, order.due_at if order else None))
    cases.keep(connection, made, now)


def _tell_erased(connection: Connection, row: Any, receipt: Receipt, now: datetime) -> None:
    what = (
        f"{row.kind} {receipt.remote_id} in {row.sink} was on its way while its person was "
        f"erased; delete it there {receipt.url}"
    )
    alarms.raise_alarm(connection, "erased", f"action {row.id}", what.strip(), now)
    finish(connection, row, "done", now, remote_id=receipt.remote_id, url=receipt.url)


def _fail(connection: Connection, tried: Tried, capabilities: Capabilities, now: datetime) -> str:
    row, error, undone = tried.claimed.row, tried.result, tried.undone
    assert isinstance(error, Exception)  # noqa: S101 - receipts and doubts are recorded elsewhere
    message = one_line(str(error), 500)
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
    tries, since = row.attempts + 1, row.failing_since or now
    step = retry.after_failure(error, tries, since, capabilities, now, jitter)
    if undone and isinstance(error, Refused):
        if row.reopens:
            return _open_anew(connection, row, tried, now)
        if _escalates(tried):
            finish(connection, row, "withheld", now, error=message, **_NOTHING_SENT)
            return "withheld"
    if isinstance(step, retry.Park):
        _park(connection, row, step.state, message, undone, now)
        if isinstance(error, Refused) and error.address_dead and tried.claimed.order is not None:
            _suppress(connection, tried.claimed.order, now)
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


def _escalates(tried: Tried) -> bool:
    """A case that was closed meanwhile needs no escalation, and nobody has to be told."""
    order = tried.claimed.order
    about = order.about if order is not None else None
    return about is not None and not about.reopens and tried.claimed.row.amends is not None


def _open_anew(connection: Connection, row: Any, tried: Tried, now: datetime) -> str:
    """The closed case cannot be opened again: this answer gets one of its own."""
    order = tried.claimed.order
    assert order is not None  # noqa: S101 - it was tried
    alone = order.model_copy(update={"about": None, "amends": None}).model_dump(mode="json")
    values: dict[str, Any] = {"amends": None, "reopens": False, "order": alone, "due_at": now}
    values |= {"state": "waiting", "lease_until": None, "attempts": 0, "failing_since": None}
    outbox.change_action(connection, row.id, **values, **_NOTHING_SENT, error=None)
    return "wait"


def _suppress(connection: Connection, order: Order, now: datetime) -> None:
    if digest := address_hash(order):
        suppressions.suppress(connection, digest, "bounced", now)


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
    if (
        row.response_id is None and row.digest is None
    ):  # an alarm about each message of an alarm would never end
        alarms.raise_alarm(connection, alarms.CHANNEL, row.sink, message, now)
        return
    about = "a digest" if row.response_id is None else f"response {row.response_id}"
    what = f"{row.kind} for {about}: {message}"
    alarms.raise_alarm(connection, state, f"action {row.id}", what, now)
