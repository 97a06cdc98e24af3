"""Named queries of what is known about customers and companies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select, update

from connector.domain import Scalar
from connector.store.arrivals import insert_ignoring
from connector.store.tables import companies, customer_keys, customers
from connector.text import fold

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ATTRIBUTES = (
    select(customers)
    .where(customers.c.id.in_(bindparam("known", expanding=True)))
    .order_by(customers.c.id)
    .with_for_update(key_share=True)
)
# By itself: PostgreSQL waits for a lock with what it has seen of other tables before.
_COMPANIES = select(companies).where(companies.c.id.in_(bindparam("some", expanding=True)))
_KEYS = (
    select(customer_keys.c.customer_id, customer_keys.c.kind, customer_keys.c.value)
    .where(customer_keys.c.customer_id.in_(bindparam("known", expanding=True)))
    .order_by(customer_keys.c.value)
)


def attributes(
    connection: Connection, known: Collection[str]
) -> dict[str, tuple[dict[str, Scalar], dict[str, Scalar]]]:
    """What rules see as `customer` and `company`: stored attributes plus the known keys.

    Locked until the transaction ends, so that decisions about one customer happen one after the
    other. Not against foreign keys: both of two deciders have already written an answer that
    refers to this row, and each would wait for the other.
    """
    if not known:
        return {}
    found: dict[str, tuple[dict[str, Scalar], dict[str, Scalar]]] = {}
    rows = connection.execute(_ATTRIBUTES, {"known": sorted(known)}).all()
    about = _companies(connection, {row.company_id for row in rows if row.company_id is not None})
    for row in rows:
        mine: dict[str, Scalar] = dict(row.attributes)
        if row.name:
            mine["name"] = row.name
        found[row.id] = mine, {**about.get(row.company_id, {})}
    for customer, kind, value in connection.execute(_KEYS, {"known": sorted(found)}):
        found[customer][0].setdefault(kind, value)
    for mine, company in found.values():
        if company:
            mine["company"] = company["name"]
    return found


def _companies(connection: Connection, some: Collection[str]) -> dict[str, dict[str, Scalar]]:
    if not some:
        return {}
    rows = connection.execute(_COMPANIES, {"some": sorted(some)})
    return {row.id: {**row.attributes, "name": row.name} for row in rows}


def put_attributes(
    connection: Connection, customer: str, values: Mapping[str, Scalar], company: str | None
) -> None:
    """Set attributes; those not named stay, an empty value removes one."""
    mine = select(customers).where(customers.c.id == customer)
    row = connection.execute(mine.with_for_update(key_share=True)).one_or_none()
    if row is None:
        return  # erased by another process since they were identified
    merged = {**row.attributes, **values}
    changes: dict[str, Any] = {"attributes": {k: v for k, v in merged.items() if v is not None}}
    if company:
        changes["company_id"] = _company(connection, company)
    connection.execute(update(customers).where(customers.c.id == customer).values(**changes))


def _company(connection: Connection, name: str) -> str:
    identity = " ".join(fold(name).split())[:200]
    row = {"id": identity, "name": name.strip(), "attributes": {}}
    statement = insert_ignoring(connection, companies).values(row)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["id"]))
    return identity
