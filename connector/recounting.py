"""Days whose cases have changed are counted again, so that a year of them need not be read case by
case. Until then they are: what is told is the same."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from connector.store import case_days

if TYPE_CHECKING:
    from datetime import datetime

    from connector.store import Store

_DAYS_TOGETHER = 30
_ROUNDS = 5  # then others have their turn


def recount(store: Store, now: datetime, rounds: int = _ROUNDS) -> int:
    """Count those that have waited longest; returns how many were counted. Today changes all the
    time and is left out. Others may count at the same time.

    Raises:
        StoreDown: when the database is down; nothing was lost.
    """
    done, today = 0, now.date()
    for _ in range(rounds):
        with store.read() as connection:
            counted = case_days.count(connection, today, _DAYS_TOGETHER)
        if counted is None:
            break
        done += store.write(functools.partial(case_days.keep, counted=counted))
        if len(counted.notes) < _DAYS_TOGETHER:
            break
    return done


def recount_all(store: Store, now: datetime) -> int:
    """All that are waiting now; what changes meanwhile is for others.

    Raises:
        StoreDown: when the database is down; what was counted until then is kept.
    """
    with store.read() as connection:
        waiting = case_days.noted(connection, now.date())
    return recount(store, now, rounds=waiting // _DAYS_TOGETHER + 1)
