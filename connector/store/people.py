"""Named queries of customers and companies. Identity: e-mail, then phone, then external id."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from connector.domain import Respondent, Scalar
from connector.store.arrivals import insert_ignoring
from connector.store.tables import companies, customer_keys, customers
from connector.text import clean_email, clean_phone, fold

if TYPE_CHECKING:
    from collections.abc import Mapping


_LONGEST = 320  # characters; what is longer is no address and no id


def keys_of(person: Respondent) -> list[tuple[str, str]]:
    """The keys under which this person is known, the strongest first; cleaned."""
    found = (
        ("email", clean_email(person.email)),
        ("phone", clean_phone(person.phone)),
        ("external_id", (person.external_id or "").strip() or None),
    )
    return [(kind, value) for kind, value in found if value and len(value) <= _LONGEST]


class Identity(NamedTuple):
    """Who an answer belongs to; `new` where nothing was known about them before."""

    customer: str | None
    new: bool = False


def identify(connection: Connection, person: Respondent, now: datetime) -> Identity:
    """The customer, made if new; nobody for an anonymous answer.

    The strongest key that is known decides. A weaker key that belongs to somebody else is left
    with them: two people are never merged by a shared phone or a recycled id.
    """
    keys = keys_of(person)
    if not keys:
        return Identity(None)
    owner = next((o for key in keys if (o := _owner(connection, key)) is not None), None)
    if owner is not None and keys[0][0] == "email" and not _may_be(connection, owner, keys[0]):
        owner = None  # known by a weaker key only, but with another e-mail: somebody else
    if owner is None:
        made, new = _new_customer(connection, person, keys[0], now)
        for key in keys[1:]:
            _claim(connection, key, made)
        return Identity(made, new)
    if person.name:
        unnamed = (customers.c.id == owner) & customers.c.name.is_(None)
        connection.execute(update(customers).where(unnamed).values(name=person.name))
    for key in keys:
        _claim(connection, key, owner)
    return Identity(owner)


def _new_customer(
    connection: Connection, person: Respondent, strongest: tuple[str, str], now: datetime
) -> tuple[str, bool]:
    made = uuid.uuid4().hex
    row: dict[str, Any] = {
        "id": made,
        "name": person.name,
        "attributes": {},
        "created_at": now,
    }
    connection.execute(insert(customers).values(**row))
    if _claim(connection, strongest, made):
        return made, True
    # Another process made the same customer at the same moment: theirs counts.
    connection.execute(delete(customers).where(customers.c.id == made))
    other = _owner(connection, strongest)
    return (made, True) if other is None else (other, False)


def _claim(connection: Connection, key: tuple[str, str], customer: str) -> bool:
    row = {"kind": key[0], "value": key[1], "customer_id": customer}
    statement = insert_ignoring(connection, customer_keys).values(row)
    statement = statement.on_conflict_do_nothing(index_elements=["kind", "value"])
    return connection.scalar(statement.returning(customer_keys.c.kind)) is not None


def _owner(connection: Connection, key: tuple[str, str]) -> str | None:
    kind, value = key
    found = (customer_keys.c.kind == kind) & (customer_keys.c.value == value)
    return connection.scalar(select(customer_keys.c.customer_id).where(found))


def _may_be(connection: Connection, customer: str, email: tuple[str, str]) -> bool:
    mine = (customer_keys.c.customer_id == customer) & (customer_keys.c.kind == "email")
    known = connection.scalars(select(customer_keys.c.value).where(mine)).all()
    return not known or email[1] in known


def lock(connection: Connection, customer: str) -> None:
    """Decisions about one customer happen one after the other.

    Not against foreign keys: both of two deciders have already written an answer that refers to
    this row, and each would wait for the other.
    """
    statement = select(customers.c.id).where(customers.c.id == customer)
    connection.execute(statement.with_for_update(key_share=True)).all()


def attributes(
    connection: Connection, customer: str | None
) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
    """What rules see as `customer` and `company`: stored attributes plus the known keys."""
    if customer is None:
        return {}, {}
    row = connection.execute(select(customers).where(customers.c.id == customer)).one()
    mine: dict[str, Scalar] = dict(row.attributes)
    if row.name:
        mine["name"] = row.name
    known = select(customer_keys.c.kind, customer_keys.c.value).where(
        customer_keys.c.customer_id == customer
    )
    for kind, value in connection.execute(known.order_by(customer_keys.c.value)):
        mine.setdefault(kind, value)
    if row.company_id is None:
        return mine, {}
    company = connection.execute(select(companies).where(companies.c.id == row.company_id)).one()
    mine["company"] = company.name
    return mine, {**company.attributes, "name": company.name}


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
