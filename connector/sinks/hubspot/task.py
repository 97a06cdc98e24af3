"""HubSpot tasks: made by batches with a unique property, amended one by one.

https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import requests

from connector.domain import Finding, Order, Prepared, Receipt
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.ports import Capabilities
from connector.sinks.crm import (
    Frozen,
    Outcome,
    Rejected,
    Remarks,
    address_of,
    each_settled,
    marker,
    params_of,
    raised_if_common,
    stopping,
    vendor_words,
)
from connector.sinks.hubspot import records
from connector.sinks.hubspot.check import check
from connector.sinks.hubspot.people import Contact, Owners, find_contacts
from connector.sinks.hubspot.portal import NO_PROPERTY, Portal
from connector.sinks.hubspot.settings import HubSpotSettings, TaskParams

TAKEN = "CONFLICTING_UNIQUE_VALUE"
OWNER = "hubspot_owner_id"
OWNER_LEFT = "HubSpot refused its owner; it went to default_owner or, without one, to nobody."
Rows = list[dict[str, Any]]


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
    Settings = HubSpotSettings
    Params = TaskParams
    capabilities: ClassVar[Capabilities] = Capabilities(
        opens_case=True, batch=100, can_find=True, look_again_after=timedelta(seconds=30)
    )

    def __init__(self, settings: HubSpotSettings, session: requests.Session) -> None:
        self._settings = settings
        self._portal = Portal(settings, session)
        self._owners = Owners(self._portal)

    @property
    def account(self) -> str:
        return f"hubspot:{self._settings.portal}"

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
        records.refuse_unless_open(looked_up.tasks.get(order.amends or ""))
        owner = looked_up.owners.get(_named_owner(order).casefold())
        return records.amendment(order, params, owner, now)

    # -- send ----------------------------------------------------------------------------------

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Outcome]:
        """New tasks in one call, then each amendment in its own. An error that all share is raised;
        once something was written every error is returned in its item's place."""
        one_each = {prepared.order.key: prepared for prepared in batch}
        new = [prepared for prepared in one_each.values() if not prepared.order.amends]
        outcomes: dict[str, Outcome] = {}
        settled = each_settled(new, lambda part: self._create(part, now))
        outcomes |= {p.order.key: outcome for p, outcome in zip(new, settled, strict=True)}
        for prepared in one_each.values():
            if prepared.order.amends:
                halt = stopping(outcomes.values())
                outcomes[prepared.order.key] = halt or self._amend(prepared, now)
        in_order = [outcomes[prepared.order.key] for prepared in batch]
        raised_if_common(in_order)
        return in_order

    def _create(self, part: Sequence[Prepared], now: datetime) -> list[Outcome]:
        """One call; raises only while nothing is written."""
        results, errors = self._put(part, now)
        by_key = {prepared.order.key: prepared for prepared in part}
        outcomes: dict[str, Outcome] = {}
        ownerless: list[Prepared] = []
        unnamed_results, unnamed_errors = [], []
        for result in results:
            key = self._key_of(result, by_key)
            if key and result.get("id"):
                outcomes[key] = self._receipt(by_key[key], result)
            else:
                unnamed_results.append(result)
        for error in errors:
            keys = by_key.keys() & set(_strings(error))
            if not keys:
                unnamed_errors.append(error)
            for prepared in (by_key[key] for key in keys - outcomes.keys()):
                code, words = _reason(error)
                if OWNER in str(error) and OWNER in _properties(prepared):
                    ownerless.append(self._reassigned(prepared, now))
                elif code != TAKEN:
                    outcomes[prepared.order.key] = self._refusal(code, words, prepared)
        again = each_settled(ownerless, lambda some: self._create(some, now))
        outcomes |= {p.order.key: o for p, o in zip(ownerless, again, strict=True)}
        left = [prepared for prepared in part if prepared.order.key not in outcomes]
        outcomes |= self._settled_otherwise(left, unnamed_results, unnamed_errors, now)
        return [outcomes[prepared.order.key] for prepared in part]

    def _put(self, part: Sequence[Prepared], now: datetime) -> tuple[Rows, Rows]:
        """Results and errors of one call; the refusal of a single task is one error."""
        try:
            return self._portal.create_tasks([_request(prepared) for prepared in part], now)
        except Rejected as refusal:
            failure = self._refusal(refusal.code, refusal.words, part[0])
            if len(part) > 1 or not isinstance(failure, Refused):
                raise failure from None
            context = {"objectWriteTraceId": [part[0].order.key]}
            error = {"category": refusal.code, "message": refusal.words, "context": context}
            return [], [error]

    def _reassigned(self, prepared: Prepared, now: datetime) -> Prepared:
        """The same task for somebody else: HubSpot takes none for a user who left."""
        frozen = Frozen.read(prepared.body)
        properties = {k: v for k, v in _properties(prepared).items() if k != OWNER}
        name = self._settings.default_owner
        try:
            spare = self._owners.resolve([name], now).get(name.casefold())
        except ConnectorError:  # the other tasks of this call are made: they need their receipts
            spare = None
        if spare and spare != frozen.request["properties"][OWNER]:
            properties[OWNER] = spare
        changed = replace(
            frozen,
            request={**frozen.request, "properties": properties},
            remark=" ".join(part for part in (frozen.remark, OWNER_LEFT) if part),
            needs_attention=True,
        )
        return Prepared(order=prepared.order, body=changed.body())

    def _settled_otherwise(
        self, left: Sequence[Prepared], results: Rows, errors: Rows, now: datetime
    ) -> dict[str, Outcome]:
        """Those that exist already, and those of which the answer does not say by trace id what
        became of them: they are read. Whatever is still open then is looked for again later."""
        if not left:
            return {}
        unknown = LookFirst("HubSpot's answer does not say what became of this task")
        try:
            found = self._find_new(left, now)
        except ConnectorError:
            return {prepared.order.key: unknown for prepared in left}
        outcomes: dict[str, Outcome] = dict(found)
        open_ones = [prepared for prepared in left if prepared.order.key not in found]
        for place, prepared in enumerate(open_ones):
            outcomes[prepared.order.key] = unknown
            if len(open_ones) == len(results) and not errors and results[place].get("id"):
                outcomes[prepared.order.key] = self._receipt(prepared, results[place])
            elif len(open_ones) == len(errors) == 1 and _reason(errors[0])[0] != TAKEN:
                outcomes[prepared.order.key] = self._refusal(*_reason(errors[0]), prepared)
        return outcomes

    def _key_of(self, result: Mapping[str, Any], by_key: Mapping[str, Prepared]) -> str | None:
        property_ = self._settings.marker_property
        values = (
            result.get("objectWriteTraceId"),
            (result.get("properties") or {}).get(property_) if property_ else None,
        )
        return next((value for value in values if value in by_key), None)

    def _refusal(self, code: str, words: str, prepared: Prepared) -> ConnectorError:
        property_ = self._settings.marker_property
        if code == NO_PROPERTY and property_ and property_ in words:
            return Paused(
                f"HubSpot tasks have no property {property_}; create it with unique values "
                "(docs/sinks/hubspot.md), or set unique_property: none"
            )
        if code == "RATE_LIMITS":
            return TryLater("HubSpot's rate limit is reached", 10, account_wide=True)
        shown = vendor_words(code, words, prepared.order.facts)
        return Refused(f"HubSpot refused the task: {shown}")

    # -- amendments ----------------------------------------------------------------------------

    def _amend(self, prepared: Prepared, now: datetime) -> Outcome:
        order = prepared.order
        task_id = order.amends or ""
        try:
            task = records.refuse_unless_open(self._tasks([task_id], now).get(task_id))
            if marker(order) not in (task.get("hs_task_body") or ""):
                change = records.changes(task, _request(prepared))
                self._portal.update_task(task_id, change, now)
        except Rejected as refusal:
            words = vendor_words(refusal.code, refusal.words, order.facts)
            return Refused(f"HubSpot refused the note: {words}")
        except ConnectorError as error:
            return error
        return self._receipt(prepared, {"id": task_id})

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
        found = self._find_new([one for one in batch if not one.order.amends], now)
        known = self._tasks([prepared.order.amends for prepared in batch], now)
        for prepared in batch:
            task = known.get(prepared.order.amends or "")
            body = (task["properties"].get("hs_task_body") or "") if task else ""
            if marker(prepared.order) in body:
                found[prepared.order.key] = self._receipt(prepared, task or {})
        return [found.get(prepared.order.key) for prepared in batch]

    def _find_new(self, new: Sequence[Prepared], now: datetime) -> dict[str, Receipt]:
        property_ = self._settings.marker_property
        if not new or not property_:
            return {}
        by_key = {prepared.order.key: prepared for prepared in new}
        try:
            rows = self._portal.read("tasks", sorted(by_key), [property_], now, by=property_)
        except Rejected as refusal:
            raise Paused(
                f"HubSpot cannot read tasks by {property_} ({refusal.code}): it must be a property "
                "with unique values (docs/sinks/hubspot.md), or set unique_property: none"
            ) from None
        keyed = {(row.get("properties") or {}).get(property_): row for row in rows}
        return {key: self._receipt(by_key[key], keyed[key]) for key in by_key if key in keyed}

    def check(self, now: datetime) -> Sequence[Finding]:
        return check(self._settings, self._portal, self._owners, now)

    def _receipt(self, prepared: Prepared, row: Mapping[str, Any]) -> Receipt:
        task_id, portal = str(row["id"]), self._settings.portal
        known = portal.isdecimal()
        url = f"https://app.hubspot.com/contacts/{portal}/record/0-27/{task_id}" if known else ""
        return Frozen.read(prepared.body).receipt(task_id, url)


def _named_owner(order: Order) -> str:
    return str(order.params.get("owner") or "").strip()


def _request(prepared: Prepared) -> dict[str, Any]:
    return Frozen.read(prepared.body).request


def _properties(prepared: Prepared) -> dict[str, str]:
    properties: dict[str, str] = _request(prepared)["properties"]
    return properties


def _reason(error: Mapping[str, Any]) -> tuple[str, str]:
    """The most precise code of what an error of a batch says about itself, and its words."""
    details = error.get("errors")
    first = details[0] if isinstance(details, list) and details else {}
    code = first.get("code") if isinstance(first, dict) else None
    return str(code or error.get("category") or "no reason given"), str(error.get("message") or "")


def _strings(error: Mapping[str, Any]) -> Iterable[str]:
    """Every value in the context of an error: which name holds the trace id is not documented."""
    details = error.get("errors")
    for one in [error, *(details if isinstance(details, list) else [])]:
        context = one.get("context") if isinstance(one, dict) else None
        for value in (context or {}).values():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    yield text
