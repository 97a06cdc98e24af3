"""Who users of Zendesk are, by their ids, as one adapter instance remembers them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from connector.errors import Refused
from connector.sinks.zendesk import reading
from connector.sinks.zendesk.desk import Desk
from connector.sinks.zendesk.names import KNOWN_FOR
from connector.sinks.zendesk.records import Person

PER_CALL = 100  # https://developer.zendesk.com/api-reference/ticketing/users/users/#show-many-users
MOST = 10_000


class People:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: dict[int, tuple[datetime, Person | None]] = {}

    def learn(self, ids: Iterable[int | None], now: datetime) -> None:
        """Ask once for all that are not known, or not any more."""
        wanted = sorted({id for id in ids if id is not None and id > 0 and self._is_old(id, now)})
        if len(self._known) > MOST:
            self._known.clear()
        for place in range(0, len(wanted), PER_CALL):
            some = wanted[place : place + PER_CALL]
            found = self._ask(some)
            self._known |= {id: (now, found.get(id)) for id in some}

    def name(self, id: int | None) -> str:
        """Empty for nobody, and for whom we may not see."""
        person = self._person(id)
        return person.name if person else ""

    def works_there(self, id: int | None) -> bool:
        person = self._person(id)
        return person is not None and person.works_there

    def _person(self, id: int | None) -> Person | None:
        return None if id is None else self._known.get(id, (None, None))[1]

    def _is_old(self, id: int, now: datetime) -> bool:
        return id not in self._known or now - self._known[id][0] >= KNOWN_FOR

    def _ask(self, ids: list[int]) -> dict[int, Person]:
        def take(answer: dict[str, Any]) -> dict[int, Person]:
            return dict(reading.each(answer["users"], reading.person))

        numbers = ",".join(map(str, ids))
        try:
            return self._desk.plain("users/show_many.json", {"ids": numbers}, take) or {}
        except Refused:
            return {}
