"""Named queries of what earlier answers of a customer led to: what limits and contacts count."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select

from connector.domain import PastEffect
from connector.store.tables import actions, decisions

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from connector.rules.caps import Recall

# What was taken back, withheld or refused: it counts for no cap and is no contact.
GONE = ("superseded", "withheld", "parked")
_AT = func.coalesce(
    decisions.c.decided_at, actions.c.created_at, type_=actions.c.created_at.type
).label("at")
_CONTACT = or_(actions.c.to_customer, actions.c.opens_case)
_PLACE = func.row_number().over(
    # What one cap counts together (`rules.effects.effect_parts`); cases are contacts and no more.
    partition_by=(
        actions.c.customer_id,
        actions.c.kind,
        case((_CONTACT, ""), else_=actions.c.sink),
        case((_CONTACT, ""), else_=actions.c.rule_id),
    ),
    order_by=(_AT.element.desc(), actions.c.id.desc()),
)
_RANKED = (
    select(
        actions.c.customer_id,
        actions.c.kind,
        actions.c.sink,
        actions.c.rule_id,
        _AT,
        actions.c.opens_case,
        actions.c.to_customer,
        _PLACE.label("place"),
    )
    .select_from(actions)
    .outerjoin(decisions, decisions.c.number == actions.c.decision)
    .where(
        actions.c.customer_id.in_(bindparam("known", expanding=True)),
        or_(
            actions.c.response_id.is_(None),
            actions.c.response_id.not_in(bindparam("besides", expanding=True)),
        ),
        or_(actions.c.amends.is_(None), actions.c.reopens),
        actions.c.state.not_in(GONE),
    )
    .subquery("ranked")
)
_EFFECTS = (
    select(_RANKED)
    .where(
        or_(
            and_(or_(_RANKED.c.opens_case, _RANKED.c.to_customer), _RANKED.c.place == 1),
            and_(
                _RANKED.c.kind.in_(bindparam("kinds", expanding=True)),
                _RANKED.c.place <= bindparam("most"),
                _RANKED.c.at > bindparam("since", type_=_RANKED.c.at.type),
            ),
        )
    )
    .order_by(_RANKED.c.customer_id, _RANKED.c.at.desc())
)


class Earlier(NamedTuple):
    """Of one customer: what caps count, newest first, and whole days since the newest contact."""

    effects: tuple[PastEffect, ...] = ()
    days_since_contact: int | None = None


def earlier_effects(
    connection: Connection,
    known: Collection[str],
    besides: Collection[str],
    recall: Recall,
    now: datetime,
) -> dict[str, Earlier]:
    """What happened to these customers before, these responses left out; as far as `recall` asks.
    Who has nothing is not in it."""
    if not (known and recall):
        return {}
    asked = {
        "known": sorted(known),
        "besides": sorted(besides),
        "kinds": sorted(recall.kinds),
        "most": recall.most,
        "since": now - recall.within,
    }
    theirs: dict[str, list[Any]] = {}
    for row in connection.execute(_EFFECTS, asked):
        theirs.setdefault(row.customer_id, []).append(row)
    return {customer: _earlier(rows, recall, now) for customer, rows in theirs.items()}


def _earlier(rows: list[Any], recall: Recall, now: datetime) -> Earlier:
    """`rows`: the newest first."""
    contact = next((row for row in rows if row.opens_case or row.to_customer), None)
    kept = [
        row
        for row in rows
        if (row.kind in recall.kinds and now - row.at < recall.within)
        or (recall.contacts and row is contact)
    ]
    effects = tuple(
        PastEffect(
            kind=row.kind, sink=row.sink, rule_id=row.rule_id, at=row.at, case=row.opens_case
        )
        for row in kept
    )
    if not recall.contacts or contact is None:
        return Earlier(effects)
    return Earlier(effects, max(now - contact.at, timedelta(0)).days)
