"""Today: who waits for a person now, and whether everything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from connector.web.frame import Frame

TITLE, PATH = "Today", "/today"


def routes(frame: Frame) -> list[Route]:
    def today(request: Request) -> Response:
        return frame.page(request, "today.html")

    return [Route(PATH, frame.viewer(today), methods=["GET"])]
