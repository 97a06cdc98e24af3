"""Named queries of one customer, or of one answer: everything that is known and happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from connector.store.cases import UNFINISHED
from connector.store.tables import (
    actions,
    alarms,
    case_events,
    cases,
    companies,
    customer_keys,
    customers,
    decisions,
    responses,
    revisions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ANSWERS = 50
_NOT_ACTIONS = ("request", "order", "lease_until", "fence")
_GIVEN = func.coalesce(responses.c.answered_at, responses.c.received_at)
_CASES = (
    select(cases, actions.c.kind)
    .join(actions, actions.c.id == cases.c.action_id)
    .order_by(cases.c.opened_at.desc())
)


def customer(connection: Connection, id: str) -> Any:
    """With the name of their company; None where there is no such customer (any more)."""
    statement = select(customers, companies.c.name.label("company_name"))
    joined = statement.outerjoin(companies, companies.c.id == customers.c.company_id)
    return connection.execute(joined.where(customers.c.id == id)).one_or_none()


def customers_of(connection: Connection, ids: Sequence[str]) -> Sequence[Any]:
    """(id, name, number of answers, newest answer) in the order of `ids`."""
    statement = (
        select(
            customers.c.id,
            customers.c.name,
            func.count(responses.c.id).label("answers"),
            func.max(_GIVEN, type_=responses.c.received_at.type).label("newest"),
        )
        .outerjoin(responses, responses.c.customer_id == customers.c.id)
        .where(customers.c.id.in_(ids))
        .group_by(customers.c.id, customers.c.name)
    )
    place = {id: number for number, id in enumerate(ids)}
    return sorted(connection.execute(statement), key=lambda row: place[row.id])


def keys_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Customer -> (kind, value) of their addresses."""
    mine = customer_keys.c.customer_id.in_(ids)
    found: dict[str, list[tuple[str, str]]] = {}
    ordered = select(customer_keys).where(mine).order_by(customer_keys.c.kind)
    for row in connection.execute(ordered.order_by(customer_keys.c.value)):
        found.setdefault(row.customer_id, []).append((row.kind, row.value))
    return found


def answers_of(connection: Connection, customer: str, limit: int = MOST_ANSWERS) -> Sequence[Any]:
    """The newest first."""
    statement = select(responses).where(responses.c.customer_id == customer)
    ordered = statement.order_by(_GIVEN.desc(), responses.c.id.desc())
    return connection.execute(ordered.limit(limit)).all()


def count_answers(connection: Connection, customer: str) -> int:
    mine = responses.c.customer_id == customer
    return connection.scalar(select(func.count()).select_from(responses).where(mine)) or 0


def answer(connection: Connection, response: str) -> Any:
    return connection.execute(select(responses).where(responses.c.id == response)).one_or_none()


def revisions_of(connection: Connection, response_ids: Sequence[str]) -> Sequence[Any]:
    mine = revisions.c.response_id.in_(response_ids)
    ordered = select(revisions).where(mine).order_by(revisions.c.response_id, revisions.c.number)
    return connection.execute(ordered).all()


def decisions_of(connection: Connection, response_ids: Sequence[str]) -> Sequence[Any]:
    """Without their facts."""
    columns = [column for column in decisions.c if column.name != "facts"]
    mine = decisions.c.response_id.in_(response_ids)
    return connection.execute(select(*columns).where(mine).order_by(decisions.c.number)).all()


def decision(connection: Connection, number: int) -> Any:
    return connection.execute(select(decisions).where(decisions.c.number == number)).one_or_none()


def effects_of(connection: Connection, response_ids: Sequence[str]) -> Sequence[Any]:
    columns = [column for column in actions.c if column.name not in _NOT_ACTIONS]
    mine = actions.c.response_id.in_(response_ids)
    return connection.execute(select(*columns).where(mine).order_by(actions.c.id)).all()


def cases_of(connection: Connection, response_ids: Sequence[str]) -> Sequence[Any]:
    """The newest first, with the kind of their action."""
    return connection.execute(_CASES.where(cases.c.response_id.in_(response_ids))).all()


def open_cases_of(connection: Connection, customer: str) -> Sequence[Any]:
    """The same of whichever of the customer's answers, as long as nobody has closed them."""
    mine = cases.c.customer_id == customer
    return connection.execute(_CASES.where(mine, cases.c.state.in_(UNFINISHED))).all()


def count_open_cases(connection: Connection, customer: str) -> int:
    mine = (cases.c.customer_id == customer) & cases.c.state.in_(UNFINISHED)
    return connection.scalar(select(func.count()).select_from(cases).where(mine)) or 0


def events_of(connection: Connection, action_ids: Sequence[int]) -> Sequence[Any]:
    mine = case_events.c.action_id.in_(action_ids)
    return connection.execute(select(case_events).where(mine).order_by(case_events.c.id)).all()


def alarms_about(connection: Connection, action_ids: Sequence[int]) -> Sequence[Any]:
    about = alarms.c.subject.in_([f"action {id}" for id in action_ids])
    return connection.execute(select(alarms).where(about).order_by(alarms.c.id)).all()
