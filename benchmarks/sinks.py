"""Sinks without a vendor: one call for each action, one call for a batch, and no call at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import requests

from connector import sinks
from connector.domain import Finding, Order, Prepared, Receipt
from connector.errors import ConnectorError
from connector.ports import Capabilities, Params, SinkSettings

_KEY_LIVES = timedelta(days=1)
_URL = "https://far.example.com/effects"


class BenchSettings(SinkSettings):
    pass


class BenchParams(Params):
    text: str = ""


class Nothing:
    """A far side that takes no time and no call: what is left is our own work."""

    Settings: ClassVar[type[SinkSettings]] = BenchSettings
    Params: ClassVar[type[Params]] = BenchParams
    type: ClassVar[str] = "nothing"
    kind: ClassVar[str] = "nothing.case"
    capabilities: ClassVar[Capabilities] = Capabilities(
        opens_case=True, batch=200, key_lifetime=_KEY_LIVES
    )

    def __init__(self, settings: SinkSettings, session: requests.Session) -> None:
        self._session = session

    @property
    def account(self) -> str:
        return f"{self.type}:bench"

    def prepare(self, orders: Sequence[Order], now: datetime) -> Sequence[bytes | ConnectorError]:
        return [f"{order.key} {order.facts.comment}\n".encode() for order in orders]

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Receipt | ConnectorError]:
        return [Receipt(remote_id=one.order.key) for one in batch]

    def find(
        self, batch: Sequence[Prepared], now: datetime
    ) -> Sequence[Receipt | ConnectorError | None]:
        return [None for _ in batch]

    def check(self, now: datetime) -> Sequence[Finding]:
        return []


class Bulk(Nothing):
    """One HTTP call for up to 200 actions."""

    type: ClassVar[str] = "bulk"
    kind: ClassVar[str] = "bulk.case"

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Receipt | ConnectorError]:
        self._session.post(_URL, data=b"".join(one.body for one in batch))
        return super().send(batch, now)


class Single(Bulk):
    """One HTTP call for each action, as most vendors want it."""

    type: ClassVar[str] = "single"
    kind: ClassVar[str] = "single.case"
    capabilities: ClassVar[Capabilities] = Capabilities(
        opens_case=True, batch=1, key_lifetime=_KEY_LIVES
    )


def register() -> None:
    """Make them known to this process as any other sink."""
    for adapter in (Nothing, Bulk, Single):
        sinks.REGISTRY[adapter.kind] = f"{__name__}:{adapter.__name__}"
