"""How often a vendor's account may be called: what it allows, what it says, and whose turn it is.

Pure. All that is kept of an account is one time, `free_at`, from which one more call may be made.
Each call moves it on by an interval; while nobody calls it falls behind, by a burst at most: a
token bucket in one number. https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from connector.text import parse_duration

USUAL_SHARE = 0.8
NEARLY_USED_UP, ENOUGH_AGAIN = 0.95, 0.9  # of a day's quota: the alarm comes, and goes again
_BURST_PART = 10  # a tenth of what we may use goes out at once; the rest is spread evenly
_SMALLEST_STEP = timedelta(microseconds=1)
_NUMBER = re.compile(r"[0-9]{1,9}")
_LIMIT = re.compile(r"\s*([0-9]{1,9})\s+per\s+(.+)")


@dataclass(frozen=True)
class Limit:
    """At most so many calls in any so many seconds."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class Quota:
    """The calls of a day, and how many of them everybody together has used."""

    calls: int
    used: int


@dataclass(frozen=True)
class Heard:
    """What one answer said: the limit, what is left of it now, the day's quota. None: nothing."""

    limit: Limit | None = None
    left: int | None = None
    quota: Quota | None = None


@dataclass(frozen=True)
class Allowance:
    """The facts of a vendor. `usual` is assumed until it has said its own; None is no limit.

    `per_batch`, `per_action`, `per_note`: the calls of one round, of each new effect in it, and of
    each amendment. `read` understands the headers of an answer.
    """

    usual: Limit | None = None
    per_batch: int = 0
    per_action: int = 1
    per_note: int = 1
    read: Callable[[Mapping[str, str]], Heard] | None = None

    @property
    def least(self) -> int:
        """The calls without which a round is not worth beginning."""
        return max(1, self.per_batch + self.per_action)

    def actions(self, ready: int, most: int) -> int:
        """How many actions may be claimed with so many calls; `most` where they do not count."""
        if self.per_action == 0:
            return most
        return min(most, max(1, (ready - self.per_batch) // self.per_action))

    def calls(self, rows: Sequence[Any]) -> int:
        """What a round of these rows of the outbox costs."""
        notes = sum(row.amends is not None for row in rows)
        return self.per_batch + (len(rows) - notes) * self.per_action + notes * self.per_note


class Pace(NamedTuple):
    """A limit as we keep it: never more than `burst` + time / `interval` calls in any time, which
    together stay within our share of the vendor's limit in any window."""

    interval: timedelta
    burst: int
    window: timedelta

    def ready(self, free_at: datetime | None, now: datetime) -> int:
        """The calls that may be made at once, up to the burst."""
        behind = now - self._start(free_at, now)
        return 0 if behind < timedelta(0) else behind // self.interval + 1

    def after(self, free_at: datetime | None, calls: int, now: datetime) -> datetime:
        """`free_at` when so many calls were given out; more than are ready become a debt, of a
        window at most: then no vendor remembers them."""
        return min(self._start(free_at, now) + calls * self.interval, now + self.window)

    def when(self, free_at: datetime | None, calls: int, now: datetime) -> datetime:
        """When so many calls (the burst at most) will be ready."""
        return self._start(free_at, now) + (min(calls, self.burst) - 1) * self.interval

    def lowered(self, free_at: datetime | None, spare: int, now: datetime) -> datetime:
        """`free_at` when we may make no more than so many calls; below zero, a debt."""
        debt = min(1 - min(spare, self.burst), self.window // self.interval + 1)
        told = min(now + debt * self.interval, now + self.window)
        return max(self._start(free_at, now), told)

    def _start(self, free_at: datetime | None, now: datetime) -> datetime:
        """Not so far back that more than a burst is ready. Two windows ahead it never is (clocks
        of two machines may differ by one), unless the clock was set back: then it begins anew."""
        if free_at is not None and free_at > now + 2 * self.window:
            return now
        earliest = now - (self.burst - 1) * self.interval
        return earliest if free_at is None else max(free_at, earliest)


def usable(limit: Limit, share: float) -> int:
    """The calls of this share (0 to 1) of a limit; one at least."""
    return max(1, math.floor(limit.calls * share + 1e-9))


def pace(limit: Limit, share: float) -> Pace:
    """How to stay within this share of a limit, in every window of its length."""
    ours = usable(limit, share)
    burst = max(1, ours // _BURST_PART)
    window = timedelta(seconds=limit.seconds)
    interval = window / max(1, ours - burst) + _SMALLEST_STEP  # rounded up, never down
    return Pace(interval, burst, max(window, interval))


class Bill(NamedTuple):
    """What a round owes and has learned, where that is more than was known.

    `spare` is how many calls the vendor leaves to us, others' share taken off; it may be negative.
    """

    calls: int = 0
    limit: Limit | None = None
    spare: int | None = None
    quota: Quota | None = None


class Meter:
    """Counts the calls of one adapter and keeps what the vendor last said. One thread at a time.

    `own` is the operator's limit; it holds besides the one that the vendor tells.
    """

    def __init__(
        self, allowance: Allowance, share: float = USUAL_SHARE, own: Limit | None = None
    ) -> None:
        self.allowance = allowance
        self.share = share
        self._own = own
        self._balance = 0  # calls that were given out and not made; below zero, a debt
        self._heard = Heard()
        self._known: Limit | None = None
        self._pace: Pace | None = None
        self._free_at: datetime | None = None
        self._percent = -1

    @property
    def limited(self) -> bool:
        """Whether there is any limit of calls to keep; a quota alone is only watched."""
        return self._own is not None or self.allowance.usual is not None

    def limit(self, learned: Limit | None) -> Limit:
        """The slower of what the operator and the vendor say; only where it is `limited`."""
        told = learned or self.allowance.usual
        known = [limit for limit in (self._own, told) if limit is not None]
        return min(known, key=lambda limit: limit.calls / limit.seconds)

    def grant(self, calls: int, learned: Limit | None, pace: Pace, free_at: datetime) -> None:
        """A round begins with so many calls; what the last one left unused is forfeited."""
        self._balance = min(self._balance, 0) + calls
        self._known, self._pace, self._free_at = learned, pace, free_at

    def call(self) -> None:
        """One request goes out."""
        self._balance -= 1

    def hear(self, headers: Mapping[str, str]) -> None:
        """An answer came. What cannot be understood is as if it had not been said."""
        if self.allowance.read is None:
            return
        new = self.allowance.read(headers)
        old, told = self._heard, new.limit is not None
        self._heard = Heard(
            new.limit if told else old.limit,
            new.left if told else old.left,
            new.quota or old.quota,
        )

    def bill(self, now: datetime) -> Bill | None:
        """What is worth a write: a debt, another limit, less left than we thought, a percent more
        of the day's quota. Handed out once."""
        heard, self._heard = self._heard, Heard()
        debt, self._balance = max(0, -self._balance), max(0, self._balance)
        bill = Bill(
            debt if self.limited else 0,
            None if heard.limit == self._known else heard.limit,
            self._less_than_thought(heard, now),
            self._another_percent(heard.quota),
        )
        self._known = bill.limit or self._known
        return None if bill == Bill() else bill

    def _less_than_thought(self, heard: Heard, now: datetime) -> int | None:
        if self._pace is None or heard.limit is None or heard.left is None:
            return None
        spare = heard.left - (heard.limit.calls - usable(heard.limit, self.share))
        return spare if spare < self._pace.ready(self._free_at, now) - 1 else None

    def _another_percent(self, quota: Quota | None) -> Quota | None:
        percent = self._percent if quota is None else quota.used * 100 // quota.calls
        known, self._percent = self._percent, percent
        return None if percent == known else quota


def limit_of(calls: int | None, seconds: float) -> Limit | None:
    """A limit, where what was said makes one."""
    return Limit(calls, seconds) if calls and seconds > 0 else None


def number(headers: Mapping[str, str], *names: str) -> int | None:
    """The first of these headers that holds a plain number."""
    found = (_NUMBER.fullmatch(headers.get(name, "").strip()) for name in names)
    return next((int(match[0]) for match in found if match), None)


def parse_limit(value: object) -> object:
    """`"200 per 1m"` -> Limit. Raises ValueError for what is none."""
    if value is None or isinstance(value, Limit):
        return value
    match = _LIMIT.fullmatch(value) if isinstance(value, str) else None
    try:
        span = parse_duration(match[2]) if match else None
    except ValueError:
        span = None
    if not match or not isinstance(span, timedelta) or not span or not int(match[1]):
        raise ValueError("write a limit such as 200 per 1m or 10 per 1s")
    return Limit(int(match[1]), span.total_seconds())


def parse_share(value: object) -> object:
    """`"80%"` -> 0.8. Raises ValueError outside 1% to 100%."""
    match = re.fullmatch(r"\s*([0-9]{1,3})\s*%\s*", value) if isinstance(value, str) else None
    if not match or not 1 <= int(match[1]) <= 100:
        raise ValueError("write a share between 1% and 100%, such as 80%")
    return int(match[1]) / 100
