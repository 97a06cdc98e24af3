"""Whether everything of the last day was decided and delivered, looked at now and then: a gap that
no other alarm tells is an alarm."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.reports.coverage import UNTOLD, cover
from connector.store import alarms, remembered
from connector.store.counting import Period

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store import Store

EVERY = timedelta(minutes=5)
_DAY = timedelta(days=1)
_LOOKED = "gaps_looked_for_at"
_SUBJECT = "the last 24 hours"


def notice_gaps(store: Store, now: datetime) -> None:
    """Where it is time again; the counting itself holds nobody up."""
    if not store.write(lambda c: _is_due(c, now)):
        return
    with store.read() as connection:
        gaps = cover(connection, Period(now - _DAY, now), now).gaps()
    told = [gap for gap in gaps if gap.what in UNTOLD]

    def say(connection: Connection) -> None:
        if not told:
            alarms.clear_alarm(connection, "coverage", _SUBJECT, now)
            return
        what = "; ".join(f"{gap.number:,} {gap.what} ({gap.command})" for gap in told)
        alarms.raise_alarm(connection, "coverage", _SUBJECT, what, now)

    store.write(say)


def _is_due(connection: Connection, now: datetime) -> bool:
    last = remembered.get(connection, _LOOKED, wait=True)
    if last is not None and now - datetime.fromisoformat(last) < EVERY:
        return False
    remembered.put(connection, _LOOKED, now.isoformat())
    return True
