"""What was sent and never heard of, or may be in a time that a restored database does not know.

It is settled by the vendor's key, then by a consistent look-up, and never by hope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from connector import faultpoints, outcomes, retry
from connector.calling import LATE, Calls
from connector.errors import Refused, TryLater
from connector.outcomes import Claimed, Tried
from connector.store import outbox, sending

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.store import Store
    from connector.store.recovering import Recovery

Record = Callable[[Sequence[Tried]], None]


class Unheard:
    """Those of one round; `record` keeps what came of them."""

    def __init__(
        self, store: Store, calls: Calls, record: Record, restored: Recovery | None
    ) -> None:
        self._store = store
        self._calls = calls
        self._record = record
        self._restored = restored

    def is_lost(self, one: Claimed) -> bool:
        """Not sent as far as this copy of the database knows, but perhaps in the time that a
        restore has cut off. Where nobody can look, such actions were held."""
        if self._restored is None or one.row.response_id is None or one.order is None:
            return False
        if not self._calls.can.can_find:
            return False
        return self._restored.covers(one.order.facts.answered_at)

    def as_if_sent(self, ready: Sequence[Claimed]) -> list[Claimed]:
        """As if they had been sent when the lost time ended, and never heard of: looked for before
        anything is sent, and amended, not replaced, by a newer revision."""
        if not ready or self._restored is None:
            return []
        until = self._restored.until
        sent = {"state": "sending", "first_sent_at": until, "last_sent_at": until}

        def work(connection: Connection) -> set[int]:
            mine = sending.still_mine(connection, [one.row for one in ready])
            for one in ready:
                if one.row.id in mine:
                    outbox.change_action(connection, one.row.id, request=one.body, **sent)
            return mine

        mine = self._store.write(work)
        for one in ready:
            one.row = SimpleNamespace(**{**one.row._mapping, **sent, "request": one.body})
        return [one for one in ready if one.row.id in mine]

    def recover(self, unheard: Sequence[Claimed]) -> list[Claimed]:
        """Decide about what was sent and never heard of; returns what is to be sent again."""
        now = self._calls.clock()
        restored_at = self._restored.until if self._restored is not None else None
        again: list[Claimed] = []
        look: list[Claimed] = []
        doubtful: list[Tried] = []
        for one in unheard:
            one.body = one.row.request
            way = retry.recovery(self._calls.can, one.row.first_sent_at, now, restored_at)
            if way == "send":
                again.append(one)
            elif way == "find":
                look.append(one)
            else:
                doubtful.append(Tried(one, None))
        self._record(doubtful)
        return again + self._look(look)

    def tells_little(self, tried: Tried) -> bool:
        """A refusal of what was sent before and never heard of: that first send may have worked."""
        one = tried.claimed
        unheard = one.row.request is not None and not one.absent
        return isinstance(tried.result, Refused) and unheard and self._calls.can.can_find

    def look_behind(self, refused: Sequence[Tried]) -> None:
        """Only what is not there was refused; only that may be built anew."""
        # As if they had not been sent this time.
        self._calls.left += [one.claimed for one in refused]
        self._look([one.claimed for one in refused])
        there = [one for one in refused if not one.claimed.absent]
        if there:
            now = self._calls.clock()
            self._store.write(lambda c: outcomes.keep_attempts(c, there, now))
        self._record([one for one in refused if one.claimed.absent])

    def _look(self, look: Sequence[Claimed]) -> list[Claimed]:
        """Returns those that are surely not there."""
        if faultpoints.broken("lookup"):
            return list(look)
        missing: list[Tried] = []
        known: list[Tried] = []
        for some, now in self._calls.in_time(look):
            for one, result in zip(some, self._calls.find(some), strict=True):
                # The last call may have begun so much later than it was marked.
                sure_at = self._last_send(one.row) + self._calls.can.look_again_after + LATE
                if result is None and now >= sure_at:
                    one.absent = True
                    missing.append(Tried(one, None, "find", now))
                    continue
                slow = "not found yet; a slow far side may still make it"
                outcome = result or TryLater(slow, (sure_at - now).total_seconds())
                known.append(Tried(one, outcome, "find", now))
        self._record(known)
        if missing:
            now = self._calls.clock()
            self._store.write(lambda c: outcomes.keep_attempts(c, missing, now))
        return [one.claimed for one in missing]

    def _last_send(self, row: Any) -> datetime:
        """When it may have been sent last, also in a time that this copy does not know."""
        sent: datetime = row.last_sent_at
        if self._restored is None or row.first_sent_at > self._restored.until:
            return sent
        return max(sent, self._restored.until)
