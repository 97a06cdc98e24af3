"""Who an answer belongs to: by e-mail, then phone, then external id."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connector.domain import Respondent
from connector.store.tables import customer_keys, customers
from connector.text import clean_email, clean_phone

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
_LOCK = (
    select(customers.c.id)
    .where(customers.c.id.in_(bindparam("some", expanding=True)))
    .order_by(customers.c.id)
    .with_for_update(key_share=True)
)
_WITH_EMAIL = select(customer_keys.c.customer_id).where(
    customer_keys.c.customer_id.in_(bindparam("some", expanding=True)),
    customer_keys.c.kind == "email",
)
# One kind at a time: SQLite would read the whole table for pairs.
_OWNERS = select(customer_keys.c.value, customer_keys.c.customer_id).where(
    customer_keys.c.kind == bindparam("kind"),
    customer_keys.c.value.in_(bindparam("values", expanding=True)),
)
_CLAIMS: dict[str, Any] = {
    dialect: make(customer_keys)
    .on_conflict_do_nothing(index_elements=["kind", "value"])
    .returning(customer_keys.c.kind, customer_keys.c.value)
    for dialect, make in (("sqlite", sqlite_insert), ("postgresql", postgresql_insert))
}
_MOVE = (
    update(customer_keys)
    .where(customer_keys.c.kind == bindparam("of"), customer_keys.c.value == bindparam("moved"))
    .values(customer_id=bindparam("to"))
)


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
    found = [
        Identity(owner or (uuid.uuid4().hex if keys else None), new=owner is None and bool(keys))
        for owner, keys in zip(_decided(connection, everyone, owners), everyone, strict=True)
    ]
    made: list[dict[str, Any]] = [
        {"id": identity.customer, "name": person.name, "attributes": {}, "created_at": now}
        for identity, person in zip(found, persons, strict=True)
        if identity.new
    ]
    if made:
        connection.execute(_ADD_CUSTOMERS, made)
    claims: dict[Key, str | None] = {
        key: identity.customer
        for identity, keys in zip(found, everyone, strict=True)
        for key in keys
        if key not in owners
    }
    won = _claim(connection, claims)
    for place, keys in enumerate(everyone):
        if any(key in claims and key not in won for key in keys):
            found[place] = _give_way(connection, found[place], keys, won)
    names = {
        identity.customer: person.name
        for identity, person in zip(found, persons, strict=True)
        if identity.customer is not None and not identity.new and person.name
    }
    if names:
        connection.execute(_NAME, [{"customer": id, "said": names[id]} for id in sorted(names)])
    return found


def _decided(
    connection: Connection, everyone: Sequence[Sequence[Key]], owners: Mapping[Key, str]
) -> list[str | None]:
    """Whose keys these are; None: of nobody whom we know."""
    found = [next((owners[key] for key in keys if key in owners), None) for keys in everyone]
    weakly = {
        owner
        for owner, keys in zip(found, everyone, strict=True)
        if owner is not None and _is_new_email(keys[0], owners)
    }
    # Known by a weaker key only: with another e-mail they are somebody else.
    others = _with_email(connection, weakly) if weakly else set()
    return [
        None if owner in others and _is_new_email(keys[0], owners) else owner
        for owner, keys in zip(found, everyone, strict=True)
    ]


def _is_new_email(key: Key, owners: Mapping[Key, str]) -> bool:
    return key[0] == "email" and key not in owners


def _with_email(connection: Connection, some: Collection[str]) -> set[str]:
    """Those of them who have one. Nobody gives one to the others before the transaction ends."""
    connection.execute(_LOCK, {"some": sorted(some)})
    return set(connection.scalars(_WITH_EMAIL, {"some": sorted(some)}))


def _owners(connection: Connection, keys: Sequence[Key]) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for kind in sorted({kind for kind, _ in keys}):
        values = [value for each, value in keys if each == kind]
        rows = connection.execute(_OWNERS, {"kind": kind, "values": values})
        found.update({(kind, value): customer for value, customer in rows})
    return found


def _claim(connection: Connection, claims: Mapping[Key, str | None]) -> set[Key]:
    """The keys that are theirs now; in one order, so that two processes do not wait for each
    other."""
    if not claims:
        return set()
    rows = [
        {"kind": kind, "value": value, "customer_id": customer}
        for (kind, value), customer in sorted(claims.items())
    ]
    return {(row[0], row[1]) for row in connection.execute(_CLAIMS[connection.dialect.name], rows)}


def _give_way(
    connection: Connection, identity: Identity, keys: Sequence[Key], won: Collection[Key]
) -> Identity:
    """Another process has claimed some of these keys at the same moment: as if it had been there
    before us."""
    mine = [key for key in keys if key in won]
    owners = _owners(connection, [key for key in keys if key not in won])
    [other] = _decided(connection, [keys], owners)
    if other in (None, identity.customer):
        left = [key for key in keys if key not in won and key not in owners]
        _claim(connection, dict.fromkeys(left, identity.customer))  # the other was erased again
        return identity
    if mine:
        moved = [{"of": kind, "moved": value, "to": other} for kind, value in mine]
        connection.execute(_MOVE, moved)
    if identity.new:
        connection.execute(delete(customers).where(customers.c.id == identity.customer))
    return Identity(other)
