"""Programme: NPS per survey and group with its interval, over weeks, and what people speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from connector.numbers.change import LEAST
from connector.reports import telling
from connector.reports.grouping import SURVEY
from connector.reports.nps import TooManyGroups
from connector.reports.programme import Asked, choices, grouping_of, programme
from connector.web import drawing, parameters

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from connector.web.frame import Frame

TITLE, PATH = "Programme", "/programme"


def routes(frame: Frame) -> list[Route]:
    def show(request: Request) -> Response:
        settings, query = frame.workspace.settings, request.query_params
        days = parameters.days(query, frame.clock())
        by = parameters.text(query, "by") or SURVEY
        survey = parameters.text(query, "survey")
        least = max(parameters.number(query, "min_n") or LEAST, 1)
        try:
            grouping = grouping_of(by, settings.customer_attributes)
            asked = Asked(days.since, days.until, by, survey or None, least)
            with frame.workspace.store.read() as connection:
                found = programme(connection, settings.surveys, grouping, asked)
        except TooManyGroups as error:
            raise HTTPException(400, str(error)) from error
        except ValueError as error:
            raise HTTPException(404, str(error)) from error
        return frame.page(
            request,
            "programme.html",
            asked=asked,
            days=days,
            periods=parameters.periods(),
            choices=choices(settings.customer_attributes),
            surveys=settings.surveys,
            survey=survey,
            found=found,
            drawn={id: drawing.weekly(weeks) for id, weeks in found.weeks.items()},
            bars={
                block["survey"]: drawing.distribution(block["scores"], block["scale"])
                for block in found.told["surveys"]
            },
            points=telling.points,
            too_few=telling.TOO_FEW,
            address=parameters.address,
        )

    return [Route(PATH, frame.viewer(show), methods=["GET"])]
