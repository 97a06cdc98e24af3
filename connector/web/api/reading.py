"""What each path of the API answers, read from the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from connector.reports import coverage, running, telling
from connector.reports.grouping import grouping
from connector.reports.nps import Question, TooManyGroups, report
from connector.store import browsing, deliveries, paging
from connector.web import parameters
from connector.web.api import asking, cursors, models
from connector.web.api.errors import NotFound, Wrong

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.workspace import Workspace

T = TypeVar("T")


class Reading:
    """One request: a connection, a workspace, a moment."""

    def __init__(self, connection: Connection, workspace: Workspace, now: datetime) -> None:
        self.connection, self.workspace, self.now = connection, workspace, now

    def responses(self, query: asking.Responses) -> models.Page[models.Response]:
        equal = query.model_dump(
            include={"source", "survey", "segment", "customer_id"}, exclude_none=True
        )
        after = cursors.moment_of(query.after)
        found = paging.responses_before(
            self.connection, equal, query.limit, query.since, query.until, after
        )
        return _page(found, _response)

    def response(self, id: str) -> models.Response:
        row = paging.response(self.connection, id)
        if row is None:
            raise NotFound("there is no such response")
        return _response(row)

    def cases(self, query: asking.Cases) -> models.Page[models.Case]:
        equal = query.model_dump(include={"state", "sink", "segment"}, exclude_none=True)
        after = cursors.number_of(query.after)
        key = (after,) if after is not None else None
        found = paging.cases_before(self.connection, equal, query.untouched, query.limit, key)
        return _page(found, _case)

    def actions(self, query: asking.Actions) -> models.Page[models.Action]:
        asked = query.model_dump(exclude={"limit", "after", "customer_id"})
        chosen = deliveries.Filter(**asked, customer=query.customer_id)
        sinks = browsing.all_sinks(self.connection, self.workspace.settings.sinks)
        before = cursors.number_of(query.after)
        page = deliveries.page(self.connection, chosen, sinks, before, query.limit)
        further = cursors.wrap(page.scanned_to) if page.scanned_to is not None else None
        return models.Page(items=[_action(row) for row in page.rows], next=further)

    def action(self, id: str) -> models.Action:
        row = deliveries.one(self.connection, parameters.whole(id) or 0)
        if row is None:
            raise NotFound("there is no such action")
        return _action(row)

    def alarms(self, query: asking.Alarms) -> models.Page[models.Alarm]:
        after = cursors.number_of(query.after)
        key = (after,) if after is not None else None
        found = paging.alarms_before(self.connection, query.open == "all", query.limit, key)
        return _page(found, _alarm)

    def nps(self, query: asking.Nps) -> models.Nps:
        settings = self.workspace.settings
        if query.survey is not None and query.survey not in settings.surveys:
            raise Wrong(f"survey: there are: {', '.join(settings.surveys)}")
        try:
            groups = grouping(query.by, self.workspace.vocabulary)
            question = Question(query.period(self.now), groups, query.survey, query.min_n)
            blocks = report(self.connection, settings.surveys, question)
        except (ValueError, TooManyGroups) as error:
            raise Wrong(f"by: {error}") from error
        return models.Nps.model_validate(telling.told(blocks, question))

    def coverage(self, query: asking.Coverage) -> models.Coverage:
        period = query.period(self.now)
        found = coverage.cover(self.connection, period, self.now)
        return models.Coverage.model_validate(coverage.plain(found, period))

    def health(self, _query: asking.Nothing) -> models.Health:
        settings, accounts = self.workspace.settings, self.workspace.accounts
        heard = running.sources(self.connection, settings, self.now)
        sinks = running.sinks(self.connection, settings, accounts, self.now)
        return models.Health(
            sources=[
                models.Source.model_validate(one.model_dump(exclude={"expect_every"}))
                for one in heard
            ],
            sinks=[
                models.Sink(
                    **one.model_dump(exclude={"window", "heard_at"}),
                    window_seconds=one.window.total_seconds() if one.window else None,
                )
                for one in sinks
            ],
        )


def _page(found: paging.Page, told: Callable[[Any], T]) -> models.Page[T]:
    further = cursors.wrap(*found.further) if found.further is not None else None
    return models.Page(items=[told(row) for row in found.rows], next=further)


def _response(row: Any) -> models.Response:
    content = row.content or {}
    return models.Response(
        **_same(row, models.Response, leave_out={"comment", "language", "respondent"}),
        comment=str(content.get("comment") or ""),
        language=content.get("language"),
        respondent=models.Person.model_validate(content.get("respondent") or {}),
        tags=list(content.get("tags") or ()),
        properties=content.get("properties") or {},
    )


def _case(row: Any) -> models.Case:
    names = {"action": row.action_id, "response": row.response_id, "rule": row.rule_id}
    return models.Case(**_same(row, models.Case), **names)


def _action(row: Any) -> models.Action:
    names = {"response": row.response_id, "rule": row.rule_id}
    return models.Action(**_same(row, models.Action), **names)


def _alarm(row: Any) -> models.Alarm:
    return models.Alarm(**_same(row, models.Alarm))


def _same(row: Any, model: type[Any], leave_out: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    """The columns that have the name of a field."""
    names = model.model_fields.keys() & row._mapping.keys()
    return {name: row._mapping[name] for name in names - leave_out}
