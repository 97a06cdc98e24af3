"""Named queries of what people said: the rows behind a page of verbatims."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, func, select

from connector.store import searching, tallies
from connector.store.tables import (
    actions,
    cases,
    customer_keys,
    customers,
    readings,
    responses,
    tally_values,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

_MOST_OF_CUSTOMER = 500
_MOST_KEPT_APART = 1_000

_DETAILS = (
    select(
        *(readings.c[name] for name in ("id", "response_id", "survey", "given", "score")),
        *(readings.c[name] for name in ("segment", "language", "customer_id", "counted")),
        responses.c.content,
        responses.c.history,
        customers.c.name,
    )
    .join_from(readings, responses, responses.c.id == readings.c.response_id)
    .outerjoin(customers, customers.c.id == readings.c.customer_id)
    .order_by(readings.c.id.desc())
)
_MADE = (
    select(
        *(actions.c[name] for name in ("id", "response_id", "kind", "sink", "opens_case")),
        *(actions.c[name] for name in ("state", "error", "rule_id", "url", "remote_id")),
        cases.c.state.label("case_state"),
    )
    .outerjoin(cases, cases.c.action_id == actions.c.id)
    .where(actions.c.amends.is_(None))
    .order_by(actions.c.id)
)


class Choices(NamedTuple):
    """What can be filtered by, as it occurred."""

    languages: list[str]
    topics: list[str]


def newest_seq(connection: Connection) -> int:
    """It grows whenever a reading is new or another one."""
    return connection.scalar(select(func.max(readings.c.seq))) or 0


def changed_since(
    connection: Connection, seq: int, customer: str, tokens: Sequence[str], limit: int
) -> int:
    """How many with a comment, and all these tokens, are new or others since then; only the newest
    so many are looked at."""
    changed = (readings.c.seq > seq) & readings.c.has_comment
    if customer:
        changed &= readings.c.customer_id == customer
    ids = list(
        connection.scalars(
            select(readings.c.id).where(changed).order_by(readings.c.seq.desc()).limit(limit)
        )
    )
    return len(searching.among(connection, tokens, ids) if tokens and ids else ids)


def erased_since(connection: Connection, seq: int) -> bool:
    """Was somebody erased who may stand on a page?"""
    mine = select(readings.c.id).join_from(
        readings, responses, responses.c.id == readings.c.response_id
    )
    erased = (readings.c.seq > seq) & responses.c.erased_at.is_not(None)
    return connection.scalar(mine.where(erased).limit(1)) is not None


def with_comment(connection: Connection, limit: int, before: int) -> list[int]:
    """Ids of readings, the newest first."""
    statement = select(readings.c.id).where(readings.c.has_comment, readings.c.id < before)
    return list(connection.scalars(statement.order_by(readings.c.id.desc()).limit(limit)))


def of_customer(
    connection: Connection, customer: str, tokens: Sequence[str], limit: int, before: int
) -> list[int]:
    """The same of one customer, with all these tokens."""
    statement = select(readings.c.id).where(
        readings.c.customer_id == customer, readings.c.has_comment, readings.c.id < before
    )
    mine = list(
        connection.scalars(statement.order_by(readings.c.id.desc()).limit(_MOST_OF_CUSTOMER))
    )
    if tokens:
        mine = searching.among(connection, tokens, mine)
    return mine[:limit]


def details(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    return connection.execute(_DETAILS.where(readings.c.id.in_(ids))).all()


def made_for(connection: Connection, response_ids: Sequence[str]) -> dict[str, list[Any]]:
    """By response, its effects in their order; no amendments."""
    found: dict[str, list[Any]] = {}
    for row in connection.execute(_MADE.where(actions.c.response_id.in_(response_ids))):
        found.setdefault(row.response_id, []).append(row)
    return found


def customers_named(connection: Connection, words: Sequence[str], limit: int) -> list[str]:
    """Customers by words of their names and addresses, where nobody has these by the beginning of
    the last one; who answered last comes first."""
    if not words:
        return []
    wanted = [searching.name_mark(word) for word in words]
    ids = searching.find(connection, wanted, limit * 5)
    if not ids:
        wanted[-1] = searching.beginning(wanted[-1])
        ids = searching.find(connection, wanted, limit * 5)
    theirs = select(readings.c.customer_id).where(readings.c.id.in_(ids))
    theirs = theirs.where(readings.c.customer_id.is_not(None)).order_by(readings.c.id.desc())
    return list(dict.fromkeys(connection.scalars(theirs)))[:limit]


def customers_with_key(connection: Connection, values: Sequence[tuple[str, str]]) -> list[str]:
    """Customers that have one of these (kind, value)."""
    found: dict[str, None] = {}
    for kind, value in values:
        mine = (customer_keys.c.kind == kind) & (customer_keys.c.value == value)
        found |= dict.fromkeys(connection.scalars(select(customer_keys.c.customer_id).where(mine)))
    return list(found)


def choices(connection: Connection, since: date) -> Choices:
    """Of the topics only what was spoken of in the week of `since` or later."""
    language = tally_values.c.dimension == "language"
    languages = select(tally_values.c.value).where(language).order_by(tally_values.c.value)
    topics = tallies.values(connection, "topic", since, _MOST_KEPT_APART)
    return Choices(list(connection.scalars(languages)), topics)
