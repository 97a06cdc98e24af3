"""Forgetting: one person on request, or answers by age. Scores, keys and receipts stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connector.store import forgetting, readings
from connector.store.tables import responses
from connector.text import clean_email

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from connector.config import Settings
    from connector.store import Store


class AtVendor(NamedTuple):
    """Something that a person has to delete at a vendor. Where no receipt came, `remote_id` says
    so and names the key to look for."""

    kind: str
    sink: str
    remote_id: str
    url: str


class Erased(NamedTuple):
    responses: int
    unread: int
    at_vendors: tuple[AtVendor, ...]


def erase_email(store: Store, address: str, now: datetime) -> Erased:
    """Empty everything about this person in one transaction.

    Raises:
        ValueError: when this is no e-mail address.
    """
    cleaned = clean_email(address)
    if cleaned is None:
        raise ValueError("this is no e-mail address")

    def work(connection: Connection) -> Erased:
        readings.hold(connection)
        # Records, answers, person: in the order in which whoever decides takes hold of them.
        unread = forgetting.empty_unread(connection, cleaned)
        customer, ids = forgetting.responses_of_key(connection, "email", cleaned)
        receipts = _empty(connection, ids, now)
        forgetting.bury_person(connection, "email", cleaned, now)
        if customer is not None:
            forgetting.empty_customer(connection, customer, now)
        return Erased(len(ids), unread, receipts)

    return store.write(work)


def erase_response(store: Store, response: str, now: datetime) -> Erased | None:
    """Empty one response; None where it does not exist."""

    def work(connection: Connection) -> Erased | None:
        if not forgetting.exists(connection, response):
            return None
        readings.hold(connection)
        return Erased(1, 0, _empty(connection, [response], now))

    return store.write(work)


def apply_retention(store: Store, settings: Settings, now: datetime, limit: int = 200) -> int:
    """Erase answers older than their survey keeps them; returns how many. Call until 0.

    `retention_days` at the top is also for surveys that were taken out of the configuration, and
    for what was received and never understood.
    """

    def erase(survey: ColumnElement[bool], days: int) -> int:
        before = now - timedelta(days=days)

        def work(connection: Connection) -> int:
            ids = forgetting.older_than(connection, survey, before, limit)
            if ids:
                readings.hold(connection)
            _empty(connection, ids, now)
            return len(ids)

        return store.write(work)

    surveys = settings.surveys.values()
    own = {s.id: s.retention_days for s in surveys if s.retention_days is not None}
    total = sum(erase(responses.c.survey == id, days) for id, days in own.items())
    if settings.retention_days is not None:
        total += erase(responses.c.survey.not_in(own), settings.retention_days)
        before = now - timedelta(days=settings.retention_days)
        store.write(lambda c: forgetting.empty_old_unread(c, before))
    return total


def _empty(connection: Connection, ids: Sequence[str], now: datetime) -> tuple[AtVendor, ...]:
    receipts = tuple(
        AtVendor(row.kind, row.sink, row.remote_id or _unconfirmed(row.key), row.url or "")
        for row in forgetting.receipts_of(connection, ids)
    )
    for response in ids:
        forgetting.empty_response(connection, response, now)
    return receipts


def _unconfirmed(key: str) -> str:
    return f"not confirmed; its key is {key}"
