"""Days whose cases have changed are counted again, so that a year of them need not be read case by
case. Until then they are: what is told is the same."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from connector.store import case_days

if TYPE_CHECKING:
    from connector.store import Store

_DAYS_TOGETHER = 30
_ROUNDS = 5  # then others have their turn


def recount(store: Store, rounds: int = _ROUNDS) -> int:
    """Count those that have waited longest; returns how many were counted. Others may count at the
    same time.

    Raises:
        StoreDown: when the database is down; nothing was lost.
    """
    done = 0
    for _ in range(rounds):
        with store.read() as connection:
            counted = case_days.count(connection, _DAYS_TOGETHER)
        if counted is None or not store.write(functools.partial(case_days.keep, counted=counted)):
            break
        done += len(counted.days)
        if len(counted.days) < _DAYS_TOGETHER:
            break
    return done
