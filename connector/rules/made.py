"""What a replay speaks of: actions that were asked for, effects that would have been made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from connector.domain import PastEffect
from connector.rules.memory import Remembered
from connector.rules.model import Action
from connector.rules.past import Fate
from connector.rules.templates import TextTemplate


class Asked(NamedTuple):
    """An action as the replay sees it. `key` tells it apart from all others of one answer; `team`
    is a template where it depends on the answer."""

    key: str
    rule_id: str
    action: Action
    team: str | TextTemplate


class Plan(NamedTuple):
    """What follows when just these rules match."""

    fired: tuple[str, ...]
    asked: tuple[Asked, ...]
    has_case: bool
    held_out: tuple[str, ...]  # of those that fired
    routed: bool  # an action names the owner that `routing` says
    distinct: bool  # no two of `asked` are the same effect


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that would have been made. `sent_at`: from when on it cannot be taken back; None:
    never. `ended_at`: until when the case was open; None: to the end. `stood`: it was there before
    the first decision that is replayed. `made_at`: when it was decided. `refused`: it ended so that
    it never was. `pool`: the one whose turn named the team."""

    asked: Asked
    team: str
    sent_at: datetime | None
    ended_at: datetime | None
    withheld: str = ""
    stood: bool = False
    made_at: datetime | None = None
    refused: bool = False
    pool: str = ""

    def is_sent(self, now: datetime) -> bool:
        return self.sent_at is not None and self.sent_at <= now

    def is_open(self, now: datetime) -> bool:
        return self.ended_at is None or self.ended_at > now


Effects = dict[str, Effect]  # of one answer, by `Asked.key`


class Outcome(NamedTuple):
    """Where an answer stands after a decision."""

    fired: tuple[str, ...]
    effects: Effects
    held_out: tuple[str, ...] = ()


class Recalled(NamedTuple):
    """What one ruleset would know of a customer: cases of their other answers that would be open,
    effects that caps count, days since a contact."""

    open_cases: int
    effects: tuple[PastEffect, ...] = ()
    days: int | None = None


@dataclass(frozen=True)
class Known:
    """What is known about the time that is replayed.

    `accounts`: sink -> what its vendor limits. `fates`: by response and `Asked.key`. `standing`:
    what was there before the first decision, by response. `closes_after`: how long a case is taken
    to be open that never was; None: to the end. `earlier`: what caps and contacts count from
    before the first decision, by customer.
    """

    accounts: Mapping[str, str]
    fates: Mapping[tuple[str, str], Fate]
    standing: Mapping[str, Sequence[tuple[str | None, Effect]]]
    closes_after: timedelta | None = None
    earlier: Mapping[str, Sequence[Remembered]] = field(default_factory=dict)


def asked_key(opens_case: bool, account: str, kind: str, parts: tuple[str, str]) -> str:
    """One case for each account; anything else by its kind and `effect_parts`."""
    return f"case {account}" if opens_case else " ".join((kind, *parts))
