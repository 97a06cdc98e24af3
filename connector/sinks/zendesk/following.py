"""News of tickets: Zendesk's incremental export, and a look at single ones.

https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.domain import Followed as Page
from connector.domain import Standing, Watched
from connector.errors import Refused, TryLater
from connector.sinks.zendesk import desk, reading
from connector.sinks.zendesk.records import Followed
from connector.sinks.zendesk.standings import GONE, Standings

SHOWN_PER_CALL = 100
OVERLAP = timedelta(minutes=5)  # the export shows nothing of its last minute, and clocks differ

_TIME = re.compile(r"t:(\d{1,11})")
_BEGUN = re.compile(r"b:(\d{1,11}):(\d{1,19})")


@dataclass(frozen=True)
class Place:
    """How far we have read. `export` is Zendesk's own cursor; before there is one, `since` is when
    the export has to begin. `seen`: all watched tickets up to this id have been looked at; None
    where that is over."""

    export: str = ""
    since: int = 0
    seen: int | None = None

    @classmethod
    def of(cls, text: str | None) -> Place | None:
        """None where the reading has to begin."""
        if text and text.startswith("c:") and len(text) > len("c:"):
            return cls(export=text.removeprefix("c:"))
        if found := _TIME.fullmatch(text or ""):
            return cls(since=int(found[1]))
        if found := _BEGUN.fullmatch(text or ""):
            return cls(since=int(found[1]), seen=int(found[2]))
        return None

    def __str__(self) -> str:
        if self.export:
            return f"c:{self.export}"
        return f"t:{self.since}" if self.seen is None else f"b:{self.since}:{self.seen}"


class Follower:
    """Reads only. Where the export is closed to our user (it is for administrators) the watched
    tickets are looked at instead, a hundred in one call."""

    def __init__(self, account: desk.Desk, standings: Standings) -> None:
        self._desk = account
        self._standings = standings

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Page]:
        place, known = Place.of(cursor), {one.remote_id: one for one in watched}
        if place is None or place.seen is not None:
            yield from self._begin(place, known, now)
            return
        try:
            yield from self._read_on(place, known, now)
        except Refused:
            if place.export:  # it has expired
                yield from self._begin(None, known, now)
            else:
                yield from self._look_again(place, known, now)

    def look(
        self, watched: Sequence[Watched], now: datetime, since: datetime | None = None
    ) -> list[Standing]:
        """How these stand; with `since`, those that have changed after it."""
        known = {one.remote_id: one for one in watched}
        found: list[Standing] = []
        for some in _some(_numbers(known)):
            found += self._shown(some, known, now, since)
        return found

    def may_export(self, now: datetime) -> bool:
        try:
            self._exported(Place(since=_stamp(now - timedelta(hours=1))), per_page=1)
        except Refused:
            return False
        return True

    # -- the export ------------------------------------------------------------------------------

    def _begin(
        self, place: Place | None, known: Mapping[str, Watched], now: datetime
    ) -> Iterator[Page]:
        """Look at every watched ticket, then read on from when the looking began."""
        since = place.since if place else _stamp(now - OVERLAP)
        seen = place.seen or 0 if place else 0
        for some in _some([number for number in _numbers(known) if number > seen]):
            yield Page(
                standings=tuple(self._shown(some, known, now)),
                cursor=str(Place(since=since, seen=some[-1])),
            )
        yield Page(cursor=str(Place(since=since)))
        try:
            yield from self._read_on(Place(since=since), known, now)
        except Refused:
            return  # the next round looks again

    def _read_on(self, place: Place, known: Mapping[str, Watched], now: datetime) -> Iterator[Page]:
        while True:
            tickets, after, ended = self._exported(place, desk.EXPORTED_PER_PAGE)
            following = Place(export=after) if after else place
            standings = self._standings.of(tickets, known, now)
            yield Page(standings=tuple(standings), cursor=str(following))
            if ended or following == place:
                return
            place = following

    def _exported(self, place: Place, per_page: int) -> tuple[list[Followed], str, bool]:
        """One page, the cursor of the next, and whether it was the last for now."""

        def take(answer: dict[str, Any]) -> tuple[list[Followed], str, bool]:
            after, ended = answer["after_cursor"], bool(answer["end_of_stream"])
            return reading.followed(answer), str(after or ""), ended

        at: dict[str, str | int] = (
            {"cursor": place.export} if place.export else {"start_time": place.since}
        )
        asked = {**at, "per_page": per_page, "include": "metric_sets"}
        try:
            found = self._desk.plain("incremental/tickets/cursor.json", asked, take)
        except TryLater as wait:
            # Ten pages a minute are the export's own limit: the account's other work goes on.
            raise TryLater(str(wait), wait.retry_after_seconds) from None
        if found is None:
            raise Refused("Zendesk has no such export")
        return found

    def _look_again(
        self, place: Place, known: Mapping[str, Watched], now: datetime
    ) -> Iterator[Page]:
        since = datetime.fromtimestamp(place.since, now.tzinfo)
        for some in _some(_numbers(known)):
            standings = tuple(self._shown(some, known, now, since))
            yield Page(standings=standings, cursor=str(place))
        yield Page(cursor=str(Place(since=_stamp(now - OVERLAP))))

    # -- single tickets --------------------------------------------------------------------------

    def _shown(
        self,
        numbers: Sequence[int],
        known: Mapping[str, Watched],
        now: datetime,
        since: datetime | None = None,
    ) -> list[Standing]:
        asked = {"ids": ",".join(map(str, numbers)), "include": "metric_sets"}
        found = self._desk.plain("tickets/show_many.json", asked, reading.followed) or []
        missing = set(numbers) - {ticket.id for ticket in found}
        gone = []
        for number in sorted(missing):
            alone = self._alone(number)
            found += alone or []
            if alone is None:
                gone.append(
                    Standing(remote_id=str(number), state="gone", status=GONE, changed_at=now)
                )
        new = [one for one in found if since is None or one.changed_at >= since]
        return [*self._standings.of(new, known, now), *gone]

    def _alone(self, number: int) -> list[Followed] | None:
        """None where it is deleted. The list leaves out archived tickets, and those of groups
        whose tickets our user may not see: of these nothing is known."""

        def take(answer: dict[str, Any]) -> list[Followed]:
            return reading.followed(answer, alone="ticket")

        try:
            return self._desk.plain(f"tickets/{number}.json", {"include": "metric_sets"}, take)
        except Refused:
            return []


def _numbers(known: Mapping[str, Watched]) -> list[int]:
    return sorted(int(id) for id in known if re.fullmatch(r"[0-9]{1,18}", id))


def _some(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for place in range(0, len(numbers), SHOWN_PER_CALL):
        yield numbers[place : place + SHOWN_PER_CALL]


def _stamp(when: datetime) -> int:
    return int(when.timestamp())
