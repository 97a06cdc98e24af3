"""Which effect an action is, and when the customer hears nothing: said once, for the outbox and for
whoever replays the past."""

from __future__ import annotations

from datetime import datetime, timedelta

OPEN_CASE = "the customer has an open case; a person talks to them first"
NO_ADDRESS = "the customer left no e-mail address"
DECIDED_AGAIN = "decided again because of a late answer: nothing new goes to the customer"
TOO_OLD = "the answer is too old for a message to the customer"


def effect_parts(to_customer: bool, sink: str, rule_id: str) -> tuple[str, str]:
    """(sink, rule) that an effect which is no case is known by: messages to the customer happen
    once per kind, alerts once per rule."""
    return ("", "") if to_customer else (sink, rule_id)


def quiet_by_age(answered_at: datetime | None, now: datetime, within: timedelta) -> str:
    """Why nothing is sent to the customer any more; empty where the answer is fresh enough."""
    fresh = answered_at is not None and now - answered_at <= within
    return "" if fresh else TOO_OLD


def why_withheld(quiet: str, address: object, has_case: bool, open_cases: int) -> str:
    """Why a message to the customer is not sent; empty where it is.

    `has_case`: this answer asks for a case, or one of it is out there. `open_cases`: of their other
    answers.
    """
    if quiet:
        return quiet
    if not address:
        return NO_ADDRESS
    return OPEN_CASE if has_case or open_cases else ""
