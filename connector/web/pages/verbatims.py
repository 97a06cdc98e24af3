"""Verbatims: what people said, as it comes in, and found again by words and marks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from connector.reports.verbatims import MOST_NEWS, Page, Wanted, news, page
from connector.store import stories, verbatims
from connector.web import parameters

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.web.frame import Frame

TITLE, PATH = "Verbatims", "/verbatims"
SEGMENTS = ("detractor", "passive", "promoter")
_TOPICS_OF = timedelta(days=90)


def routes(frame: Frame) -> list[Route]:
    pages = _Verbatims(frame)
    return [
        Route(PATH, frame.viewer(pages.show), methods=["GET"]),
        Route(f"{PATH}/news", frame.viewer(pages.news), methods=["GET"]),
    ]


class _Verbatims:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def show(self, request: Request) -> Response:
        wanted, before = _wanted(request), parameters.number(request.query_params, "before")
        since = (self._frame.clock() - _TOPICS_OF).date()
        with self._frame.workspace.store.read() as connection:
            found = page(connection, wanted, before)
            choices = verbatims.choices(connection, since)
            who = stories.customer(connection, wanted.customer) if wanted.customer else None
        return self._frame.page(
            request,
            "verbatims.html",
            found=found,
            wanted=wanted,
            before=before,
            who=who,
            choices=choices,
            segments=SEGMENTS,
            surveys=self._frame.workspace.settings.surveys,
            addresses=_addresses(wanted, before, found),
        )

    def news(self, request: Request) -> Response:
        """How many are new since `seen`, where that is another number than was `told`; else
        nothing, so that nothing is said again. Only where somebody was erased is the list replaced:
        who reads keeps their place, and what they have selected."""
        query = request.query_params
        wanted, before = _wanted(request), parameters.number(query, "before")
        seen, told, said = (
            parameters.number(query, name) or 0 for name in ("seen", "told", "said")
        )
        with self._frame.workspace.store.read() as connection:
            if verbatims.newest_seq(connection) == told:
                return Response(status_code=204)
            since = news(connection, wanted, seen, told)
            found = page(connection, wanted, before) if since.erased else None
        if found is not None:
            addresses = _addresses(wanted, before, found)
            response = self._frame.page(
                request,
                "parts/verbatims_again.html",
                found=found,
                wanted=wanted,
                before=before,
                addresses=addresses,
            )
            response.headers["HX-Retarget"] = "#verbatims"
            response.headers["HX-Reswap"] = "outerHTML"
            return response
        return self._frame.page(
            request,
            "parts/news.html",
            number=since.number,
            said=said,
            most=MOST_NEWS,
            first=_first(wanted),
            poll=_poll(wanted, before, seen, since.seq, since.number),
        )


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    score = parameters.number(query, "score")
    told = {name: parameters.text(query, name) for name in Wanted._fields if name != "score"}
    return Wanted(**told, score="" if score is None else str(score))


def _addresses(wanted: Wanted, before: int | None, found: Page) -> dict[str, str]:
    older = parameters.address(PATH, **wanted._asdict(), before=found.before)
    return {
        "first": _first(wanted),
        "older": older if found.before else "",
        "poll": _poll(wanted, before, found.seq, found.seq, 0),
    }


def _first(wanted: Wanted) -> str:
    return parameters.address(PATH, **wanted._asdict())


def _poll(wanted: Wanted, before: int | None, seen: int, told: int, said: int) -> str:
    """Where it is asked what is new since `seen`: it was told up to `told`, that so many are."""
    chosen = wanted._asdict() | {"before": before, "seen": seen, "told": told, "said": said}
    return parameters.address(f"{PATH}/news", **chosen)
