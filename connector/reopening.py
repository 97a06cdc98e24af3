"""An unhappy answer of a customer whose case was closed: the same record is opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.domain import About

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.placing import Placed, Placing

UNHAPPY = "detractor"
_WHY = "The customer answered again and is still unhappy: this was closed too early."


def may_reopen(placed: Iterable[Placed]) -> set[str]:
    """The customers whose closed cases have to be known."""
    unhappy = (one for one in placed if one.facts.segment == UNHAPPY and one.verdict.intents)
    return {one.customer for one in unhappy if one.customer is not None}


def reopen(placing: Placing, existing: Any, row: dict[str, Any]) -> None:
    """Make of a new case one that opens an earlier one again, where there is such a one. Where the
    far side refuses, it becomes a new case after all (`outcomes`)."""
    if existing is not None:
        if existing.reopens:
            _turn(row, existing.amends, existing.account, existing.order["about"])
        return
    if placing.customer is None or placing.facts.segment != UNHAPPY:
        return
    earlier = placing.outbox.closed_case(placing.customer, row["sink"], row["kind"], placing.facts)
    if earlier is not None:
        about = About(why=_WHY, reopens=True)
        _turn(row, earlier.action_id, earlier.account, about.model_dump(mode="json"))


def _turn(row: dict[str, Any], case: int, account: str, about: dict[str, Any]) -> None:
    row |= {"amends": case, "account": account, "reopens": True}
    row["order"] = {**row["order"], "about": about}
