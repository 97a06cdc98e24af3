"""The stage that projects: decisions -> readings, tallies and the search, shortly after deciding.

Decisions are read and understood outside of any transaction that writes; what is put in is put in
under one lock, so that two processes do not count an answer twice. Projecting again what is
projected changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json

from connector.reports.dimensions import contributions, dimensions_of
from connector.store import case_days, horizons, readings, searching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from connector.store.horizons import Horizon
    from connector.workspace import Workspace

_TOGETHER = 200  # the writer of SQLite is theirs for some 20 ms
_FULL_PAUSE_SECONDS, _PAUSE_SECONDS = 0.01, 0.4
_WEEKS = "weeks"  # among the dimensions: whoever began did count by week too
_NAMES = ("name", "email", "phone", "external_id", "company")


class _Prepared(NamedTuple):
    """What one round read: for which epoch, how far, and the rows with their tokens, counted by
    these dimensions. The epoch may be one that another process began, with others."""

    epoch: int
    dimensions: Sequence[str]
    reached: int
    horizon: Horizon
    rows: list[tuple[dict[str, Any], list[str]]]


def project(workspace: Workspace, limit: int = _TOGETHER) -> int:
    """Project the oldest decisions that are not; returns how many. Call it until 0.

    Raises:
        StoreDown: when the database is down; nothing was lost.
    """
    dimensions, store = _dimensions(workspace), workspace.store
    with store.read() as connection:
        here = readings.position(connection)
    if here is None or list(here.dimensions) != list(dimensions):
        store.write(lambda c: _begin(c, dimensions))
    with store.read() as connection:
        prepared = _prepare(connection, dimensions, limit)
        settled = not prepared.rows and _is_settled(connection, prepared)
    if settled:
        return 0
    return store.write(lambda c: _put(c, prepared))


def pause(done: int) -> float:
    """Seconds to wait after a round: others use the same writer, and one by one costs most."""
    return _FULL_PAUSE_SECONDS if done >= _TOGETHER else _PAUSE_SECONDS


def rebuild(workspace: Workspace) -> None:
    """Empty all projections; `project` and `recount` fill them again, here or in whatever runs."""
    dimensions = _dimensions(workspace)

    def work(connection: Connection) -> None:
        readings.hold(connection)
        readings.start_again(connection, dimensions, at_once=True)
        case_days.count_again(connection)

    workspace.store.write(work)


def _dimensions(workspace: Workspace) -> tuple[str, ...]:
    return (*dimensions_of(workspace.settings.customer_attributes), _WEEKS)


def _begin(connection: Connection, dimensions: Sequence[str]) -> None:
    """For the first time, or for other dimensions than before."""
    here = readings.hold(connection)
    if list(here.dimensions) != list(dimensions):
        counted_days_only = _WEEKS not in here.dimensions  # an older version, perhaps beside us
        readings.start_again(connection, dimensions, at_once=counted_days_only)


def _prepare(connection: Connection, dimensions: Sequence[str], limit: int) -> _Prepared:
    here = readings.position(connection)
    horizon = horizons.horizon(connection)  # before the rows: they show at least as much
    found = readings.backlog(connection, here.number, here.epoch, limit)
    rows = [_reading(row, here.epoch, dimensions) for row in found]
    reached = found[-1].number if len(found) >= limit else horizon.newest
    return _Prepared(here.epoch, dimensions, reached, horizon, rows)


def _is_settled(connection: Connection, prepared: _Prepared) -> bool:
    """Is there nothing to write down, not even how far it is?"""
    here = readings.position(connection)
    return bool(here.number >= prepared.horizon.newest)


def _reading(row: Any, epoch: int, dimensions: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    facts, verdict = from_json(row.facts), from_json(row.verdict)
    customer = facts.get("customer") or {}
    comment = facts.get("comment") or ""
    counted = contributions(row.source, facts, verdict, dimensions)
    reading = {
        "response_id": row.response_id,
        "number": row.number,
        "epoch": epoch,
        "survey": row.survey,
        "source": row.source,
        "given": row.given,
        "score": row.score,
        "segment": row.segment,
        "language": facts.get("language"),
        "customer_id": row.customer_id,
        "has_comment": bool(comment),
        "counted": counted,
    }
    names = [str(customer[name]) for name in _NAMES if customer.get(name)]
    marks = _marks(reading) if comment else []
    return reading, searching.tokens(comment, names, marks) if facts else []


def _marks(reading: dict[str, Any]) -> list[str]:
    """What a comment is filtered by."""
    topics = [value for dimension, value in reading["counted"] if dimension == "topic" and value]
    said = (
        ("c", "1"),
        ("v", reading["survey"]),
        ("s", "" if reading["score"] is None else str(reading["score"])),
        ("g", reading["segment"]),
        ("l", reading["language"]),
        *(("t", topic) for topic in topics),
    )
    return [searching.mark(kind, value) for kind, value in said if value]


def _put(connection: Connection, prepared: _Prepared) -> int:
    here = readings.hold(connection, wait=False)
    if here is None or here.epoch != prepared.epoch:
        return 0  # another process is at it, or everything begins anew
    if list(here.dimensions) != list(prepared.dimensions):
        return 0  # another process counts by others, and began before the epoch was read
    rows = prepared.rows
    if rows:
        erased = readings.erased_among(connection, [row["response_id"] for row, _ in rows])
        for place, (row, found) in enumerate(rows, 1):
            row["seq"] = here.seq + place
            if row["response_id"] in erased:  # after it was read
                row.update(counted=readings.anonymous(row["counted"]), **readings.NOBODY)
                found.clear()
        readings.put(connection, rows)
    readings.advance(connection, seq=here.seq + len(rows), **_how_far(here, prepared))
    return len(rows)


def _how_far(here: Any, prepared: _Prepared) -> dict[str, int]:
    before = horizons.Place(here.number, here.seen_number, here.seen_xid)
    place = horizons.further(before, prepared.horizon)
    number = max(here.number, min(prepared.reached, place.number))
    reached = max(here.reached, prepared.reached)
    return {**place._asdict(), "number": number, "reached": reached}
