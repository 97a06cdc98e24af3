"""Loop: how well the loop is closed, from the answer to the last word."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from connector.reports import loop_telling
from connector.reports.grouping import case_grouping
from connector.reports.loop import Question, report
from connector.reports.nps import TooManyGroups
from connector.store.counting import Period

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from connector.web.frame import Frame

TITLE, PATH = "Loop", "/loop"
WEEKS = ("4", "13", "26", "52")
GROUPS = ("team", "owner", "rule", "survey", "source")
_USUAL_WEEKS, _USUAL_GROUP = "13", "team"


def routes(frame: Frame) -> list[Route]:
    def loop(request: Request) -> Response:
        settings, asked = frame.workspace.settings, request.query_params
        weeks, by = asked.get("weeks") or _USUAL_WEEKS, asked.get("by") or _USUAL_GROUP
        survey = asked.get("survey") or None
        known = weeks in WEEKS and by in GROUPS
        if not known or (survey is not None and survey not in settings.surveys):
            raise HTTPException(404)
        now = frame.clock()
        period = Period(now - timedelta(weeks=int(weeks)), now)
        question = Question(period, case_grouping(by, settings.vocabulary()), survey)
        with frame.workspace.store.read(snapshot=True) as connection:
            try:
                found = report(connection, question, now, group_clocks=False)
            except TooManyGroups as error:
                raise HTTPException(400, str(error)) from error
        return frame.page(
            request,
            "loop.html",
            told=loop_telling.told(found, question, now),
            chosen={"weeks": weeks, "by": by, "survey": survey or ""},
            choices={"weeks": WEEKS, "by": GROUPS, "survey": tuple(settings.surveys)},
            percent=loop_telling.percent,
            duration=loop_telling.duration,
        )

    return [Route(PATH, frame.viewer(loop), methods=["GET"])]
