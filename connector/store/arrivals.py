"""Named queries of the inbox and of what we remember of each source."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connector.domain import Door
from connector.store.tables import inbox, sources
from connector.text import hashed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DOORS: tuple[Door, ...] = ("webhook", "poll", "file")  # the first is the most urgent


class Stored(NamedTuple):
    """How many records were new, and how many we already held byte by byte."""

    new: int
    repeated: int


class Record(NamedTuple):
    """What came in at a door, raw; `act`: make things happen although it is an old answer."""

    source: str
    door: Door
    body: bytes
    received_at: datetime
    act: bool = False


class Arrival(NamedTuple):
    id: int
    source: str
    door: Door
    body: bytes
    received_at: datetime
    act: bool


class Settled(NamedTuple):
    """What became of a record; `response_id` where it belongs to one."""

    arrival: int
    state: str
    reason: str | None = None
    response_id: str | None = None


_NEW = (
    select(*(inbox.c[name] for name in Arrival._fields))
    .where(inbox.c.state == "new", inbox.c.door == bindparam("door"))
    .order_by(inbox.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_NEW_OF = _NEW.where(inbox.c.source == bindparam("source"))
_SETTLE = update(inbox).where(inbox.c.id == bindparam("arrival"))
_ADDED = select(sources.c.id, sources.c.added_at)


def insert_ignoring(connection: Connection, table: Any) -> Any:
    """`INSERT … ON CONFLICT` of the dialect in use."""
    make = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    return make(table)


def store_records(
    connection: Connection,
    source: str,
    door: Door,
    bodies: Iterable[bytes],
    now: datetime,
    act: bool = False,
) -> Stored:
    """Keep raw records; one that we hold already is only counted."""
    return keep(connection, [Record(source, door, body, now, act) for body in bodies])


def keep(connection: Connection, records: Sequence[Record]) -> Stored:
    """The same for records of any source and door; they get their ids in the order given."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        fingerprint = hashed(record.body.hex())
        row = rows.get((record.source, fingerprint))
        if row is None:
            row = {**record._asdict(), "fingerprint": fingerprint, "seen": 1}
            rows[record.source, fingerprint] = row
        else:
            row["seen"] += 1
    if not rows:
        return Stored(0, 0)
    put = _put_sqlite if connection.dialect.name == "sqlite" else _put_postgresql
    new = put(connection, list(rows.values()))
    return Stored(new, len(records) - new)


def _put_sqlite(connection: Connection, rows: list[dict[str, Any]]) -> int:
    """How many are new: nobody else writes meanwhile, and ids only grow."""
    last: int = connection.execute(_LAST).scalar_one()
    connection.execute(_PUT_SQLITE, rows)
    new: int = connection.execute(_COUNT_AFTER, {"last": last}).scalar_one()
    return new


def _put_postgresql(connection: Connection, rows: list[dict[str, Any]]) -> int:
    columns = {name: [row[name] for row in rows] for name in _COLUMN_TYPES}
    new: int = connection.execute(_PUT_POSTGRESQL, columns).scalar_one()
    return new


_LAST = select(func.coalesce(func.max(inbox.c.id), 0))
_COUNT_AFTER = select(func.count()).where(inbox.c.id > bindparam("last"))
_insert = sqlite_insert(inbox)
_PUT_SQLITE = _insert.on_conflict_do_update(
    index_elements=["source", "fingerprint"], set_={"seen": inbox.c.seen + _insert.excluded.seen}
)
_COLUMN_TYPES = {
    "source": "text",
    "door": "text",
    "fingerprint": "text",
    "body": "bytea",
    "received_at": "timestamptz",
    "act": "boolean",
    "seen": "integer",
}
_NAMES = ", ".join(_COLUMN_TYPES)
_ARRAYS = ", ".join(f"CAST(:{name} AS {type}[])" for name, type in _COLUMN_TYPES.items())
# One statement however many rows: a record that we held has been seen more often than offered.
_PUT_POSTGRESQL = text(
    f"WITH offered AS (SELECT * FROM unnest({_ARRAYS}) AS t({_NAMES})), "  # noqa: S608 - constants
    f"kept AS (INSERT INTO inbox ({_NAMES}) SELECT * FROM offered "
    "ON CONFLICT (source, fingerprint) DO UPDATE SET seen = inbox.seen + excluded.seen "
    "RETURNING source, fingerprint, seen) "
    "SELECT count(*) FROM kept JOIN offered USING (source, fingerprint) "
    "WHERE kept.seen = offered.seen"
)


def undecided(connection: Connection, limit: int, source: str | None = None) -> Sequence[Arrival]:
    """The oldest new records, locked against other deciders.

    Webhooks come first: they are live, and thousands of old answers may be waiting.
    """
    statement = _NEW if source is None else _NEW_OF
    found: list[Arrival] = []
    for door in _DOORS:
        if len(found) < limit:
            chosen = {"door": door, "source": source, "most": limit - len(found)}
            found.extend(Arrival(*row) for row in connection.execute(statement, chosen))
    return found


def settle_arrivals(connection: Connection, settled: Sequence[Settled]) -> None:
    """Keep what became of them. The body of an erased one goes: it came back after its erasure."""
    rows = [each._asdict() for each in settled]
    if rows:
        connection.execute(_SETTLE, rows)
    erased = [{"arrival": each.arrival, "body": b""} for each in settled if each.state == "erased"]
    if erased:
        connection.execute(_SETTLE, erased)


def reopen_arrivals(connection: Connection, state: str, source: str | None = None) -> int:
    """Have held or quarantined records decided again, after their cause was mended."""
    statement = update(inbox).where(inbox.c.state == state).values(state="new", reason=None)
    if source is not None:
        statement = statement.where(inbox.c.source == source)
    return connection.execute(statement).rowcount


def arrival_counts(connection: Connection) -> dict[str, int]:
    """Records by state, plus `repeats`: how often a record came that we already held."""
    rows = connection.execute(select(inbox.c.state, func.count()).group_by(inbox.c.state))
    counts: dict[str, int] = {row[0]: row[1] for row in rows}
    counts["repeats"] = connection.scalar(select(func.coalesce(func.sum(inbox.c.seen - 1), 0))) or 0
    return counts


def remember_source(connection: Connection, source: str, now: datetime) -> None:
    """The moment a source is first seen is the moment from which its answers are news."""
    statement = insert_ignoring(connection, sources).values(id=source, added_at=now)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["id"]))


def added_times(connection: Connection) -> dict[str, datetime]:
    """When each source was added."""
    return {row[0]: row[1] for row in connection.execute(_ADDED)}


def source_row(connection: Connection, source: str) -> Any:
    return connection.execute(select(sources).where(sources.c.id == source)).one_or_none()


def lease_source(connection: Connection, source: str, now: datetime, lease: timedelta) -> bool:
    """Only one process reads a source at a time; a dead one's lease runs out."""
    free = or_(sources.c.lease_until.is_(None), sources.c.lease_until <= now)
    statement = update(sources).where(sources.c.id == source, free).values(lease_until=now + lease)
    return connection.execute(statement).rowcount == 1


def free_leases(connection: Connection) -> None:
    """For the only engine of a store, at its start: whoever read a source is dead."""
    connection.execute(update(sources).values(lease_until=None))


def update_source(connection: Connection, source: str, **values: object) -> None:
    connection.execute(update(sources).where(sources.c.id == source).values(**values))
