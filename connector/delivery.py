"""Delivering: claim what is due for one sink, within what its account allows; send it in rounds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connector import faultpoints
from connector.calling import Clock
from connector.keeper import LEASE, Keeper
from connector.ports import Metered, Sink
from connector.rounds import Delivered, Round
from connector.roundsize import RoundSize
from connector.store import limits, recovering, sending

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store import Store
    from connector.store.recovering import Recovery


class Courier:
    """Delivers what is due for one sink, round after round. One thread uses it at a time.

    `keeper` renews the leases of rounds that take long; without one they run out.
    """

    def __init__(
        self, store: Store, sink_id: str, sink: Sink, clock: Clock, keeper: Keeper | None = None
    ) -> None:
        self._store = store
        self._id = sink_id
        self._sink = sink
        self._clock = clock
        self._keeper = keeper
        self._turn = _Turn(sink)
        self.size = RoundSize(sink.capabilities)

    def round(self, more: Callable[[], None] = lambda: None) -> Delivered:
        """One round; empty when nothing is due, or when it is not the account's turn.

        `more` is called when the claim was full, before anything is sent: there may be work for
        others too.

        Raises:
            StoreDown: when the database is down; leases run out and everything is tried again.
        """
        now, asked, done = self._clock(), self.size.actions, Delivered()
        write = self._store.write if self._turn.counted else self._store.write_one
        claimed, cases, restored = write(lambda c: self._claim(c, asked, now))
        rows, done.again_at = claimed
        if rows:
            faultpoints.reach("claimed", self._id)
            if len(rows) == asked:
                more()
            with self._keeper.holding(rows) if self._keeper else contextlib.nullcontext():
                round_ = Round(
                    self._store, self._sink, self._clock, done, self._turn.settle, restored
                )
                round_.deliver(rows, cases)
                self.size.learn(asked, len(rows), round_.calls.seconds)
        elif done.again_at is None:
            self.size.learn(asked, 0, 0.0)
        return done

    def _claim(
        self, connection: Connection, most: int, now: datetime
    ) -> tuple[limits.Claimed, Mapping[int, str | None], Recovery | None]:
        claimed = self._turn.claim(
            connection, most, now, lambda n: sending.claim(connection, self._id, n, now, LEASE)
        )
        if not claimed.rows:
            return claimed, {}, None
        cases = sending.cases_of(connection, claimed.rows)
        return claimed, cases, recovering.current(connection)


class _Turn:
    """The calls that a round may make; without limits nothing is asked and nothing written."""

    def __init__(self, sink: Sink) -> None:
        self._meter = sink.meter if isinstance(sink, Metered) else None
        self._account = sink.account if self._meter else ""

    @property
    def counted(self) -> bool:
        """Does a claim write more than the claim itself?"""
        return self._meter is not None and self._meter.limited

    def claim(
        self, connection: Connection, most: int, now: datetime, rows: Callable[[int], Sequence[Any]]
    ) -> limits.Claimed:
        if self._meter is None:
            return limits.Claimed(rows(most))
        return limits.claim_within(connection, self._account, self._meter, most, now, rows)

    def settle(self, now: datetime) -> Callable[[Connection], None]:
        """What is written beside the next record: the calls beyond those claimed, and news."""
        meter = self._meter
        if meter is None or (bill := meter.bill(now)) is None:
            return lambda _: None
        return lambda connection: limits.pay(connection, self._account, meter, bill, now)
