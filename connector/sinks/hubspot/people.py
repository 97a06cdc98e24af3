"""Who a task is about, and who shall do it.

https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/post-crm-v3-objects-contacts-batch-read
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.sinks.crm import Rejected
from connector.sinks.hubspot.portal import MOST_INPUTS, Portal

LIST_KEPT_FOR = timedelta(minutes=10)
ASKED_AGAIN_AFTER = timedelta(minutes=1)
PROPERTIES = ("email", "hs_additional_emails", "hubspot_owner_id")


@dataclass(frozen=True)
class Contact:
    id: str
    owner: str


def find_contacts(portal: Portal, addresses: Iterable[str], now: datetime) -> dict[str, Contact]:
    """Lower-case address -> contact; 100 addresses a call."""
    wanted = sorted({address.casefold() for address in addresses})
    found: dict[str, Contact] = {}
    for start in range(0, len(wanted), MOST_INPUTS):
        found |= _read(portal, wanted[start : start + MOST_INPUTS], now)
    return found


def _read(portal: Portal, some: Sequence[str], now: datetime) -> dict[str, Contact]:
    try:
        rows = portal.read("contacts", some, PROPERTIES, now, by="email")
    except Rejected as refusal:
        if refusal.status != 400:
            raise
        # An address that HubSpot does not take for one must not cost the others their contact.
        if len(some) == 1:
            return {}
        middle = len(some) // 2
        return _read(portal, some[:middle], now) | _read(portal, some[middle:], now)
    found: dict[str, Contact] = {}
    for row in rows:
        properties = row.get("properties") or {}
        contact = Contact(id=str(row["id"]), owner=str(properties.get("hubspot_owner_id") or ""))
        others = str(properties.get("hs_additional_emails") or "").split(";")
        for address in [*others, str(properties.get("email") or "")]:
            found[address.strip().casefold()] = contact
    return found


def _called(owner: Mapping[str, Any]) -> str:
    names = (str(owner.get(part) or "") for part in ("firstName", "lastName"))
    return " ".join(name for name in names if name) or str(owner.get("email") or "")


class Owners:
    """Active owners by e-mail address and by id. The list is read whole: HubSpot has no other way
    to ask for several."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._known: dict[str, str] = {}
        self._called: dict[str, str] = {}
        self._read_at: datetime | None = None

    def addresses(self, now: datetime) -> list[str]:
        """Of every active owner."""
        self.resolve(["-"], now)
        return sorted(name for name in self._known if "@" in name)

    def names(self, ids: Iterable[str], now: datetime) -> dict[str, str]:
        """What these owners are called; of one who has left the id."""
        wanted = set(ids) - {""}
        self.resolve(wanted, now)
        return {one: self._called.get(one) or f"owner {one}" for one in wanted}

    def resolve(self, names: Iterable[str], now: datetime) -> dict[str, str]:
        """Those of these addresses and ids (case-folded) that stand for an active owner."""
        wanted = {name.strip().casefold() for name in names} - {""}
        age = now - self._read_at if self._read_at else None
        kept_for = LIST_KEPT_FOR if wanted <= self._known.keys() else ASKED_AGAIN_AFTER
        if wanted and (age is None or age >= kept_for):
            self._known, self._called = {}, {}
            for owner in self._portal.owners(now):
                if owner.get("archived"):
                    continue
                number = str(owner["id"])
                self._known[number] = number
                self._called[number] = _called(owner)
                if owner.get("email"):
                    self._known[str(owner["email"]).casefold()] = number
            self._read_at = now
        return {name: self._known[name] for name in wanted if name in self._known}
