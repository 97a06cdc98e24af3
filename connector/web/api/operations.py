"""The paths of the API: what each may be asked, what it answers, and in which words."""

from __future__ import annotations

from typing import Any, NamedTuple

from connector.domain import Value
from connector.web.api import asking, models
from connector.web.api.reading import Reading

VERSION = "v1"
ROOT = f"/api/{VERSION}"


class Operation(NamedTuple):
    """`name` is a method of Reading; one whose path has `{id}` is called with that."""

    name: str
    path: str
    summary: str
    query: type[asking.Query]
    answer: type[Value]

    @property
    def has_id(self) -> bool:
        return "{id}" in self.path

    def call(self, reading: Reading, query: asking.Query, id: str) -> Value:
        method: Any = getattr(reading, self.name)
        found: Value = method(id) if self.has_id else method(query)
        return found


OPERATIONS = (
    Operation(
        "responses",
        "/responses",
        "Answers, the newest first",
        asking.Responses,
        models.Page[models.Response],
    ),
    Operation("response", "/responses/{id}", "One answer", asking.Nothing, models.Response),
    Operation(
        "cases",
        "/cases",
        "Tickets and tasks that a person has to close",
        asking.Cases,
        models.Page[models.Case],
    ),
    Operation(
        "actions",
        "/actions",
        "What was made or will be, and why not",
        asking.Actions,
        models.Page[models.Action],
    ),
    Operation("action", "/actions/{id}", "One action", asking.Nothing, models.Action),
    Operation(
        "alarms", "/alarms", "What a person has to know", asking.Alarms, models.Page[models.Alarm]
    ),
    Operation("nps", "/reports/nps", "NPS with its interval", asking.Nps, models.Nps),
    Operation(
        "coverage",
        "/reports/coverage",
        "Received = decided = delivered = confirmed, with every gap",
        asking.Coverage,
        models.Coverage,
    ),
    Operation(
        "health", "/health", "How each source and sink stands", asking.Nothing, models.Health
    ),
)
