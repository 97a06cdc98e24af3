"""Named queries that count answers by survey, score and group. The database does the grouping."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from connector.store.tables import decisions, responses

if TYPE_CHECKING:
    from collections.abc import Generator

_STREAMED = 2_000  # rows that are held at once
_GIVEN = func.coalesce(responses.c.answered_at, responses.c.received_at)


class Period(NamedTuple):
    """From `since` on, up to but not including `until`."""

    since: datetime
    until: datetime

    def holds(self, column: Any) -> ColumnElement[bool]:
        return and_(column >= self.since, column < self.until)


class By(NamedTuple):
    """What answers are grouped by.

    `kind` is `nothing`, `source`, `day` (of the answer, UTC), `rules` (a JSON list of what matched,
    shadows too) or `fact`; `path` leads to the fact, such as ("customer", "plan").
    """

    kind: str = "nothing"
    path: tuple[str, ...] = ()


NOTHING = By()


class Counted(NamedTuple):
    """So many answers of one survey with this score; `group` is None where nothing is known, as
    for a person who was erased. `segment` is the one that was stored."""

    survey: str
    group: str | None
    score: int | None
    segment: str | None
    answers: int


def scores(
    connection: Connection, period: Period, by: By = NOTHING, survey: str | None = None
) -> Generator[Counted]:
    """Every answer given in this time, history and erased persons included; one without a time
    counts when it came in. Streamed."""
    group = _group(by, connection.dialect.name)
    # Grouped by its name: its parameters would make two different expressions on PostgreSQL.
    columns = (responses.c.survey, group.label("grouped"), responses.c.score, responses.c.segment)
    statement: Select[Any] = select(*columns, func.count()).where(_given_in(period))
    if by.kind in ("rules", "fact"):
        newest = decisions.c.number == _newest_decision()
        statement = statement.select_from(responses.outerjoin(decisions, newest))
    if survey is not None:
        statement = statement.where(responses.c.survey == survey)
    names = (responses.c.survey, "grouped", responses.c.score, responses.c.segment)
    streaming = connection.execution_options(yield_per=_STREAMED)
    with streaming.execute(statement.group_by(*names)) as found:
        for row in found:
            name = None if row[1] is None else str(row[1])
            yield Counted(row[0], name, row[2], row[3], row[4])


def day_of(column: Any, dialect: str) -> ColumnElement[str]:
    """`2026-11-24`, in UTC."""
    if dialect == "sqlite":
        return func.substr(cast(column, String), 1, 10)
    return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD")


def _given_in(period: Period) -> ColumnElement[bool]:
    untimed = responses.c.answered_at.is_(None)
    return or_(
        period.holds(responses.c.answered_at),
        and_(untimed, period.holds(responses.c.received_at)),
    )


def _newest_decision() -> Any:
    """The number of each response's; looked up one by one, as most times hold few of all."""
    others = decisions.alias()
    mine = others.c.response_id == responses.c.id
    return select(func.max(others.c.number)).where(mine).correlate(responses).scalar_subquery()


def _group(by: By, dialect: str) -> ColumnElement[Any]:
    if by.kind == "source":
        return responses.c.source
    if by.kind == "day":
        return day_of(_GIVEN, dialect)
    if by.kind == "rules":
        return text_at(decisions.c.verdict, ("matches",), dialect)
    if by.kind == "fact":
        return text_at(decisions.c.facts, by.path, dialect)
    return literal(None, Text)


def text_at(document: Any, path: tuple[str, ...], dialect: str) -> ColumnElement[Any]:
    """What stands there: a text as it is, anything else as JSON writes it."""
    if dialect != "sqlite":
        return func.json_extract_path_text(document, *path)
    place = "$" + "".join(f'."{step}"' for step in path)
    said, truth = func.json_extract(document, place), func.json_type(document, place)
    return case((truth.in_(("true", "false")), truth), else_=cast(said, Text))
