"""How a poll reads a stretch of time twice, so that nothing slips through, and hands on once.

Vendors let answers appear late, change order while they are read and include the first second of
a window. So each poll goes back a little behind the newest answer that it has seen, and the cursor
holds a mark (id and content) of each answer in that stretch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from pydantic import field_serializer

from connector.domain import Value
from connector.errors import Unreadable
from connector.sources.reading import read_nanoseconds

MOST_MARKS = 2000  # of some 15 bytes each


class Overlap(Value):
    """Answers at or before `floor` (nanoseconds since 1970) are settled: they are not looked at
    again. Those after it were handed on when their mark is in `seen`."""

    floor: int | None = None
    seen: frozenset[str] = frozenset()

    @field_serializer("seen")
    def _in_order(self, seen: frozenset[str]) -> list[str]:
        return sorted(seen)

    def is_news(self, at: int, mark: str) -> bool:
        return mark not in self.seen and (self.floor is None or at > self.floor)

    def seeing(self, marks: Iterable[str]) -> Overlap:
        """The same stretch with more marks, for the middle of a list."""
        return Overlap(floor=self.floor, seen=self.seen.union(marks))

    def moved(
        self, read: Mapping[str, int], span: timedelta, most_marks: int = MOST_MARKS
    ) -> Overlap:
        """The stretch for the next poll: `span` behind the newest answer that was read.

        Args:
            read: mark -> time of every answer after `floor`, known or new.
            most_marks: a fuller stretch becomes shorter, down to the newest moment alone.
        """
        if not read:
            return self
        newest = max(read.values())
        floor = newest - int(span.total_seconds()) * 10**9
        within = sorted((at for at in read.values() if at > floor), reverse=True)
        if len(within) > most_marks:
            floor = min(within[most_marks], newest - 1)
        floor = floor if self.floor is None else max(floor, self.floor)
        return Overlap(floor=floor, seen=frozenset(m for m, at in read.items() if at > floor))


def time_of(value: object, now: int) -> int:
    """Nanoseconds since 1970, at most `now`, so that no wrong clock can settle the future.

    A time that is missing or unreadable counts as `now`: the poll goes on, and whoever reads the
    record will say what is wrong with it.
    """
    try:
        found = read_nanoseconds(value, "UTC", "time")
    except Unreadable:
        return now
    return now if found is None else min(found, now)
