"""What rules say to facts."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from connector.domain.values import Value


class Intent(Value):
    """One effect that a rule asks for: rendered, validated, not yet an outbox row.

    `refused` says which limit keeps it from happening. `pool`: the one whose turn names its owner.
    """

    rule_id: str
    rule_name: str
    kind: str
    sink: str
    params: dict[str, object]
    respond_within: timedelta | None = None
    settle: timedelta = timedelta(0)
    hours: str = ""  # the calendar in which `respond_within` counts; empty: around the clock
    send_hours: str = ""  # the calendar in whose hours it goes out; empty: at any time
    digest: str = ""  # gathered with others: `1h`, or a time of day; empty: it goes out alone
    problem: str = ""  # why a field could not be rendered and a fallback was used
    refused: str = ""
    pool: str = ""


class RuleMatch(Value):
    """`held_out`: a live rule that asked for nothing, as its `holdout` has this customer."""

    rule_id: str
    status: Literal["shadow", "live", "held_out"]


class Verdict(Value):
    """What the rules say to some facts: which matched, and what they ask for, in file order.

    `flags`: `asks_for:NAME` for what the comment asks for, and `contradiction` where it holds words
    of complaint, `complaints`, beside a promoter's score.
    """

    matches: tuple[RuleMatch, ...] = ()
    intents: tuple[Intent, ...] = ()
    topics: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
