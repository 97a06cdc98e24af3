"""Named queries of responses, their revisions, and the decisions about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from connector.store.tables import decisions, responses, revisions, rulesets, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

ACTIVE_RULESET = "active_ruleset"  # its name in `settings`
_KNOWN = (
    "id",
    "customer_id",
    "revision",
    "content_hash",
    "answered_at",
    "received_at",
    "revised_at",
    "history",
    "erased_at",
)
_FIND = (
    select(*(responses.c[name] for name in _KNOWN))
    .where(responses.c.id.in_(bindparam("wanted", expanding=True)))
    .order_by(responses.c.id)  # in one order, so that two processes do not wait for each other
    .with_for_update(key_share=True)  # another decider may add a decision that refers to it
)
_REVISE = update(responses).where(responses.c.id == bindparam("response"))
_ADD_RESPONSES, _ADD_REVISIONS = insert(responses), insert(revisions)
_ADD_DECISIONS = insert(decisions).returning(decisions.c.response_id, decisions.c.number)
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
