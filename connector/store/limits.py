"""Named queries of the accounts' limits: whose turn it is, what was used, what was learned.

Every claim of a limited account passes its one row, so that all workers of all processes share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select, update

from connector.limits import ENOUGH_AGAIN, NEARLY_USED_UP, Bill, Limit, Meter, Quota, pace
from connector.store.alarms import clear_alarm, raise_alarm
from connector.store.arrivals import insert_ignoring
from connector.store.tables import accounts

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Claimed(NamedTuple):
    """`again_at`: nothing was claimed because no call may be made before then."""

    rows: Sequence[Any]
    again_at: datetime | None = None


class Standing(NamedTuple):
    """How an account stands now. `left`: calls that we may make at once."""

    account: str
    limit: Limit | None
    share: float
    left: int
    wait_until: datetime | None  # no call before then: its turn, or a pause
    reason: str  # of a pause
    quota: Quota | None
    paused_by: str = ""  # a person, who has to resume it


def claim_within(
    connection: Connection,
    account: str,
    meter: Meter,
    most: int,
    now: datetime,
    claim: Callable[[int], Sequence[Any]],
) -> Claimed:
    """What `claim(n)` finds, for no more actions than the account has calls for; these are taken in
    the same transaction. Waiting for a turn is no attempt and no failure."""
    if not meter.limited:
        return Claimed(claim(most))
    row = _locked(connection, account)
    if row.paused_until is not None and row.paused_until > now:
        return Claimed(())
    learned = _learned(row)
    limit = meter.limit(learned)
    keep = pace(limit, meter.share)
    # After a pause nothing was saved up: the vendor has just said that it was too much.
    free_at = max((at for at in (row.free_at, row.paused_until) if at is not None), default=None)
    ready, needed = keep.ready(free_at, now), meter.allowance.least
    if ready < min(needed, keep.burst):
        return Claimed((), keep.when(free_at, needed, now))
    rows = claim(meter.allowance.actions(ready, most))
    if rows:
        calls = meter.allowance.calls(rows)
        free_at = keep.after(free_at, calls, now)
        meter.grant(calls, learned, keep, free_at)
        known = {"limit_calls": limit.calls, "limit_seconds": limit.seconds}
        _change(connection, account, free_at=free_at, limit_share=meter.share, **known)
    return Claimed(rows)


def pay(connection: Connection, account: str, meter: Meter, bill: Bill, now: datetime) -> None:
    """Write down what a round owes and what the vendor has said."""
    row = _locked(connection, account)
    values: dict[str, Any] = {}
    if bill.limit is not None:
        values |= {"told_calls": bill.limit.calls, "told_seconds": bill.limit.seconds}
    if meter.limited:
        limit = meter.limit(bill.limit or _learned(row))
        keep = pace(limit, meter.share)
        free_at = keep.after(row.free_at, bill.calls, now)
        if bill.spare is not None:
            free_at = keep.lowered(free_at, bill.spare, now)
        values |= {"free_at": free_at, "limit_share": meter.share}
        values |= {"limit_calls": limit.calls, "limit_seconds": limit.seconds}
    if bill.quota is not None:
        values |= {"quota_calls": bill.quota.calls, "quota_used": bill.quota.used}
        values |= {"quota_at": now}
        _watch(connection, account, bill.quota, now)
    _change(connection, account, **values)


def standings(connection: Connection, now: datetime) -> list[Standing]:
    """Every account that was used or paused, by name."""
    rows = connection.execute(select(accounts).order_by(accounts.c.account)).all()
    return [_standing(row, now) for row in rows]


def _standing(row: Any, now: datetime) -> Standing:
    limit, left, turn = None, 0, None
    if row.limit_calls is not None:
        limit = Limit(row.limit_calls, row.limit_seconds)
        keep = pace(limit, row.limit_share)
        left, turn = keep.ready(row.free_at, now), keep.when(row.free_at, 1, now)
    ahead = [at for at in (turn, row.paused_until) if at is not None and at > now]
    paused = row.paused_until is not None and row.paused_until > now
    return Standing(
        account=row.account,
        limit=limit,
        share=row.limit_share or 0.0,
        left=0 if paused else left,
        wait_until=max(ahead, default=None),
        reason=str(row.reason or "") if paused else "",
        paused_by=str(row.paused_by or "") if paused else "",
        quota=None if row.quota_calls is None else Quota(row.quota_calls, row.quota_used),
    )


def _watch(connection: Connection, account: str, quota: Quota, now: datetime) -> None:
    if quota.used < quota.calls * NEARLY_USED_UP:
        if quota.used < quota.calls * ENOUGH_AGAIN:  # workers may hear of it out of order
            clear_alarm(connection, "quota", account, now)
        return
    message = (
        f"{account}: {quota.used:,} of the {quota.calls:,} calls of its day are used, by everybody "
        "who uses this account; when none is left, it waits until the vendor gives new ones"
    )
    raise_alarm(connection, "quota", account, message, now)


def _learned(row: Any) -> Limit | None:
    return None if row.told_calls is None else Limit(row.told_calls, row.told_seconds)


def _locked(connection: Connection, account: str) -> Any:
    statement = select(accounts).where(accounts.c.account == account).with_for_update()
    row = connection.execute(statement).one_or_none()
    if row is None:
        new = insert_ignoring(connection, accounts).values(account=account)
        connection.execute(new.on_conflict_do_nothing(index_elements=["account"]))
        row = connection.execute(statement).one()
    return row


def _change(connection: Connection, account: str, **values: object) -> None:
    connection.execute(update(accounts).where(accounts.c.account == account).values(**values))
