"""Today: who waits for a person now, and whether everything runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from starlette.routing import Route

from connector.reports.coverage import Coverage, cover
from connector.reports.today import today
from connector.store.counting import Period
from connector.web.lately import Lately

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from connector.web.frame import Frame

TITLE, PATH = "Today", "/today"
COVERED = timedelta(days=1)
_WAIT_SECONDS = 0.2  # for the count of this moment; else an earlier one is shown


class Covered(NamedTuple):
    coverage: Coverage
    at: datetime


def routes(frame: Frame) -> list[Route]:
    workspace = frame.workspace

    def covered() -> Covered:
        now = frame.clock()
        with workspace.store.read() as connection:
            return Covered(cover(connection, Period(now - COVERED, now), now), now)

    lately = Lately("coverage", covered, _WAIT_SECONDS)

    def show(request: Request) -> Response:
        accounts = workspace.accounts
        with workspace.store.read() as connection:
            found = today(connection, workspace.settings, accounts, frame.clock())
        part = "parts/today.html" if "hx-request" in request.headers else "today.html"
        still = request.query_params.get("still") == "1"
        return frame.page(request, part, today=found, covered=lately.value(), still=still)

    return [Route(PATH, frame.viewer(show), methods=["GET"])]
