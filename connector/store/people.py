"""Named queries of customers and companies. Identity: e-mail, then phone, then external id."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connector.domain import Respondent, Scalar
from connector.store.arrivals import insert_ignoring
from connector.store.tables import companies, customer_keys, customers
from connector.text import clean_email, clean_phone, fold

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Key = tuple[str, str]  # kind and value
_LONGEST = 320  # characters; what is longer is no address and no id

_ADD_CUSTOMERS = insert(customers)
_NAME = (
    update(customers)
    .where(customers.c.id == bindparam("customer"), customers.c.name.is_(None))
    .values(name=bindparam("said"))
)
_EMAILS = select(customer_keys.c.value).where(
    customer_keys.c.customer_id == bindparam("customer"), customer_keys.c.kind == "email"
)
# One kind at a time: SQLite would read the whole table for pairs.
_OWNERS = select(customer_keys.c.value, customer_keys.c.customer_id).where(
    customer_keys.c.kind == bindparam("kind"),
    customer_keys.c.value.in_(bindparam("values", expanding=True)),
)
_ATTRIBUTES = (
    select(
        customers,
        companies.c.name.label("company_name"),
        companies.c.attributes.label("company_attributes"),
    )
    .outerjoin(companies, companies.c.id == customers.c.company_id)
    .where(customers.c.id.in_(bindparam("known", expanding=True)))
    .order_by(customers.c.id)
    .with_for_update(key_share=True, of=customers)
)
_KEYS = (
    select(customer_keys.c.customer_id, customer_keys.c.kind, customer_keys.c.value)
    .where(customer_keys.c.customer_id.in_(bindparam("known", expanding=True)))
    .order_by(customer_keys.c.value)
)


_CLAIMS: dict[str, Any] = {
    dialect: make(customer_keys)
    .on_conflict_do_nothing(index_elements=["kind", "value"])
    .returning(customer_keys.c.kind, customer_keys.c.value)
    for dialect, make in (("sqlite", sqlite_insert), ("postgresql", postgresql_insert))
}


def keys_of(person: Respondent) -> list[Key]:
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
    """The customer, made if new; nobody for an anonymous answer."""
    return identify_all(connection, [person], now)[0]


def identify_all(
    connection: Connection, persons: Sequence[Respondent], now: datetime
) -> list[Identity]:
    """Who each of them is; no two may have a key in common.

    The strongest key that is known decides. A weaker key that belongs to somebody else is left
    with them: two people are never merged by a shared phone or a recycled id.
    """
    everyone = [keys_of(person) for person in persons]
    owners = _owners(connection, [key for keys in everyone for key in keys])
    found: list[Identity] = []
    names: dict[str, str] = {}
    claims: dict[Key, str] = {}
    for person, keys in zip(persons, everyone, strict=True):
        owner = _owner_of(connection, keys, owners)
        if owner is not None and person.name:
            names[owner] = person.name
        customer = owner or (uuid.uuid4().hex if keys else None)
        found.append(Identity(customer, new=owner is None and customer is not None))
        claims.update({key: customer for key in keys if customer and key not in owners})
    made: list[dict[str, Any]] = [
        {"id": identity.customer, "name": person.name, "attributes": {}, "created_at": now}
        for identity, person in zip(found, persons, strict=True)
        if identity.new
    ]
    if made:
        connection.execute(_ADD_CUSTOMERS, made)
    won = _claim(connection, claims)
    for place, (identity, keys) in enumerate(zip(found, everyone, strict=True)):
        if identity.customer is not None and identity.new and keys[0] not in won:
            found[place] = _give_way(connection, identity.customer, keys[0])
    if names:
        connection.execute(_NAME, [{"customer": id, "said": names[id]} for id in sorted(names)])
    return found


def _owner_of(connection: Connection, keys: list[Key], owners: Mapping[Key, str]) -> str | None:
    owner = next((owners[key] for key in keys if key in owners), None)
    if owner is None or keys[0] in owners or keys[0][0] != "email":
        return owner
    # Known by a weaker key only: with another e-mail they are somebody else.
    emails = connection.scalars(_EMAILS, {"customer": owner}).all()
    return None if emails else owner


def _owners(connection: Connection, keys: Sequence[Key]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for kind in sorted({kind for kind, _ in keys}):
        values = [value for each, value in keys if each == kind]
        rows = connection.execute(_OWNERS, {"kind": kind, "values": values})
        found.update({(kind, value): customer for value, customer in rows})
    return found


def _claim(connection: Connection, claims: Mapping[Key, str]) -> set[Key]:
    """The keys that are theirs now; in one order, so that two processes do not wait for each
    other."""
    if not claims:
        return set()
    rows = [
        {"kind": kind, "value": value, "customer_id": customer}
        for (kind, value), customer in sorted(claims.items())
    ]
    return {(row[0], row[1]) for row in connection.execute(_CLAIMS[connection.dialect.name], rows)}


def _give_way(connection: Connection, made: str, strongest: Key) -> Identity:
    """Another process made the same customer at the same moment: theirs counts."""
    other = _owners(connection, [strongest]).get(strongest)
    if other is None:  # and that one was erased again
        _claim(connection, {strongest: made})
        return Identity(made, new=True)
    mine = customer_keys.c.customer_id == made
    connection.execute(update(customer_keys).where(mine).values(customer_id=other))
    connection.execute(delete(customers).where(customers.c.id == made))
    return Identity(other)


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
    for row in connection.execute(_ATTRIBUTES, {"known": sorted(known)}):
        mine: dict[str, Scalar] = dict(row.attributes)
        if row.name:
            mine["name"] = row.name
        company: dict[str, Scalar] = {}
        if row.company_id is not None:
            company = {**row.company_attributes, "name": row.company_name}
        found[row.id] = mine, company
    for customer, kind, value in connection.execute(_KEYS, {"known": sorted(found)}):
        found[customer][0].setdefault(kind, value)
    for mine, company in found.values():
        if company:
            mine["company"] = company["name"]
    return found


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
