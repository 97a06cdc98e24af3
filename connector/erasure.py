"""Forgetting: one person on request, or answers by age. Scores, keys and receipts stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connector.store import forgetting
from connector.text import clean_email

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from connector.config import Settings
    from connector.store import Store


class AtVendor(NamedTuple):
    """Something that a person has to delete at a vendor."""

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
        customer, ids = forgetting.responses_of_key(connection, "email", cleaned)
        receipts = _empty(connection, ids, now)
        unread = forgetting.empty_unread(connection, cleaned)
        if customer is not None:
            forgetting.empty_customer(connection, customer, now)
        return Erased(len(ids), unread, receipts)

    return store.write(work)


def erase_response(store: Store, response: str, now: datetime) -> Erased | None:
    """Empty one response; None where it does not exist."""

    def work(connection: Connection) -> Erased | None:
        if not forgetting.exists(connection, response):
            return None
        return Erased(1, 0, _empty(connection, [response], now))

    return store.write(work)


def apply_retention(store: Store, settings: Settings, now: datetime, limit: int = 200) -> int:
    """Erase answers older than their survey keeps them; returns how many. Call until 0."""
    total = 0
    for survey in settings.surveys.values():
        days = survey.retention_days or settings.retention_days
        if days is None:
            continue
        before = now - timedelta(days=days)

        def work(connection: Connection, id: str = survey.id, before: datetime = before) -> int:
            ids = forgetting.older_than(connection, id, before, limit)
            _empty(connection, ids, now)
            return len(ids)

        total += store.write(work)
    return total


def _empty(connection: Connection, ids: Sequence[str], now: datetime) -> tuple[AtVendor, ...]:
    receipts = tuple(AtVendor(*row) for row in forgetting.receipts_of(connection, ids))
    for response in ids:
        forgetting.empty_response(connection, response, now)
    return receipts
