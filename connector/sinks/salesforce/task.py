"""Salesforce tasks: made by batches of an upsert on a unique field, amended one by one.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_upsert.htm
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import requests

from connector.domain import Finding, Followed, Order, Prepared, Receipt, Standing, Watched
from connector.errors import ConnectorError, Paused
from connector.ports import Capabilities, Made
from connector.sinks.crm import (
    Frozen,
    Names,
    Outcome,
    Remarks,
    address_of,
    params_of,
    raised_if_common,
    reopens,
    stopping,
)
from connector.sinks.salesforce import records
from connector.sinks.salesforce.amending import Amendments
from connector.sinks.salesforce.check import check
from connector.sinks.salesforce.creating import Creations
from connector.sinks.salesforce.following import News
from connector.sinks.salesforce.limits import CALLS
from connector.sinks.salesforce.people import Person, all_users, find_people, find_users
from connector.sinks.salesforce.session import Org
from connector.sinks.salesforce.settings import SalesforceSettings, TaskParams, connect

DESCRIBED_FOR = timedelta(minutes=10)


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
    unmarked = ""
    listing_gaps: ClassVar[str] = (
        "not what was emptied from the recycle bin, and not archived activities (about a year old)"
    )
    named: ClassVar[tuple[str, ...]] = ("owner", "status", "fields")
    Settings = SalesforceSettings
    Params = TaskParams
    capabilities: ClassVar[Capabilities] = Capabilities(
        opens_case=True, batch=200, can_find=True, look_again_after=timedelta(seconds=30)
    )

    def __init__(self, settings: SalesforceSettings, session: requests.Session) -> None:
        self._settings = settings
        self.meter = settings.meter(CALLS, session)
        self._org = Org(lambda capped: connect(settings, capped), session, settings.log_in_hint)
        key_field = settings.external_id_field
        self._creations = Creations(self._org, key_field, self._url, self._default_owner)
        self._amendments = Amendments(self._org, self._url)
        self._news = News(self._org, settings, self._fields)
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
        records.refuse_unless_open(looked_up.tasks.get(order.amends or ""), reopens(order))
        owner = looked_up.owners.get(_named_owner(order).casefold())
        return records.amendment(order, params, owner, now)

    def _user_ids(self, names: Sequence[str], now: datetime) -> dict[str, str]:
        return self._users.resolve(names, now, lambda some: find_users(self._org, some, now))

    def _default_owner(self, now: datetime) -> str | None:
        return next(iter(self._user_ids([self._settings.default_owner], now).values()), None)

    def _fields(self, now: datetime) -> dict[str, dict[str, Any]]:
        if self._described is None or now - self._described[1] > DESCRIBED_FOR:
            described = self._org.fields("Task", now)
            fields = {name.casefold(): about for name, about in described.items()}
            self._described = (fields, now)
        return self._described[0]

    # -- send ----------------------------------------------------------------------------------

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Outcome]:
        """New tasks in one call, then each amendment in its own. An error that all share is raised;
        once something was written every error is returned in its item's place."""
        one_each = {prepared.order.key: prepared for prepared in batch}
        new = [prepared for prepared in one_each.values() if not prepared.order.amends]
        revised = [prepared for prepared in one_each.values() if prepared.order.amends]
        settled = self._creations.send(new, now)
        outcomes = {p.order.key: outcome for p, outcome in zip(new, settled, strict=True)}
        if (halt := stopping(settled)) is not None:
            self._described = None  # perhaps a field was taken away since it was described
        if revised and not halt:
            outcomes |= self._amendments.send(revised, now)
        elif halt:
            outcomes |= {prepared.order.key: halt for prepared in revised}
        in_order = [outcomes[prepared.order.key] for prepared in batch]
        raised_if_common(in_order)
        return in_order

    # -- find ----------------------------------------------------------------------------------

    def find(
        self, batch: Sequence[Prepared], now: datetime
    ) -> Sequence[Receipt | ConnectorError | None]:
        """New tasks by their external id, amendments by the marker in the description."""
        new = [prepared for prepared in batch if not prepared.order.amends]
        found = self._creations.find(new, now)
        known = self._amendments.read([prepared.order.amends for prepared in batch], now)

        return [
            self._amendments.find(prepared, known)
            if prepared.order.amends
            else found.get(prepared.order.key)
            for prepared in batch
        ]

    # -- following -----------------------------------------------------------------------------

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        with self._described_anew():
            yield from self._news.follow(cursor, watched, now)

    def look(self, watched: Sequence[Watched], now: datetime) -> Sequence[Standing]:
        with self._described_anew():
            return self._news.look(watched, now)

    @contextmanager
    def _described_anew(self) -> Iterator[None]:
        """After a pause: perhaps a field was taken away since it was described."""
        try:
            yield
        except Paused:
            self._described = None
            raise

    # -- what people ask for -------------------------------------------------------------------

    def made_since(self, since: datetime, now: datetime) -> Iterator[Made]:
        return self._creations.made_since(since, now)

    def check(self, now: datetime) -> Sequence[Finding]:
        return check(self._settings, self._org, self._user_ids, now)

    def known(self, field: str, now: datetime) -> Sequence[str]:
        if field == "owner":
            return all_users(self._org, now)
        fields = self._fields(now)
        if field == "status":
            values = fields.get("status", {}).get("picklistValues") or []
            return [str(one["value"]) for one in values if one["active"]]
        return sorted(str(one["name"]) for one in fields.values() if one["createable"])

    def _url(self, task_id: str) -> str:
        return f"https://{self._settings.domain}.salesforce.com/{task_id}"


def _named_owner(order: Order) -> str:
    return str(order.params.get("owner") or "").strip()
