"""Who a task is about, and who shall do it: contacts, then leads, then users, by SOQL.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from connector.sinks.salesforce.session import Org

_CALLED = ("Name", "Email", "Username")
MOST_VALUES = 200
MOST_QUERY_BYTES = 12_000  # URI and headers together may have 16,384


@dataclass(frozen=True)
class Person:
    """A contact or a lead. `owners` are user ids, the one that is asked first first."""

    id: str
    kind: str
    account: str | None
    owners: tuple[str, ...]
    active_at: tuple[str, str]


def find_people(
    org: Org, addresses: Iterable[str], now: datetime, with_leads: bool
) -> dict[str, list[Person]]:
    """Lower-case address -> contacts, or leads where no contact has it; the most active first."""
    wanted = sorted({address.casefold() for address in addresses})
    found = _people(org, "Contact", wanted, now)
    if with_leads:
        rest = [address for address in wanted if address not in found]
        found |= _people(org, "Lead", rest, now)
    return found


def find_users(org: Org, names: Sequence[str], now: datetime) -> dict[str, str]:
    """Case-folded e-mail address, user name or full name -> id of the one active user who has it.

    A name that several active users have stands for none of them.
    """
    from connector.sinks.salesforce.client import format_soql

    known: dict[str, set[str]] = {}
    for some in chunks(names, repeated=3):
        rows = org.query(
            format_soql(
                "SELECT Id, Name, Email, Username FROM User WHERE IsActive = true AND "
                "(Email IN {names} OR Username IN {names} OR Name IN {names})",
                names=some,
            ),
            now,
        )
        for row in rows:
            for key in {str(row.get(f) or "").casefold() for f in _CALLED}:
                known.setdefault(key, set()).add(str(row["Id"]))
    return {name: next(iter(ids)) for name, ids in known.items() if len(ids) == 1}


def all_users(org: Org, now: datetime) -> list[str]:
    """Every name, user name and e-mail address that stands for exactly one active user."""
    rows = org.query("SELECT Name, Email, Username FROM User WHERE IsActive = true", now)
    called = [name for row in rows for name in {str(row.get(field) or "") for field in _CALLED}]
    return sorted(name for name, count in Counter(called).items() if name and count == 1)


def _people(
    org: Org, kind: str, addresses: Sequence[str], now: datetime
) -> dict[str, list[Person]]:
    from connector.sinks.salesforce.client import format_soql

    contact = kind == "Contact"
    more, condition = (
        (", AccountId, Account.OwnerId", "") if contact else ("", " AND IsConverted = false")
    )
    found: dict[str, list[Person]] = {}
    for some in chunks(addresses):
        soql = format_soql(
            "SELECT Id, Email, OwnerId, LastActivityDate, LastModifiedDate{more:literal} "
            "FROM {kind:literal} WHERE Email IN {addresses}{condition:literal}",
            more=more,
            kind=kind,
            addresses=some,
            condition=condition,
        )
        for row in org.query(soql, now):
            found.setdefault(str(row["Email"]).casefold(), []).append(_person(kind, row))
    for people in found.values():
        people.sort(key=lambda person: (person.active_at, person.id), reverse=True)
    return found


def _person(kind: str, row: dict[str, Any]) -> Person:
    account = row.get("Account") or {}
    candidates = (account.get("OwnerId"), row.get("OwnerId"))
    return Person(
        id=str(row["Id"]),
        kind=kind,
        account=row.get("AccountId"),
        # A lead may belong to a queue, whose ids start with 00G; a task goes to a user.
        owners=tuple(owner for owner in candidates if owner and owner.startswith("005")),
        active_at=(
            str(row.get("LastActivityDate") or ""),
            str(row.get("LastModifiedDate") or ""),
        ),
    )


def chunks(values: Sequence[str], repeated: int = 1) -> Iterator[list[str]]:
    """At most 200 values, and what fits into the URL of a query that repeats them so often."""
    from connector.sinks.salesforce.client import quote_soql_value

    chunk: list[str] = []
    size = 0
    for value in values:
        cost = repeated * len(quote(quote_soql_value(value) + ","))
        if chunk and (len(chunk) == MOST_VALUES or size + cost > MOST_QUERY_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(value)
        size += cost
    if chunk:
        yield chunk
