"""Named queries of pools: whose turn it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connector.store.tables import decisions, pools

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_TAKE: dict[str, Any] = {}
for _dialect, _insert in (("sqlite", sqlite_insert), ("postgresql", postgresql_insert)):
    _new = _insert(pools).values(name=bindparam("pool"), position=bindparam("turns"))
    _TAKE[_dialect] = _new.on_conflict_do_update(
        index_elements=["name"], set_={"position": pools.c.position + _new.excluded.position}
    ).returning(pools.c.position)
_TAKEN = (
    select(decisions.c.response_id, decisions.c.facts["positions"])
    .where(decisions.c.response_id.in_(bindparam("wanted", expanding=True)))
    .order_by(decisions.c.number)
)


def take(connection: Connection, wanted: Mapping[str, int]) -> dict[str, int]:
    """So many turns of each pool; returns the position of the first of them, from 0.

    The pools are locked until the transaction ends, in one order: two processes must not wait for
    each other.
    """
    statement, first = _TAKE[connection.dialect.name], {}
    for pool in sorted(wanted):
        row = {"pool": pool, "turns": wanted[pool]}
        first[pool] = connection.execute(statement, row).scalar_one() - wanted[pool]
    return first


def taken(connection: Connection, responses: Collection[str]) -> dict[str, dict[str, int]]:
    """The positions that earlier decisions about these responses were made with, by pool."""
    if not responses:
        return {}
    found: dict[str, dict[str, int]] = {}
    for response, positions in connection.execute(_TAKEN, {"wanted": sorted(responses)}):
        found.setdefault(response, {}).update(positions or {})
    return found
