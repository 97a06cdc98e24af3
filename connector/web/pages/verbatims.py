"""Verbatims: what people said, as it comes in, and found again by words and marks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from connector.reports.verbatims import Wanted, page
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
        Route(f"{PATH}/list", frame.viewer(pages.newest), methods=["GET"]),
    ]


class _Verbatims:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def show(self, request: Request) -> Response:
        wanted, before = _wanted(request), parameters.number(request.query_params, "before")
        since = (self._frame.clock() - _TOPICS_OF).date().isoformat()
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
            addresses=_addresses(wanted, found.before, found.seq),
        )

    def newest(self, request: Request) -> Response:
        """The list again where something has changed since `seen`; else nothing, so that the page
        stays as it is."""
        wanted, seen = _wanted(request), parameters.number(request.query_params, "seen")
        with self._frame.workspace.store.read() as connection:
            if verbatims.newest_seq(connection) == seen:
                return Response(status_code=204)
            found = page(connection, wanted)
        return self._frame.page(
            request,
            "parts/verbatims.html",
            found=found,
            wanted=wanted,
            before=None,
            addresses=_addresses(wanted, found.before, found.seq),
        )


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    score = parameters.number(query, "score")
    told = {name: parameters.text(query, name) for name in Wanted._fields if name != "score"}
    return Wanted(**told, score="" if score is None else str(score))


def _addresses(wanted: Wanted, before: int | None, seq: int) -> dict[str, str]:
    chosen = wanted._asdict()
    return {
        "first": parameters.address(PATH, **chosen),
        "older": parameters.address(PATH, **chosen, before=before) if before else "",
        "poll": parameters.address(f"{PATH}/list", **chosen, seen=seq),
    }
