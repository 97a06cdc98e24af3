"""Named queries that page through answers, cases and alarms by key, the newest first.

However many there are, a page looks at SCANNED of them: what a filter leaves over may then be fewer
than a page, and `further` says from where to look on.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, literal, select, tuple_

from connector.store.tables import alarms, cases, responses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Column, ColumnElement

    Key = tuple[Any, ...]

SCANNED = 20_000
_RESPONSE = tuple(c for c in responses.c if c.name not in ("record", "content_hash"))


class Page(NamedTuple):
    """`further`: there may be more after this key; None where there are none."""

    rows: Sequence[Any]
    further: Key | None


def responses_before(
    connection: Connection,
    equal: Mapping[str, str],
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
    after: Key | None = None,
) -> Page:
    """By when they came in. `equal`: column -> value; `after`: (when, id) of the last before."""
    at, id = responses.c.received_at, responses.c.id
    span = []
    if since is not None:
        span.append(at >= since)
    if until is not None:
        span.append(at < until)
    if "customer_id" in equal:  # few, and an index knows them: all of them may be looked at
        span += [responses.c[column] == value for column, value in equal.items()]
        return _page(connection, _RESPONSE, (at, id), span, [], limit, after)
    kept = [_is(responses.c[column], value) for column, value in equal.items()]
    return _page(connection, _RESPONSE, (at, id), span, kept, limit, after)


def response(connection: Connection, id: str) -> Any:
    return connection.execute(select(*_RESPONSE).where(responses.c.id == id)).one_or_none()


def cases_before(
    connection: Connection,
    equal: Mapping[str, str],
    untouched: bool | None,
    limit: int,
    after: Key | None,
) -> Page:
    kept = [_is(cases.c[column], value) for column, value in equal.items()]
    if untouched is not None:
        touched = cases.c.contacted_at.is_not(None)
        kept.append(~touched if untouched else touched)
    return _page(connection, tuple(cases.c), (cases.c.action_id,), [], kept, limit, after)


def alarms_before(connection: Connection, over: bool, limit: int, after: Key | None) -> Page:
    """`over`: those that are over as well."""
    kept = [] if over else [alarms.c.cleared_at.is_(None)]
    return _page(connection, tuple(alarms.c), (alarms.c.id,), [], kept, limit, after)


def _page(
    connection: Connection,
    columns: Sequence[Column[Any]],
    key: Sequence[Column[Any]],
    span: Sequence[ColumnElement[bool]],
    kept: Sequence[ColumnElement[bool]],
    limit: int,
    after: Key | None,
) -> Page:
    """`span`: which may be looked at; `kept`: which of those are shown."""
    newest_first = [column.desc() for column in key]
    within = [*span, *([tuple_(*key) < _value(key, after)] if after is not None else [])]
    last = None
    if kept:
        along = select(*key).where(*within).order_by(*newest_first)
        last = connection.execute(along.offset(SCANNED - 1).limit(1)).one_or_none()
        within += [tuple_(*key) >= _value(key, last)] if last is not None else []
    chosen = select(*columns).where(*within, *kept).order_by(*newest_first)
    rows = connection.execute(chosen.limit(limit + 1)).all()
    if len(rows) > limit:
        return Page(rows[:limit], tuple(rows[limit - 1]._mapping[column] for column in key))
    return Page(rows, tuple(last) if last is not None else None)


def _is(column: Column[Any], value: str) -> ColumnElement[bool]:
    """By no index of its own: SQLite would rather sort half a million answers of one source."""
    return column.concat("") == value


def _value(key: Sequence[Column[Any]], values: Sequence[Any]) -> Any:
    return tuple_(*(literal(value, column.type) for column, value in zip(key, values, strict=True)))
