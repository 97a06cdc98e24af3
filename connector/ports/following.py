"""Sinks whose cases can be followed until a person has closed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from connector.domain import Followed, Note, Standing, Watched


@runtime_checkable
class Following(Protocol):
    """A sink that says what has become of its cases. Reads only; of a record that is no case of
    ours it says nothing."""

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        """Pages of what has changed since `cursor`, with overlap: news that comes twice or late is
        harmless. `watched` are the cases whose news are wanted, for a far side that can only be
        asked about each; what others tell besides is dropped later. Each page's cursor is stored
        with what it says, so a stop between pages loses nothing.

        Without a cursor it begins with what `watched` are now.

        Raises `TryLater`, `Paused`, `Refused`.
        """
        ...

    def look(self, watched: Sequence[Watched], now: datetime) -> Sequence[Standing]:
        """How these stand now; a deleted one is `gone`. In any order, and none for what the far
        side says nothing about.

        Raises `TryLater`, `Paused`, `Refused`.
        """
        ...


@runtime_checkable
class Notifying(Protocol):
    """A sink whose far side calls us by webhook when a case changes."""

    def verify(self, note: Note, now: datetime) -> bool:
        """Is this webhook authentic? Constant-time, over the raw bytes. Never raises."""
        ...

    def changed(self, note: Note) -> Sequence[str]:
        """The remote ids of the records that it is about; none for a test. It is only a hint:
        they are looked at before anything is believed.

        Raises `Unreadable` with a sentence that names the field and what is allowed.
        """
        ...
