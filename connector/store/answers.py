"""Named queries of responses, their revisions, and the decisions about them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, or_, select, update

from connector.domain import EarlierAnswer, Facts, History, Response, Verdict
from connector.store.arrivals import insert_ignoring
from connector.store.tables import actions, decisions, responses, revisions, rulesets, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

_ACTIVE = "active_ruleset"
_EARLIER = 3  # answers that the person who makes the call gets to see


def find_response(connection: Connection, response: str) -> Any:
    statement = select(responses).where(responses.c.id == response).with_for_update()
    return connection.execute(statement).one_or_none()


def add_response(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(insert(responses).values(**row))


def revise_response(connection: Connection, response: str, row: dict[str, Any]) -> None:
    connection.execute(update(responses).where(responses.c.id == response).values(**row))


def add_revision(
    connection: Connection,
    response: str,
    number: int,
    content: Response,
    arrival: int,
    now: datetime,
) -> None:
    row = {
        "response_id": response,
        "number": number,
        "inbox_id": arrival,
        "content": content.model_dump(mode="json"),
        "received_at": now,
    }
    connection.execute(insert(revisions).values(**row))


def newest_arrival(connection: Connection, response: str) -> int:
    """The record that the newest revision was read from."""
    mine = revisions.c.response_id == response
    return connection.scalar(select(func.max(revisions.c.inbox_id)).where(mine)) or 0


def history_of(connection: Connection, customer: str | None, besides: str) -> History:
    """What had been decided for this customer before, this response left out."""
    if customer is None:
        return History()
    mine = (responses.c.customer_id == customer) & (responses.c.id != besides)
    mine &= responses.c.erased_at.is_(None)
    columns = (responses.c.answered_at, responses.c.survey, responses.c.score)
    newest_first = func.coalesce(responses.c.answered_at, responses.c.received_at).desc()
    rows = connection.execute(
        select(*columns, responses.c.segment, responses.c.content)
        .where(mine)
        .order_by(newest_first, responses.c.id)
        .limit(_EARLIER)
    ).all()
    if len(rows) < _EARLIER:
        total, unhappy = len(rows), sum(row.segment == "detractor" for row in rows)
    else:
        counts = (func.count(), func.count().filter(responses.c.segment == "detractor"))
        total, unhappy = connection.execute(select(*counts).where(mine)).one()
    earlier = tuple(
        EarlierAnswer(
            answered_at=row.answered_at,
            survey=row.survey,
            score=row.score,
            segment=row.segment,
            comment=str(row.content.get("comment", ""))[:300],
        )
        for row in rows
    )
    newest = earlier[0] if earlier else None
    return History(
        answers=total,
        detractor_answers=unhappy,
        previous_score=newest.score if newest else None,
        previous_segment=newest.segment if newest else None,
        previous_at=newest.answered_at if newest else None,
        open_cases=open_cases(connection, customer, besides),
        earlier=earlier,
    )


def open_cases(connection: Connection, customer: str, besides: str | None = None) -> int:
    """Cases of this customer that nobody has closed yet, those still on their way included."""
    statement = select(func.count()).where(
        actions.c.customer_id == customer,
        actions.c.opens_case,
        actions.c.amends.is_(None),
        actions.c.closed_at.is_(None),
        actions.c.state.in_(("waiting", "held", "sending", "done", "in_doubt")),
    )
    if besides is not None:
        statement = statement.where(
            or_(actions.c.response_id.is_(None), actions.c.response_id != besides)
        )
    return connection.scalar(statement) or 0


def add_decision(
    connection: Connection,
    facts: Facts,
    verdict: Verdict,
    ruleset: str,
    engine: str,
    history: bool,
    now: datetime,
) -> int:
    """Keep facts and verdict; the returned number orders all decisions of this store."""
    row = {
        "response_id": facts.response_id,
        "revision": facts.revision,
        "ruleset": ruleset,
        "engine": engine,
        "history": history,
        "facts": facts.model_dump(mode="json"),
        "verdict": verdict.model_dump(mode="json"),
        "decided_at": now,
    }
    number: int = connection.execute(
        insert(decisions).values(**row).returning(decisions.c.number)
    ).scalar_one()
    return number


def decisions_of(connection: Connection, response: str) -> Sequence[Any]:
    statement = select(decisions).where(decisions.c.response_id == response)
    return connection.execute(statement.order_by(decisions.c.number)).all()


def keep_ruleset(
    connection: Connection, identity: str, files: dict[str, str], now: datetime
) -> None:
    row = {"hash": identity, "files": files, "stored_at": now}
    statement = insert_ignoring(connection, rulesets).values(row)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["hash"], set_={"files": files})
    )


def activate_ruleset(connection: Connection, identity: str) -> None:
    statement = insert_ignoring(connection, settings).values(name=_ACTIVE, value=identity)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": identity})
    )


def active_ruleset(connection: Connection) -> str | None:
    found: str | None = connection.scalar(
        select(settings.c.value).where(settings.c.name == _ACTIVE)
    )
    return found


def ruleset_files(connection: Connection, identity: str) -> dict[str, str] | None:
    found: dict[str, str] | None = connection.scalar(
        select(rulesets.c.files).where(rulesets.c.hash == identity)
    )
    return found
