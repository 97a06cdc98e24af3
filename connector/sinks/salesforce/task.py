"""Salesforce tasks: made by batches of an upsert on a unique field, amended one by one.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_upsert.htm
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import requests

from connector.domain import Finding, Order, Prepared, Receipt
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.ports import Capabilities
from connector.sinks.crm import (
    Frozen,
    Names,
    Outcome,
    Rejected,
    Remarks,
    address_of,
    each_settled,
    params_of,
    raised_if_common,
    stopping,
    vendor_words,
)
from connector.sinks.salesforce import records
from connector.sinks.salesforce.amending import Amendments
from connector.sinks.salesforce.check import check
from connector.sinks.salesforce.people import Person, find_people, find_users
from connector.sinks.salesforce.session import TRANSIENT, Org
from connector.sinks.salesforce.settings import SalesforceSettings, TaskParams, connect

DESCRIBED_FOR = timedelta(minutes=10)
DELETED = "It had been deleted in Salesforce before it could be recorded here."
OWNER_LEFT = (
    "Its owner is no active Salesforce user any more; it went to default_owner or, without one, to "
    "the integration user."
)


@dataclass(frozen=True)
class _LookedUp:
    """What Salesforce knows about the orders of one batch."""

    people: Mapping[str, Sequence[Person]]
    owners: Mapping[str, str]
    tasks: Mapping[str, Mapping[str, Any]]
    fields: Mapping[str, Mapping[str, Any]]


class SalesforceTask:
    """One task for one case, whoever asks and however often.

    A task is upserted on `external_id_field`, which is unique: the database itself refuses a
    second one. An upsert of a task that exists would overwrite what a rep has changed, so it is
    sent again only after `find` has said that there is none.
    """

    type: ClassVar[str] = "salesforce"
    kind: ClassVar[str] = "salesforce.task"
    Settings = SalesforceSettings
    Params = TaskParams
    capabilities: ClassVar[Capabilities] = Capabilities(
        opens_case=True, batch=200, can_find=True, look_again_after=timedelta(seconds=30)
    )

    def __init__(self, settings: SalesforceSettings, session: requests.Session) -> None:
        self._settings = settings
        self._org = Org(lambda capped: connect(settings, capped), session, settings.log_in_hint)
        self._amendments = Amendments(self._org, self._url)
        self._users = Names()
        self._described: tuple[dict[str, dict[str, Any]], datetime] | None = None

    @property
    def account(self) -> str:
        return f"salesforce:{self._settings.domain}"

    # -- prepare -------------------------------------------------------------------------------

    def prepare(self, orders: Sequence[Order], now: datetime) -> Sequence[bytes | ConnectorError]:
        """At most three queries for 200 new tasks: contacts, leads where no contact has the
        address, and users by the names that rules give and that are not known yet."""
        new = [order for order in orders if not order.amends]
        addresses = {address for order in new if (address := address_of(order))}
        looked_up = _LookedUp(
            people=find_people(self._org, addresses, now, self._settings.leads),
            owners=self._user_ids([_named_owner(order) for order in orders], now),
            tasks=self._amendments.read([order.amends for order in orders], now),
            fields=self._fields(now) if any(o.params.get("fields") for o in new) else {},
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
        people = looked_up.people.get(address or "", [])
        if address and not people:
            remarks.note("No contact or lead has this address; the task is linked to nobody.")
        person = records.choose_person(people, self._settings.on_ambiguous, remarks)
        wanted = _named_owner(order)
        owner = looked_up.owners.get(wanted.casefold())
        if wanted and not owner:
            remarks.alarm(
                f"The owner that rule '{order.rule_name}' names is not the name of exactly one "
                "active Salesforce user."
            )
        owner = owner or next(iter(person.owners if person else ()), None)
        owner = owner or self._default_owner(now)
        if not owner:
            remarks.alarm("It belongs to the integration user: set default_owner to a person.")
        custom = records.custom_fields(params.fields, looked_up.fields, remarks)
        key_field = self._settings.external_id_field
        return records.new_task(order, params, key_field, person, owner, custom, remarks)

    def _amended(
        self, order: Order, params: TaskParams, looked_up: _LookedUp, now: datetime
    ) -> Frozen:
        records.refuse_unless_open(looked_up.tasks.get(order.amends or ""))
        owner = looked_up.owners.get(_named_owner(order).casefold())
        return records.amendment(order, params, owner, now)

    def _user_ids(self, names: Sequence[str], now: datetime) -> dict[str, str]:
        return self._users.resolve(names, now, lambda some: find_users(self._org, some, now))

    def _default_owner(self, now: datetime) -> str | None:
        return next(iter(self._user_ids([self._settings.default_owner], now).values()), None)

    def _fields(self, now: datetime) -> dict[str, dict[str, Any]]:
        if self._described is None or now - self._described[1] > DESCRIBED_FOR:
            answer = self._org.read("sobjects/Task/describe", now)
            fields = {str(one["name"]).casefold(): one for one in answer["fields"]}
            self._described = (fields, now)
        return self._described[0]

    # -- send ----------------------------------------------------------------------------------

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Outcome]:
        """New tasks in one call, then each amendment in its own. An error that all share is raised;
        once something was written every error is returned in its item's place."""
        one_each = {prepared.order.key: prepared for prepared in batch}
        new = [prepared for prepared in one_each.values() if not prepared.order.amends]
        revised = [prepared for prepared in one_each.values() if prepared.order.amends]
        settled = each_settled(new, lambda part: self._upsert(part, now))
        outcomes = {p.order.key: outcome for p, outcome in zip(new, settled, strict=True)}
        halt = stopping(settled)
        if revised and not halt:
            outcomes |= self._amendments.send(revised, now)
        elif halt:
            outcomes |= {prepared.order.key: halt for prepared in revised}
        in_order = [outcomes[prepared.order.key] for prepared in batch]
        raised_if_common(in_order)
        return in_order

    def _upsert(self, part: Sequence[Prepared], now: datetime) -> list[Outcome]:
        """One call; raises only while nothing is written."""
        # Records of one account side by side: Salesforce locks it once instead of in turns.
        ordered = sorted(
            ((Frozen.read(prepared.body), prepared) for prepared in part),
            key=lambda pair: str(pair[0].request.get("WhatId", "")),
        )
        answers = self._put([frozen.request for frozen, _ in ordered], part, now)
        outcomes: dict[str, Outcome] = {}
        twice: list[Prepared] = []
        ownerless: list[Prepared] = []
        for (frozen, prepared), answer in zip(ordered, answers, strict=True):
            code, words = _reason(answer)
            if not code:
                task_id = str(answer["id"])
                outcomes[prepared.order.key] = frozen.receipt(task_id, self._url(task_id))
            elif code == "DUPLICATE_VALUE":
                twice.append(prepared)
            elif code == "INACTIVE_OWNER_OR_USER" and "OwnerId" in frozen.request:
                ownerless.append(self._reassigned(frozen, prepared, now))
            else:
                outcomes[prepared.order.key] = _refusal(code, words, prepared)
        outcomes |= self._made_by_another(twice, now)
        again = each_settled(ownerless, lambda some: self._upsert(some, now))
        outcomes |= {p.order.key: o for p, o in zip(ownerless, again, strict=True)}
        return [outcomes[prepared.order.key] for prepared in part]

    def _put(
        self, wanted: list[dict[str, Any]], part: Sequence[Prepared], now: datetime
    ) -> list[Any]:
        field = self._settings.external_id_field
        body = json.dumps({"allOrNone": False, "records": wanted}).encode()
        try:
            answers = self._org.write(f"composite/sobjects/Task/{field}", body, now)
        except Rejected as refusal:
            if refusal.code == "NOT_FOUND":
                raise Paused(
                    f"Salesforce tasks have no external id field {field}; create it on Activity "
                    "(text, unique, external id) and let the integration user edit it"
                ) from None
            raise _refusal(refusal.code, refusal.words, part[0]) from None
        except Paused:
            self._described = None  # perhaps a field was taken away since it was described
            raise
        if not isinstance(answers, list) or len(answers) != len(wanted):
            raise LookFirst("Salesforce's answer does not say what became of each task")
        return answers

    def _reassigned(self, frozen: Frozen, prepared: Prepared, now: datetime) -> Prepared:
        """The same task for somebody else: Salesforce takes none for a user who left."""
        record = {name: value for name, value in frozen.request.items() if name != "OwnerId"}
        try:
            spare = self._default_owner(now)
        except ConnectorError:  # the other tasks of this call are made: they need their receipts
            spare = None
        if spare and spare != frozen.request["OwnerId"]:
            record["OwnerId"] = spare
        remark = " ".join(part for part in (frozen.remark, OWNER_LEFT) if part)
        changed = replace(frozen, request=record, remark=remark, needs_attention=True)
        return Prepared(order=prepared.order, body=changed.body())

    def _made_by_another(self, twice: Sequence[Prepared], now: datetime) -> dict[str, Outcome]:
        """DUPLICATE_VALUE: an earlier send of ours, or another worker, made the task."""
        if not twice:
            return {}
        try:
            found = self._find_new(twice, now)
        except ConnectorError:
            unknown = LookFirst("Salesforce has this task already, but it could not be read")
            return {prepared.order.key: unknown for prepared in twice}
        made = LookFirst("somebody else is just making this task in Salesforce")
        return {p.order.key: found.get(p.order.key) or made for p in twice}

    # -- find ----------------------------------------------------------------------------------

    def find(
        self, batch: Sequence[Prepared], now: datetime
    ) -> Sequence[Receipt | ConnectorError | None]:
        """New tasks by their external id, amendments by the marker in the description."""
        new = [prepared for prepared in batch if not prepared.order.amends]
        found = self._find_new(new, now)
        known = self._amendments.read([prepared.order.amends for prepared in batch], now)

        return [
            self._amendments.find(prepared, known)
            if prepared.order.amends
            else found.get(prepared.order.key)
            for prepared in batch
        ]

    def _find_new(self, new: Sequence[Prepared], now: datetime) -> dict[str, Receipt]:
        """With the recycle bin: what a rep has deleted since was made, and is not made again."""
        from simple_salesforce.format import format_soql

        if not new:
            return {}
        field = self._settings.external_id_field
        soql = f"SELECT Id, IsDeleted, {field} FROM Task WHERE {field} IN {{keys}}"  # noqa: S608
        keys = {prepared.order.key: prepared for prepared in new}
        rows = self._org.query(format_soql(soql, keys=sorted(keys)), now, deleted=True)
        found: dict[str, Receipt] = {}
        for row in sorted(rows, key=lambda row: bool(row["IsDeleted"]), reverse=True):
            if prepared := keys.get(str(row[field])):
                gone = (DELETED,) if row["IsDeleted"] else ()
                frozen = Frozen.read(prepared.body)
                found[row[field]] = frozen.receipt(row["Id"], self._url(row["Id"]), *gone)
        return found

    def check(self, now: datetime) -> Sequence[Finding]:
        return check(self._settings, self._org, self._user_ids, now)

    def _url(self, task_id: str) -> str:
        return f"https://{self._settings.domain}.salesforce.com/{task_id}"


def _named_owner(order: Order) -> str:
    return str(order.params.get("owner") or "").strip()


def _reason(answer: Any) -> tuple[str, str]:
    """Code and words of one item of the answer; an empty code where the task is there."""
    if isinstance(answer, dict) and answer.get("success") and answer.get("id"):
        return "", ""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return "UNKNOWN", ""
    return str(first.get("statusCode") or "UNKNOWN"), str(first.get("message") or "")


def _refusal(code: str, words: str, prepared: Prepared) -> ConnectorError:
    if code in TRANSIENT:
        return TryLater(f"Salesforce is busy with this record ({code})", 5)
    if code == "UNKNOWN":
        return LookFirst("Salesforce's answer does not say what became of this task")
    shown = vendor_words(code, words, prepared.order.facts)
    return Refused(f"Salesforce refused the task: {shown}")
