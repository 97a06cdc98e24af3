"""Named queries of the outbox for people who page through it, the newest first.

However many actions there are, a page looks at a bounded number of them: what a filter leaves over
may then be fewer than a page, and `scanned_to` says from where to look on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, func, select

from connector.store.tables import actions, customers, responses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select

SCANNED = 20_000
# Few are in these, so that the index of sink and state finds them; of all others there are many.
_FEW = ("parked", "in_doubt", "held", "sending", "gathering")
_ROW = (
    *(c for c in actions.c if c.name not in ("request", "order")),
    customers.c.name.label("customer_name"),
    responses.c.score,
    responses.c.segment,
    responses.c.survey,
)
_WHOLE = actions.outerjoin(responses, responses.c.id == actions.c.response_id).outerjoin(
    customers, customers.c.id == actions.c.customer_id
)


class Filter(NamedTuple):
    """Which actions; empty is any. `response` is an id or its beginning."""

    state: str = ""
    sink: str = ""
    kind: str = ""
    rule: str = ""
    response: str = ""
    customer: str = ""


class Page(NamedTuple):
    """`scanned_to`: there may be more before this id; None where there are none."""

    rows: Sequence[Any]
    scanned_to: int | None


def page(
    connection: Connection, chosen: Filter, sinks: Sequence[str], before: int | None, limit: int
) -> Page:
    """`sinks`: all there are, configured or not; `before`: only actions with a smaller id."""
    if chosen.response or chosen.customer:
        ids = _narrowed(chosen)
    elif chosen.state in _FEW:
        at = [chosen.sink] if chosen.sink else list(sinks)
        ids = _filtered(select(actions.c.id).where(actions.c.sink.in_(at)), chosen)
    else:
        return _scanned(connection, chosen, before, limit)
    if before is not None:
        ids = ids.where(actions.c.id < before)
    found = connection.scalars(ids.order_by(actions.c.id.desc()).limit(limit + 1)).all()
    more = found[limit - 1] if len(found) > limit else None
    return Page(_rows(connection, found[:limit]), more)


def _scanned(connection: Connection, chosen: Filter, before: int | None, limit: int) -> Page:
    """Along the primary key, so far as SCANNED of them."""
    newest = connection.scalar(select(func.max(actions.c.id))) or 0
    above = min(before - 1, newest) if before is not None else newest
    lowest = max(above - SCANNED, 0)
    along = select(actions.c.id).where(actions.c.id <= above, actions.c.id > lowest)
    ids = _filtered(along, chosen, by_id=True)
    found = connection.scalars(ids.order_by(actions.c.id.desc()).limit(limit + 1)).all()
    if len(found) > limit:
        return Page(_rows(connection, found[:limit]), found[limit - 1])
    return Page(_rows(connection, found), lowest + 1 if lowest > 0 else None)


def _narrowed(chosen: Filter) -> Select[Any]:
    statement = select(actions.c.id)
    if chosen.response:
        # Ids are hexadecimal: a range, which stands in the index, where LIKE would read them all.
        first, after = chosen.response, chosen.response + "g"
        mine = (actions.c.response_id >= first) & (actions.c.response_id < after)
        statement = statement.where(mine)
    if chosen.customer:
        statement = statement.where(actions.c.customer_id == chosen.customer)
    return _filtered(statement, chosen)


def _filtered(statement: Select[Any], chosen: Filter, by_id: bool = False) -> Select[Any]:
    """`by_id`: through the primary key and no other index. Without statistics SQLite would rather
    sort half a million actions of one sink; what is put together no index knows."""
    for column, value in (
        (actions.c.state, chosen.state),
        (actions.c.sink, chosen.sink),
        (actions.c.kind, chosen.kind),
        (actions.c.rule_id, chosen.rule),
    ):
        if value:
            statement = statement.where((column.concat("") if by_id else column) == value)
    return statement


def _rows(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    statement = select(*_ROW).select_from(_WHOLE).where(actions.c.id.in_(ids))
    return connection.execute(statement.order_by(actions.c.id.desc())).all()


def one(connection: Connection, action: int) -> Any:
    """All of it, with whose answer it is about; None where there is none."""
    statement = select(*_ROW, actions.c.order, actions.c.request, responses.c.content)
    chosen = statement.select_from(_WHOLE).where(actions.c.id == action)
    return connection.execute(chosen).one_or_none()


def amendments(connection: Connection, action: int, response: str | None) -> Sequence[Any]:
    """What was said about it later."""
    mine = (actions.c.response_id == response) & (actions.c.amends == action)
    columns = (actions.c.id, actions.c.kind, actions.c.state, actions.c.created_at)
    return connection.execute(select(*columns).where(mine).order_by(actions.c.id)).all()


def held_by_source(connection: Connection, sinks: Sequence[str]) -> dict[str, int]:
    """Source -> actions that a flood of its answers has held back."""
    held = (actions.c.state == "held") & actions.c.error.is_(None) & actions.c.sink.in_(sinks)
    statement = select(actions.c.source, func.count()).where(held, actions.c.source.is_not(None))
    return {row[0]: row[1] for row in connection.execute(statement.group_by(actions.c.source))}
