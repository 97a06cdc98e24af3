"""Named queries of the work that cases are: how many came to a team, and what it has in hand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, Text, func, literal_column, select

from connector.store.tables import cases

if TYPE_CHECKING:
    from collections.abc import Generator

    from connector.store.counting import Period

_STREAMED = 2_000
# Whose work it is, as far as the far side tells it.
_TEAM = func.coalesce(
    func.nullif(cases.c.team, ""), func.nullif(cases.c.owner, ""), literal_column("''"), type_=Text
).label("whose")


class Open(NamedTuple):
    """What a team has in hand; `untouched` of it, and since when the oldest waits."""

    team: str
    cases: int
    untouched: int
    oldest: datetime


def opened(connection: Connection, period: Period) -> Generator[tuple[str, datetime]]:
    """(team, when it was opened) of every case of this time. Streamed."""
    statement = select(_TEAM, cases.c.opened_at).where(period.holds(cases.c.opened_at))
    streaming = connection.execution_options(yield_per=_STREAMED)
    with streaming.execute(statement) as found:
        for row in found:
            yield row[0], row[1]


def open_now(connection: Connection) -> list[Open]:
    untouched = func.count().filter(cases.c.contacted_at.is_(None))
    oldest = func.min(cases.c.answered_at, type_=cases.c.answered_at.type)
    statement = select(_TEAM, func.count(), untouched, oldest)
    waiting = statement.where(cases.c.state.in_(("open", "contacted"))).group_by("whose")
    return [Open(*row) for row in connection.execute(waiting)]
