"""Named queries of the weekly digest: what it tells of a week, its actions, and taking a person out
of those that are kept."""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select, true, update

from connector.store import readings
from connector.store.alarms import raise_alarm
from connector.store.arrivals import insert_ignoring
from connector.store.counting import Period, text_at
from connector.store.tables import actions, cases, decisions, responses, settings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

KIND = "email.digest"
_SINCE = "digest_mail_since"  # in `settings`: from when on digests are wanted
_ON_ITS_WAY = "a person in it was erased while it was on its way; look whether it arrived"


class Counts(NamedTuple):
    """Cases opened and closed in a time; open ones, overdue and untouched, at its end."""

    opened: int
    closed: int
    open: int
    overdue: int
    untouched: int


class Comment(NamedTuple):
    response: str
    score: int | None
    segment: str | None
    survey: str
    words: str


def counts(
    connection: Connection, period: Period, now: datetime, surveys: Collection[str] | None
) -> Counts:
    """`untouched`: cases of detractors that nobody has touched."""
    is_open = cases.c.state.in_(("open", "contacted"))
    untouched = and_(cases.c.state == "open", cases.c.contacted_at.is_(None))
    columns = (
        period.holds(cases.c.opened_at),
        and_(cases.c.state == "closed", period.holds(cases.c.closed_at)),
        is_open,
        and_(untouched, cases.c.respond_by < now),
        and_(untouched, cases.c.segment == "detractor"),
    )
    counted = [func.count().filter(column) for column in columns]
    row = connection.execute(select(*counted).where(_of(cases.c.survey, surveys))).one()
    return Counts(*(int(number) for number in row))


def comments(
    connection: Connection,
    period: Period,
    segment: str | None,
    surveys: Collection[str] | None,
    most: int,
) -> list[Comment]:
    """The newest with words, of people who were not erased."""
    words = text_at(responses.c.content, ("comment",), connection.dialect.name)
    columns = (responses.c.id, responses.c.score, responses.c.segment, responses.c.survey, words)
    is_wanted = responses.c.segment.is_(None) if segment is None else responses.c.segment == segment
    statement = (
        select(*columns)
        .where(
            period.holds(responses.c.answered_at),
            responses.c.erased_at.is_(None),
            is_wanted,
            words != "",
            _of(responses.c.survey, surveys),
        )
        .order_by(responses.c.answered_at.desc(), responses.c.id)
    )
    return [Comment(*row) for row in connection.execute(statement.limit(most))]


def topics(
    connection: Connection, period: Period, surveys: Collection[str] | None
) -> dict[str, int]:
    """What was written about: topic -> answers, by what was decided about each last."""
    said = text_at(decisions.c.verdict, ("topics",), connection.dialect.name)
    others = decisions.alias()
    newest = (
        select(func.max(others.c.number))
        .where(others.c.response_id == responses.c.id)
        .correlate(responses)
        .scalar_subquery()
    )
    statement = (
        select(said.label("said"), func.count())
        .select_from(responses.join(decisions, decisions.c.number == newest))
        .where(period.holds(responses.c.answered_at), _of(responses.c.survey, surveys))
        .group_by("said")
    )
    found: dict[str, int] = {}
    for row in connection.execute(statement):
        for name in json.loads(row[0] or "[]"):
            found[name] = found.get(name, 0) + row[1]
    return found


def wanted_since(connection: Connection, now: datetime) -> datetime:
    """When digests were first asked for; from now on, where they never were."""
    row = {"name": _SINCE, "value": now.isoformat()}
    connection.execute(insert_ignoring(connection, settings).values(**row).on_conflict_do_nothing())
    found = connection.scalar(select(settings.c.value).where(settings.c.name == _SINCE))
    return datetime.fromisoformat(str(found))


def is_put(connection: Connection, digest: str) -> bool:
    """Is there anything of this week's already?"""
    mine = select(actions.c.id).where(actions.c.kind == KIND, actions.c.digest == digest)
    return connection.scalar(mine.limit(1)) is not None


def put(connection: Connection, digest: str, rows: Sequence[dict[str, Any]]) -> None:
    """What somebody else has put a moment ago is left as it is: nobody gets a second one, nor
    somebody who was added since a first one. Who was erased since they were written is not quoted.
    """
    erased = _erased_since(connection, rows)
    if is_put(connection, digest):
        return
    for row in rows:
        values = {**row, "order": functools.reduce(_without, erased, row["order"])}
        connection.execute(
            insert_ignoring(connection, actions).values(**values).on_conflict_do_nothing()
        )


def _erased_since(connection: Connection, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Whom these quote all the same; until the transaction ends nobody else is erased."""
    quoted = sorted({one["response"] for row in rows for one in _verbatims(row["order"])})
    if not quoted:
        return set()
    readings.hold(connection)  # first of all, as whoever erases
    return readings.erased_among(connection, quoted)


def forget(connection: Connection, response: str, now: datetime) -> None:
    """No digest quotes this response any more, nor does its frozen request; one that was on its
    way is in doubt, so that nobody sends its bytes again."""
    # Locked, all of them: one that is being sent at this moment is seen as it is afterwards.
    statement = select(actions).where(actions.c.kind == KIND, _quotes(connection, response))
    for row in connection.execute(statement.order_by(actions.c.id).with_for_update()).all():
        values: dict[str, Any] = {"order": _without(row.order, response), "request": None}
        values |= {"error": None, "remark": None, "fence": row.fence + 1, "lease_until": None}
        if row.state == "sending":
            values |= {"state": "in_doubt", "error": _ON_ITS_WAY, "finished_at": now}
            raise_alarm(connection, "in_doubt", f"action {row.id}", _ON_ITS_WAY, now)
        connection.execute(update(actions).where(actions.c.id == row.id).values(**values))


def _quotes(connection: Connection, response: str) -> ColumnElement[bool]:
    quoted = text_at(actions.c.order, ("params", "weekly", "verbatims"), connection.dialect.name)
    return quoted.contains(f'"{response}"', autoescape=True)


def _verbatims(order: Any) -> list[dict[str, Any]]:
    weekly = (order or {}).get("params", {}).get("weekly") or {}
    found: list[dict[str, Any]] = weekly.get("verbatims") or []
    return found


def _without(order: dict[str, Any], response: str) -> dict[str, Any]:
    params = order["params"]
    left = [one for one in _verbatims(order) if one["response"] != response]
    return {**order, "params": {**params, "weekly": {**params["weekly"], "verbatims": left}}}


def _of(column: Any, surveys: Collection[str] | None) -> ColumnElement[bool]:
    return true() if surveys is None else column.in_(list(surveys))
