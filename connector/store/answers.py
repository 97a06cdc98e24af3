"""Named queries of responses, their revisions, and the decisions about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Connection, bindparam, case, func, insert, or_, select, update

from connector import faultpoints
from connector.domain import EarlierAnswer, History
from connector.store.tables import actions, decisions, responses, revisions, rulesets, settings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

ACTIVE_RULESET = "active_ruleset"  # its name in `settings`
_EARLIER = 3  # answers that the person who makes the call gets to see
_KNOWN = (
    "id",
    "customer_id",
    "revision",
    "content_hash",
    "answered_at",
    "revised_at",
    "history",
    "erased_at",
)


_BESIDES: BindParameter[Any] = bindparam("besides", expanding=True)  # responses
_THEIRS = responses.c.customer_id.in_(bindparam("known", expanding=True))
_FIND = (
    select(*(responses.c[name] for name in _KNOWN))
    .where(responses.c.id.in_(bindparam("wanted", expanding=True)))
    .order_by(responses.c.id)  # in one order, so that two processes do not wait for each other
    .with_for_update()
)
_REVISE = update(responses).where(responses.c.id == bindparam("response"))
_ADD_RESPONSES, _ADD_REVISIONS = insert(responses), insert(revisions)
_ADD_DECISIONS = insert(decisions).returning(decisions.c.response_id, decisions.c.number)
_NEWEST_FIRST = func.coalesce(responses.c.answered_at, responses.c.received_at).desc()
_BY_CUSTOMER: dict[str, Any] = {"partition_by": responses.c.customer_id}
_UNHAPPY = case((responses.c.segment == "detractor", 1), else_=0)
_RANKED = (
    select(
        responses.c.id,
        func.row_number()
        .over(**_BY_CUSTOMER, order_by=(_NEWEST_FIRST, responses.c.id))
        .label("place"),
        func.count().over(**_BY_CUSTOMER).label("total"),
        func.sum(_UNHAPPY).over(**_BY_CUSTOMER).label("unhappy"),
    )
    .where(_THEIRS, responses.c.id.not_in(_BESIDES), responses.c.erased_at.is_(None))
    .subquery("ranked")
)
_EARLIER_ANSWERS = (
    select(
        responses.c.customer_id,
        _RANKED.c.total,
        _RANKED.c.unhappy,
        *(responses.c[name] for name in ("answered_at", "survey", "score", "segment", "content")),
    )
    .join(_RANKED, _RANKED.c.id == responses.c.id)
    .where(_RANKED.c.place <= _EARLIER)
    .order_by(responses.c.customer_id, _RANKED.c.place)
)
_OPEN_CASES = (
    select(actions.c.customer_id, func.count())
    .where(
        actions.c.customer_id.in_(bindparam("known", expanding=True)),
        actions.c.opens_case,
        actions.c.amends.is_(None),
        actions.c.closed_at.is_(None),
        actions.c.state.in_(("waiting", "held", "sending", "done", "in_doubt")),
        or_(actions.c.response_id.is_(None), actions.c.response_id.not_in(_BESIDES)),
    )
    .group_by(actions.c.customer_id)
)
_ACTIVE = select(settings.c.value).where(settings.c.name == ACTIVE_RULESET)


def find_responses(connection: Connection, wanted: Sequence[str]) -> dict[str, Any]:
    """Those that exist, by id; locked until the transaction ends."""
    return {row.id: row for row in connection.execute(_FIND, {"wanted": wanted})}


def add_responses(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(_ADD_RESPONSES, rows)


def revise_responses(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """`response` in a row is its id; the other columns, the same in all rows, are replaced."""
    if rows:
        connection.execute(_REVISE, rows)


def add_revisions(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(_ADD_REVISIONS, rows)


def newest_arrival(connection: Connection, response: str) -> int:
    """The record that the newest revision was read from."""
    mine = revisions.c.response_id == response
    return connection.scalar(select(func.max(revisions.c.inbox_id)).where(mine)) or 0


def histories(
    connection: Connection, known: Collection[str], besides: Collection[str]
) -> dict[str, History]:
    """What had been decided for these customers before, these responses left out. Who has none
    is not in it."""
    if not known:
        return {}
    if faultpoints.broken("quiet"):
        return {}
    wanted = {"known": sorted(known), "besides": sorted(besides)}
    theirs: dict[str, list[Any]] = {}
    for row in connection.execute(_EARLIER_ANSWERS, wanted):
        theirs.setdefault(row.customer_id, []).append(row)
    cases = _open_cases(connection, known, besides)
    return {
        customer: _history(theirs.get(customer, []), cases.get(customer, 0))
        for customer in theirs.keys() | cases.keys()
    }


def _history(rows: list[Any], cases: int) -> History:
    earlier = tuple(
        EarlierAnswer(
            answered_at=row.answered_at,
            survey=row.survey,
            score=row.score,
            segment=row.segment,
            comment=str(row.content.get("comment", ""))[:300],
        )
        for row in rows
    )
    newest = earlier[0] if earlier else None
    return History(
        answers=rows[0].total if rows else 0,
        detractor_answers=rows[0].unhappy if rows else 0,
        previous_score=newest.score if newest else None,
        previous_segment=newest.segment if newest else None,
        previous_at=newest.answered_at if newest else None,
        open_cases=cases,
        earlier=earlier,
    )


def _open_cases(
    connection: Connection, known: Collection[str], besides: Collection[str]
) -> dict[str, int]:
    if faultpoints.broken("quiet"):
        return {}
    wanted = {"known": sorted(known), "besides": sorted(besides)}
    return {row[0]: row[1] for row in connection.execute(_OPEN_CASES, wanted)}


def open_cases(connection: Connection, customer: str) -> int:
    """Cases of this customer that nobody has closed yet, those still on their way included."""
    return _open_cases(connection, (customer,), ()).get(customer, 0)


def add_decisions(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Keep facts and verdicts. By response, the numbers that order all decisions of this store."""
    return {row[0]: row[1] for row in connection.execute(_ADD_DECISIONS, rows)}


def decisions_of(connection: Connection, response: str) -> Sequence[Any]:
    statement = select(decisions).where(decisions.c.response_id == response)
    return connection.execute(statement.order_by(decisions.c.number)).all()


def active_ruleset(connection: Connection) -> str | None:
    found: str | None = connection.scalar(_ACTIVE)
    return found


def ruleset_files(connection: Connection, identity: str) -> dict[str, str] | None:
    found: dict[str, str] | None = connection.scalar(
        select(rulesets.c.files).where(rulesets.c.hash == identity)
    )
    return found
