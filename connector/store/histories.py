"""Named queries of the answers that a customer gave before one, and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BindParameter, Connection, and_, bindparam, case, func, or_, select

from connector import faultpoints
from connector.domain import MOST_PAST, EarlierAnswer, History, PastAnswer
from connector.store.tables import actions, decisions, responses

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from connector.domain import Survey

_EARLIER = 3  # answers that the person who makes the call gets to see
_MOST_AGAIN = 20  # later answers that one late answer has decided again
_BESIDES: BindParameter[Any] = bindparam("besides", expanding=True)  # responses
_MINE = responses.alias("mine")
_GIVEN = func.coalesce(responses.c.answered_at, responses.c.received_at)
_MINE_GIVEN = func.coalesce(_MINE.c.answered_at, _MINE.c.received_at)
_EARLIER_THAN_MINE = or_(
    _GIVEN < _MINE_GIVEN, and_(_GIVEN == _MINE_GIVEN, responses.c.id < _MINE.c.id)
)
_YOUNG_NEWS = and_(responses.c.history.is_(False), responses.c.answered_at >= bindparam("young"))
_BEFORE = case((_EARLIER_THAN_MINE, 1), else_=0)
_SIDE: dict[str, Any] = {"partition_by": (_MINE.c.id, _BEFORE)}
_UNHAPPY = case((responses.c.segment == "detractor", 1), else_=0)
# Of each answer that is decided: the newest before it, and the newest news after it.
_RANKED = (
    select(
        responses.c.id,
        _MINE.c.id.label("mine"),
        _BEFORE.label("before"),
        func.row_number()
        .over(**_SIDE, order_by=(_GIVEN.desc(), responses.c.id.desc()))
        .label("place"),
        func.count().over(**_SIDE).label("total"),
        func.sum(_UNHAPPY).over(**_SIDE).label("unhappy"),
    )
    .join(_MINE, _MINE.c.customer_id == responses.c.customer_id)
    .where(
        _MINE.c.id.in_(bindparam("judged", expanding=True)),
        responses.c.id != _MINE.c.id,
        responses.c.erased_at.is_(None),
        or_(_EARLIER_THAN_MINE, _YOUNG_NEWS),
    )
    .subquery("ranked")
)
_SHOWN = and_(_RANKED.c.before == 1, _RANKED.c.place <= _EARLIER)
_OTHERS = (
    select(
        _RANKED.c.mine,
        _RANKED.c.before,
        _RANKED.c.place,
        _RANKED.c.total,
        _RANKED.c.unhappy,
        _GIVEN.label("given"),
        *(responses.c[name] for name in ("answered_at", "survey", "score", "segment")),
        case((_SHOWN, responses.c.content)).label("content"),
    )
    .join(_RANKED, _RANKED.c.id == responses.c.id)
    .where(_RANKED.c.place <= case((_RANKED.c.before == 1, MOST_PAST), else_=1))
    .order_by(_RANKED.c.mine, _RANKED.c.before, _RANKED.c.place)
)
_LATER_NEWS = (
    select(
        *(responses.c[name] for name in ("id", "source", "survey", "customer_id", "revision")),
        *(responses.c[name] for name in ("content", "answered_at")),
    )
    .where(
        responses.c.customer_id == bindparam("customer"),
        responses.c.id != bindparam("response"),
        responses.c.erased_at.is_(None),
        _YOUNG_NEWS,
        or_(
            bindparam("given") < _GIVEN,
            and_(bindparam("given") == _GIVEN, responses.c.id > bindparam("response")),
        ),
    )
    .order_by(_GIVEN, responses.c.id)
    .limit(_MOST_AGAIN)
    .with_for_update(read=True, key_share=True)  # nobody erases them meanwhile
)
_NEWEST_FACTS = select(decisions.c.response_id, decisions.c.facts).where(
    decisions.c.number.in_(
        select(func.max(decisions.c.number))
        .where(decisions.c.response_id.in_(bindparam("wanted", expanding=True)))
        .group_by(decisions.c.response_id)
    )
)
_OPEN_CASES = (
    select(actions.c.customer_id, func.count())
    .where(
        actions.c.customer_id.in_(bindparam("known", expanding=True)),
        actions.c.opens_case,
        or_(actions.c.amends.is_(None), actions.c.reopens),
        actions.c.closed_at.is_(None),
        actions.c.state.in_(("waiting", "held", "sending", "done", "in_doubt")),
        or_(actions.c.response_id.is_(None), actions.c.response_id.not_in(_BESIDES)),
    )
    .group_by(actions.c.customer_id)
)


class Before(NamedTuple):
    """What was known of the customer; `overtaken`: a later answer of theirs, young enough to act
    on, was decided already."""

    history: History = History()
    overtaken: bool = False


def histories(
    connection: Connection,
    judged: Mapping[str, str],
    surveys: Mapping[str, Survey],
    young: datetime,
) -> dict[str, Before]:
    """By response: the customer's other answers that were given before it, as they are now.

    `judged`: responses to their customers, one of each. Answers without a time count as given when
    they came in; of two at once the smaller id is the earlier. `young`: given from then on, a later
    answer may still be acted on.
    """
    if not judged or faultpoints.broken("quiet"):
        return {}
    found: dict[str, list[Any]] = {}
    overtaken: set[str] = set()
    for row in connection.execute(_OTHERS, {"judged": sorted(judged), "young": young}):
        if row.before:
            found.setdefault(row.mine, []).append(row)
        else:
            overtaken.add(row.mine)
    cases = _open_cases(connection, set(judged.values()), judged)
    return {
        response: Before(
            _history(found.get(response, []), cases.get(customer, 0), surveys),
            response in overtaken,
        )
        for response, customer in judged.items()
    }


def _history(rows: list[Any], cases: int, surveys: Mapping[str, Survey]) -> History:
    earlier = tuple(
        EarlierAnswer(
            answered_at=row.answered_at,
            survey=row.survey,
            score=row.score,
            segment=row.segment,
            comment=str(row.content.get("comment", ""))[:300],
        )
        for row in rows[:_EARLIER]
    )
    newest = earlier[0] if earlier else None
    return History(
        answers=rows[0].total if rows else 0,
        detractor_answers=rows[0].unhappy if rows else 0,
        previous_score=newest.score if newest else None,
        previous_segment=newest.segment if newest else None,
        previous_at=newest.answered_at if newest else None,
        open_cases=cases,
        earlier=earlier,
        past=tuple(_past_answer(row, surveys.get(row.survey)) for row in rows),
    )


def _past_answer(row: Any, survey: Survey | None) -> PastAnswer:
    return PastAnswer(
        answered_at=row.given,
        scale_low=survey.low if survey else None,
        scale_high=survey.high if survey else None,
        score=row.score,
        segment=row.segment,
    )


def later_news(
    connection: Connection, customer: str, response: str, given: datetime, young: datetime
) -> Sequence[Any]:
    """Answers of this customer that were given after `response` (at `given`) and decided as news,
    the earliest first; those given before `young` left out, and all but the first twenty."""
    asked = {"customer": customer, "response": response, "given": given, "young": young}
    return connection.execute(_LATER_NEWS, asked).all()


def newest_facts(connection: Connection, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By response, the facts of its newest decision."""
    return {row[0]: row[1] for row in connection.execute(_NEWEST_FACTS, {"wanted": wanted})}


def _open_cases(
    connection: Connection, known: Collection[str], besides: Collection[str]
) -> dict[str, int]:
    if faultpoints.broken("quiet"):
        return {}
    wanted = {"known": sorted(known), "besides": sorted(besides)}
    return {row[0]: row[1] for row in connection.execute(_OPEN_CASES, wanted)}


def open_cases(connection: Connection, customer: str) -> int:
    """Cases of this customer that nobody has closed yet, those still on their way included."""
    return _open_cases(connection, (customer,), ()).get(customer, 0)
