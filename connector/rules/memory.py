"""What a replay remembers of each customer: the effects that caps and contacts are counted by, as
they would have been under one ruleset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from connector.domain import PastEffect
from connector.rules.caps import Recall


class Remembered(NamedTuple):
    """An effect of `response`. `reaches`: it is a contact. `gone_at`: from when on it was refused,
    so that it counts no more; None: never."""

    response: str
    effect: PastEffect
    reaches: bool
    gone_at: datetime | None = None


class Memory:
    """`before`: by customer, what there was before the first decision that is replayed."""

    def __init__(self, recall: Recall, before: Mapping[str, Sequence[Remembered]]) -> None:
        self._recall = recall
        self._theirs: dict[str, list[Remembered]] = (
            {customer: list(known) for customer, known in before.items()} if recall else {}
        )

    def of(
        self, customer: str | None, response: str, now: datetime
    ) -> tuple[tuple[PastEffect, ...], int | None]:
        """As `store.effects` says it for a live decision: effects, and days since a contact."""
        theirs = self._theirs.get(customer) if customer is not None else None
        if not theirs:
            return (), None
        recall = self._recall
        there = [
            one
            for one in theirs
            if one.response != response and (one.gone_at is None or one.gone_at > now)
        ]
        effects = [
            one.effect
            for one in there
            if one.effect.kind in recall.kinds and now - one.effect.at < recall.within
        ]
        days = None
        if recall.contacts:
            reached = [one.effect.at for one in there if one.reaches]
            days = max(now - max(reached), timedelta(0)).days if reached else None
        return tuple(sorted(effects, key=lambda one: one.at, reverse=True)), days

    def remember(
        self, customer: str, response: str, made: Iterable[Remembered], now: datetime
    ) -> None:
        """What stands of this answer now; what no cap counts any more is forgotten."""
        oldest = now - self._recall.within
        theirs = [
            one
            for one in self._theirs.get(customer, ())
            if one.response != response and (one.reaches or one.effect.at > oldest)
        ]
        theirs += [one for one in made if one.reaches or one.effect.kind in self._recall.kinds]
        self._theirs[customer] = theirs
