"""New tasks: one batch, its answer item by item, and the tasks read by their unique property.

https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from connector.domain import Prepared, Receipt, is_case_key
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.ports import Made
from connector.sinks.crm import Frozen, Outcome, Rejected, each_settled, vendor_words
from connector.sinks.hubspot.people import Owners
from connector.sinks.hubspot.portal import NO_PROPERTY, Portal
from connector.sinks.hubspot.settings import HubSpotSettings

TAKEN = "CONFLICTING_UNIQUE_VALUE"
OWNER = "hubspot_owner_id"
OWNER_LEFT = "HubSpot refused its owner; it went to default_owner or, without one, to nobody."
Rows = list[dict[str, Any]]


class Creations:
    def __init__(self, settings: HubSpotSettings, portal: Portal, owners: Owners) -> None:
        self._settings = settings
        self._portal = portal
        self._owners = owners

    def send(self, new: Sequence[Prepared], now: datetime) -> list[Outcome]:
        """The outcome of each; never raises."""
        return each_settled(new, lambda part: self._create(part, now))

    def find(self, new: Sequence[Prepared], now: datetime) -> dict[str, Receipt]:
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
        return {key: self.receipt(by_key[key], keyed[key]) for key in by_key if key in keyed}

    def receipt(self, prepared: Prepared, row: Mapping[str, Any]) -> Receipt:
        task_id = str(row["id"])
        return Frozen.read(prepared.body).receipt(task_id, self._url(task_id))

    def _url(self, task_id: str) -> str:
        portal = self._settings.portal
        known = portal.isdecimal()
        return f"https://app.hubspot.com/contacts/{portal}/record/0-27/{task_id}" if known else ""

    def made_since(self, since: datetime, now: datetime) -> Iterator[Made]:
        """Raises `Refused` where tasks carry no key of ours."""
        property_ = self._settings.marker_property
        if not property_:
            raise Refused("unique_property is none: HubSpot tasks carry no key of ours")
        for row in self._portal.tasks_with(property_, since, now):
            key = str((row.get("properties") or {}).get(property_) or "")
            if is_case_key(key):
                task_id = str(row["id"])
                made_at = datetime.fromisoformat(str(row["createdAt"]))
                yield Made(key=key, remote_id=task_id, url=self._url(task_id), made_at=made_at)

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
                outcomes[key] = self.receipt(by_key[key], result)
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
            found = self.find(left, now)
        except ConnectorError:
            return {prepared.order.key: unknown for prepared in left}
        outcomes: dict[str, Outcome] = dict(found)
        open_ones = [prepared for prepared in left if prepared.order.key not in found]
        for place, prepared in enumerate(open_ones):
            outcomes[prepared.order.key] = unknown
            if len(open_ones) == len(results) and not errors and results[place].get("id"):
                outcomes[prepared.order.key] = self.receipt(prepared, results[place])
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
