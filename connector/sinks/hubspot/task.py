"""HubSpot tasks: made by batches with a unique property, amended one by one.

https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import requests

from connector.domain import Finding, Followed, Order, Prepared, Receipt, Standing, Watched
from connector.errors import ConnectorError, Refused
from connector.ports import Capabilities, Made
from connector.sinks.crm import (
    Frozen,
    Outcome,
    Rejected,
    Remarks,
    address_of,
    marker,
    params_of,
    raised_if_common,
    reopens,
    stopping,
    vendor_words,
)
from connector.sinks.hubspot import records
from connector.sinks.hubspot.check import check
from connector.sinks.hubspot.creating import Creations
from connector.sinks.hubspot.following import News
from connector.sinks.hubspot.limits import CALLS
from connector.sinks.hubspot.people import Contact, Owners, find_contacts
from connector.sinks.hubspot.portal import Portal
from connector.sinks.hubspot.settings import HubSpotSettings, TaskParams


@dataclass(frozen=True)
class _LookedUp:
    """What HubSpot knows about the orders of one batch."""

    contacts: Mapping[str, Contact]
    owners: Mapping[str, str]
    tasks: Mapping[str, Mapping[str, Any]]


class HubSpotTask:
    """One task for one case, as long as tasks have a property with unique values.

    HubSpot has no idempotency key. `unique_property` takes its place: a second task with the same
    value is refused, and after a lost reply the task is read by it (the records, not the lagging
    search index). With `unique_property: none` there is nothing to look for: a lost reply is
    answered by sending again, so a task can be made twice (at least once).

    A revised answer is joined to the body as it stands just before the write. HubSpot has no
    conditional writes: what a rep saves between these two calls (a fraction of a second) is lost.
    """

    type: ClassVar[str] = "hubspot"
    kind: ClassVar[str] = "hubspot.task"
    listing_gaps: ClassVar[str] = (
        "not deleted tasks, and nothing that its search index does not show yet (minutes)"
    )
    named: ClassVar[tuple[str, ...]] = ("owner",)
    Settings = HubSpotSettings
    Params = TaskParams
    capabilities: ClassVar[Capabilities] = Capabilities(
        opens_case=True, batch=100, can_find=True, look_again_after=timedelta(seconds=30)
    )

    def __init__(self, settings: HubSpotSettings, session: requests.Session) -> None:
        self._settings = settings
        self.meter = settings.meter(CALLS, session)
        self._portal = Portal(settings, session)
        self._owners = Owners(self._portal)
        self._news = News(settings, self._portal, self._owners)
        self._creations = Creations(settings, self._portal, self._owners)

    @property
    def account(self) -> str:
        return f"hubspot:{self._settings.portal}"

    @property
    def unmarked(self) -> str:
        return "" if self._settings.marker_property else "unique_property is none"

    # -- prepare -------------------------------------------------------------------------------

    def prepare(self, orders: Sequence[Order], now: datetime) -> Sequence[bytes | ConnectorError]:
        """One call for the contacts of 100 new tasks; owners are read every ten minutes."""
        new = [order for order in orders if not order.amends]
        addresses = {address for order in new if (address := address_of(order))}
        contacts = find_contacts(self._portal, addresses, now)
        names = [_named_owner(order) for order in orders]
        names += [contact.owner for contact in contacts.values()]
        looked_up = _LookedUp(
            contacts=contacts,
            owners=self._owners.resolve([*names, self._settings.default_owner], now),
            tasks=self._tasks([order.amends for order in orders], now),
        )

        def frozen(order: Order) -> bytes | ConnectorError:
            try:
                built = self._amended if order.amends else self._new
                return built(order, params_of(order, TaskParams), looked_up, now).body()
            except ConnectorError as error:
                return error

        return [frozen(order) for order in orders]

    def _new(self, order: Order, params: TaskParams, looked_up: _LookedUp, now: datetime) -> Frozen:
        remarks = Remarks()
        address = address_of(order)
        contact = looked_up.contacts.get(address or "")
        if address and not contact:
            remarks.note("No contact has this address; the task is linked to nobody.")
        wanted = _named_owner(order)
        if wanted and wanted.casefold() not in looked_up.owners:
            remarks.alarm(
                f"The owner that rule '{order.rule_name}' names is not the e-mail address of an "
                "active HubSpot user."
            )
        candidates = (wanted, contact.owner if contact else "", self._settings.default_owner)
        owner = next(
            (known for name in candidates if (known := looked_up.owners.get(name.casefold()))), None
        )
        if not owner:
            remarks.alarm("Nobody owns it: set default_owner to an active HubSpot user.")
        property_ = self._settings.marker_property
        return records.new_task(order, params, property_, contact, owner, remarks, now)

    def _amended(
        self, order: Order, params: TaskParams, looked_up: _LookedUp, now: datetime
    ) -> Frozen:
        records.refuse_unless_open(looked_up.tasks.get(order.amends or ""), reopens(order))
        owner = looked_up.owners.get(_named_owner(order).casefold())
        return records.amendment(order, params, owner, now)

    # -- send ----------------------------------------------------------------------------------

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Outcome]:
        """New tasks in one call, then each amendment in its own. An error that all share is raised;
        once something was written every error is returned in its item's place."""
        one_each = {prepared.order.key: prepared for prepared in batch}
        new = [prepared for prepared in one_each.values() if not prepared.order.amends]
        outcomes: dict[str, Outcome] = {}
        for prepared, outcome in zip(new, self._creations.send(new, now), strict=True):
            outcomes[prepared.order.key] = outcome
        for prepared in one_each.values():
            if prepared.order.amends:
                halt = stopping(outcomes.values())
                outcomes[prepared.order.key] = halt or self._amend(prepared, now)
        in_order = [outcomes[prepared.order.key] for prepared in batch]
        raised_if_common(in_order)
        return in_order

    # -- amendments ----------------------------------------------------------------------------

    def _amend(self, prepared: Prepared, now: datetime) -> Outcome:
        order = prepared.order
        task_id = order.amends or ""
        try:
            known = self._tasks([task_id], now).get(task_id)
            task = records.refuse_unless_open(known, reopens(order))
            if marker(order) not in (task.get("hs_task_body") or ""):
                change = records.changes(task, Frozen.read(prepared.body).request)
                self._portal.update_task(task_id, change, now)
        except Rejected as refusal:
            words = vendor_words(refusal.code, refusal.words, order.facts)
            return Refused(f"HubSpot refused the note: {words}")
        except ConnectorError as error:
            return error
        return self._creations.receipt(prepared, {"id": task_id})

    def known(self, field: str, now: datetime) -> Sequence[str]:
        return self._owners.addresses(now)

    def _tasks(self, ids: Iterable[str | None], now: datetime) -> dict[str, dict[str, Any]]:
        wanted = sorted({one for one in ids if one})
        if not wanted:
            return {}
        rows = self._portal.read("tasks", wanted, records.READ_PROPERTIES, now)
        return {str(row["id"]): row for row in rows}

    # -- find ----------------------------------------------------------------------------------

    def find(
        self, batch: Sequence[Prepared], now: datetime
    ) -> Sequence[Receipt | ConnectorError | None]:
        """New tasks by the unique property, amendments by the marker in the body."""
        found = self._creations.find([one for one in batch if not one.order.amends], now)
        known = self._tasks([prepared.order.amends for prepared in batch], now)
        for prepared in batch:
            task = known.get(prepared.order.amends or "")
            body = (task["properties"].get("hs_task_body") or "") if task else ""
            if marker(prepared.order) in body:
                found[prepared.order.key] = self._creations.receipt(prepared, task or {})
        return [found.get(prepared.order.key) for prepared in batch]

    # -- following -----------------------------------------------------------------------------

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        return self._news.follow(cursor, watched, now)

    def look(self, watched: Sequence[Watched], now: datetime) -> Sequence[Standing]:
        return self._news.look(watched, now)

    # -- what people ask for -------------------------------------------------------------------

    def made_since(self, since: datetime, now: datetime) -> Iterator[Made]:
        return self._creations.made_since(since, now)

    def check(self, now: datetime) -> Sequence[Finding]:
        return check(self._settings, self._portal, self._owners, now)


def _named_owner(order: Order) -> str:
    return str(order.params.get("owner") or "").strip()
