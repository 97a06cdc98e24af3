"""Named queries of readings: what is still to be projected, putting it in, taking it back."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from sqlalchemy import (
    Connection,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from connector.store import horizons, searching, tallies
from connector.store.arrivals import insert_ignoring
from connector.store.tables import decisions, projected, readings, responses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from connector.store.tallies import Key

NOBODY: dict[str, Any] = {"language": None, "customer_id": None, "has_comment": False}
_IMPERSONAL = (tallies.SURVEY, "source")
_TIME_BITS, _REST_BITS = 43, 20  # milliseconds up to the year 2248, and what tells equals apart
_POSITION = select(projected).where(projected.c.id == 1)
_OLD = select(readings).where(readings.c.response_id.in_(bindparam("wanted", expanding=True)))
# Nobody erases them meanwhile; who decides about them does not wait.
_THERE = (
    select(responses.c.id, responses.c.erased_at)
    .where(responses.c.id.in_(bindparam("wanted", expanding=True)))
    .order_by(responses.c.id)
    .with_for_update(read=True, key_share=True)
)
_others = decisions.alias()
_NEWEST_OF_RESPONSE = (
    select(func.max(_others.c.number))
    .where(_others.c.response_id == decisions.c.response_id)
    .correlate(decisions)
    .scalar_subquery()
)
_BACKLOG = (
    select(
        decisions.c.number,
        decisions.c.response_id,
        cast(decisions.c.facts, Text).label("facts"),
        cast(decisions.c.verdict, Text).label("verdict"),
        *(responses.c[name] for name in ("survey", "source", "score", "segment")),
        *(responses.c[name] for name in ("customer_id", "erased_at")),
        func.coalesce(
            responses.c.answered_at,
            responses.c.received_at,
            type_=responses.c.received_at.type,
        ).label("given"),
    )
    .join_from(decisions, responses, responses.c.id == decisions.c.response_id)
    .outerjoin(readings, readings.c.response_id == decisions.c.response_id)
    .where(
        decisions.c.number > bindparam("after"),
        or_(
            readings.c.number.is_(None),
            readings.c.number < decisions.c.number,
            readings.c.epoch < bindparam("epoch"),
        ),
        decisions.c.number == _NEWEST_OF_RESPONSE,
    )
    .order_by(decisions.c.number)
    .limit(bindparam("most"))
)
_NEXT_SEQ = (
    update(projected).where(projected.c.id == 1).values(seq=projected.c.seq + 1)
).returning(projected.c.seq)
_TAKEN = select(readings.c.id).where(readings.c.id.in_(bindparam("ids", expanding=True)))


class Behind(NamedTuple):
    """How far the readings are behind: decisions that are not projected yet, about; and up to when
    everything is (None: nothing was decided, or nothing is projected)."""

    decisions: int
    until: datetime | None


def hold(connection: Connection, wait: bool = True) -> Any:
    """The row of `projected`, locked until the transaction ends; None where somebody else has it
    and `wait` is false. Who erases takes it first of all, so that no two wait for each other."""
    found = connection.execute(_POSITION.with_for_update(skip_locked=not wait)).one_or_none()
    if found is not None or (not wait and position(connection) is not None):
        return found
    zero = dict.fromkeys(("number", "reached", "seen_number", "seen_xid", "seq", "epoch"), 0)
    row = {"id": 1, "dimensions": [], **zero}
    first = insert_ignoring(connection, projected).values(**row)
    connection.execute(first.on_conflict_do_nothing(index_elements=["id"]))
    return connection.execute(_POSITION.with_for_update()).one()


def position(connection: Connection) -> Any:
    """The same without a lock; None before anything was projected."""
    return connection.execute(_POSITION).one_or_none()


def backlog(connection: Connection, after: int, epoch: int, limit: int) -> Sequence[Any]:
    """Decisions after this number that are the last about their answer and not projected, in their
    order; facts and verdict as JSON texts."""
    asked = {"after": after, "epoch": epoch, "most": limit}
    return connection.execute(_BACKLOG, asked).all()


def erased_among(connection: Connection, wanted: Sequence[str]) -> set[str]:
    """Those that are erased; none of the others will be before the transaction ends."""
    found = connection.execute(_THERE, {"wanted": wanted})
    return {row.id for row in found if row.erased_at is not None}


def put(connection: Connection, rows: Sequence[tuple[dict[str, Any], Sequence[str]]]) -> None:
    """New rows, each with its tokens, in place of the old ones of these responses. What is there
    already of the same or a newer decision, and the same epoch, stays.

    `id` is set here; the values that a dimension counts apart are chosen here.
    """
    wanted = [row["response_id"] for row, _ in rows]
    old = {row.response_id: row for row in connection.execute(_OLD, {"wanted": wanted})}
    fresh = [
        (row, found)
        for row, found in rows
        if (was := old.get(row["response_id"])) is None
        or (was.epoch, was.number) < (row["epoch"], row["number"])
    ]
    gone = [old[row["response_id"]] for row, _ in fresh if row["response_id"] in old]
    changes: Counter[Key] = Counter()
    for was in gone:
        changes.subtract(tallies.keys(was._asdict()))
    _remove(connection, [was.id for was in gone])
    _limit(connection, [row for row, _ in fresh])
    _place(connection, [row for row, _ in fresh])
    for row, _ in fresh:
        changes.update(tallies.keys(row))
    if fresh:
        connection.execute(insert(readings), [row for row, _ in fresh])
    searching.put(connection, [(row["id"], found) for row, found in fresh if found])
    tallies.add(connection, changes)


def advance(connection: Connection, **values: Any) -> None:
    connection.execute(update(projected).where(projected.c.id == 1).values(**values))


def forget(connection: Connection, response: str) -> None:
    """Everything about a person goes; the answer still counts. To whoever looks it is news. The
    caller holds the row of `projected`."""
    mine = readings.c.response_id == response
    was = connection.execute(select(readings).where(mine)).one_or_none()
    if was is None:
        return
    emptied = anonymous(was.counted)
    changes: Counter[Key] = Counter()
    changes.subtract(tallies.keys(was._asdict()))
    changes.update(tallies.keys({**was._asdict(), "counted": emptied}))
    searching.remove(connection, [was.id])
    seq = connection.execute(_NEXT_SEQ).scalar_one()
    gone = {"counted": emptied, "seq": seq, **NOBODY}
    connection.execute(update(readings).where(mine).values(**gone))
    tallies.add(connection, changes)


def anonymous(counted: Sequence[Sequence[str]]) -> list[list[str]]:
    """What is left of what somebody's answer was counted by."""
    told = ((name, value if name in _IMPERSONAL else "") for name, value in counted)
    return [list(pair) for pair in dict.fromkeys(told)]


def start_again(connection: Connection, dimensions: Sequence[str], at_once: bool) -> None:
    """Everything is projected anew; the caller holds the row of `projected`. `at_once`: what is
    there is emptied first, else it stays until its turn comes."""
    if at_once:
        connection.execute(delete(readings))
        tallies.empty(connection)
        searching.empty(connection)
    zero = dict.fromkeys(("number", "reached", "seen_number", "seen_xid"), 0)
    epoch = projected.c.epoch + 1
    advance(connection, epoch=epoch, dimensions=list(dimensions), **zero)


def behind(connection: Connection) -> Behind:
    """For whoever shows what is projected."""
    here = position(connection)
    reached = here.reached if here is not None else 0
    last = select(decisions.c.decided_at).where(decisions.c.number <= reached)
    until = connection.scalar(last.order_by(decisions.c.number.desc()).limit(1))
    return Behind(max(horizons.newest(connection) - reached, 0), until)


def _remove(connection: Connection, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(delete(readings).where(readings.c.id.in_(ids)))
        searching.remove(connection, ids)


def _limit(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """What there is no room for is counted with the others of its dimension."""
    open_ended = {
        (dimension, value)
        for row in rows
        for dimension, value in row["counted"]
        if value and tallies.comes_from_outside(dimension)
    }
    left = open_ended - tallies.limited(connection, open_ended)
    for row in rows:
        row["counted"] = [
            [dimension, tallies.OTHER if (dimension, value) in left else value]
            for dimension, value in row["counted"]
        ]


def _place(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Ids in the order of time. Within a millisecond chance decides, and of two at one place the
    second takes the next that is free."""
    taken: set[int] = set()
    for row in rows:
        row["id"] = _next_free(_id(row["given"], row["response_id"]), taken)
        taken.add(row["id"])
    while clashing := set(_existing(connection, (row["id"] for row in rows))):
        taken |= clashing
        for row in rows:
            if row["id"] in clashing:
                row["id"] = _next_free(row["id"], taken)
                taken.add(row["id"])


def _existing(connection: Connection, ids: Iterable[int]) -> Sequence[int]:
    return connection.scalars(_TAKEN, {"ids": list(ids)}).all()


def _id(given: datetime, response: str) -> int:
    time = min(max(int(given.timestamp() * 1000), 0), (1 << _TIME_BITS) - 1)
    return (time << _REST_BITS) | (crc32(response.encode()) >> (32 - _REST_BITS))


def _next_free(id: int, taken: set[int]) -> int:
    while id in taken:
        id += 1
    return id
