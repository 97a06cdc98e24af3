"""What later answers of a customer quote of an earlier one, and how that is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from connector.store.tables import actions, decisions, responses, revisions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_LONGEST = 300  # characters of a comment that are quoted
_OVER = ("done", "withheld", "superseded")  # nobody sends their bytes again


def quotable(connection: Connection, response: str) -> set[str]:
    """What all revisions of this answer said, as it may be quoted; ask before it is emptied."""
    statement = select(revisions.c.content).where(revisions.c.response_id == response)
    said = (str(content.get("comment", "")) for content in connection.scalars(statement))
    return {text[:_LONGEST] for text in said if text.strip()}


def forget_quotes(
    connection: Connection, customer: str, response: str, quotes: Collection[str]
) -> None:
    """Take these words out of what was decided and asked for about the customer's other answers."""
    if not quotes:
        return
    theirs = select(responses.c.id).where(responses.c.customer_id == customer)
    others = theirs.where(responses.c.id != response)
    kept = select(decisions.c.number, decisions.c.facts, decisions.c.verdict)
    for row in connection.execute(kept.where(decisions.c.response_id.in_(others))).all():
        if _quotes(row.facts, quotes):
            values = {"facts": _without(row.facts, quotes)}
            values["verdict"] = _replaced(row.verdict, quotes)
            mine = decisions.c.number == row.number
            connection.execute(update(decisions).where(mine).values(**values))
    # Locked, this answer's too, in the order of couriers: what they write meanwhile is seen, or
    # comes after.
    asked = select(actions.c.id, actions.c.order, actions.c.state)
    asked = asked.where(actions.c.response_id.in_(theirs)).order_by(actions.c.id)
    for row in connection.execute(asked.with_for_update()).all():
        if _quotes(row.order.get("facts") or {}, quotes):
            order = _replaced(row.order, quotes, besides=("facts",))
            changed: dict[str, Any] = {"order": order | {"facts": _without(order["facts"], quotes)}}
            if row.state in _OVER:
                changed["request"] = None
            connection.execute(update(actions).where(actions.c.id == row.id).values(**changed))


def _earlier(facts: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (facts.get("history") or {}).get("earlier") or ()


def _quotes(facts: Mapping[str, Any], quotes: Collection[str]) -> bool:
    return any(one.get("comment") in quotes for one in _earlier(facts))


def _without(facts: Mapping[str, Any], quotes: Collection[str]) -> dict[str, Any]:
    earlier = [
        {**one, "comment": "" if one.get("comment") in quotes else one.get("comment")}
        for one in _earlier(facts)
    ]
    return {**facts, "history": {**facts["history"], "earlier": earlier}}


def _replaced(value: Any, quotes: Collection[str], besides: Collection[str] = ()) -> Any:
    """Texts that a template has filled with the words are without them."""
    if isinstance(value, str):
        for quote in quotes:
            value = value.replace(quote, "…")
        return value
    if isinstance(value, dict):
        return {k: v if k in besides else _replaced(v, quotes) for k, v in value.items()}
    return [_replaced(one, quotes) for one in value] if isinstance(value, list) else value
