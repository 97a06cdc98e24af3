"""Customers, found by name or address; one of them, or one answer, and all that happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from connector.reports.explained import explained
from connector.reports.stories import FOUND, Story, customer_story, response_story, search
from connector.rules.explain import GroupReport
from connector.web import parameters

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from connector.web.frame import Frame

TITLE, PATH = "Customers", "/customers"
_GONE = "Nothing is known about this customer: they were erased, or the address is not right."


def routes(frame: Frame) -> list[Route]:
    pages = _Customers(frame)
    return [
        Route(PATH, frame.viewer(pages.find), methods=["GET"]),
        Route(f"{PATH}/{{id}}", frame.viewer(pages.customer), methods=["GET"]),
        Route("/responses/{id}", frame.viewer(pages.response), methods=["GET"]),
        Route("/decisions/{number:int}", frame.viewer(pages.decision), methods=["GET"]),
    ]


class _Customers:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def find(self, request: Request) -> Response:
        typed = parameters.text(request.query_params, "q")
        found = []
        if typed:
            with self._frame.workspace.store.read() as connection:
                found = search(connection, typed)
        return self._frame.page(
            request, "customers.html", typed=typed, found=found, most=len(found) >= FOUND
        )

    def customer(self, request: Request) -> Response:
        with self._frame.workspace.store.read() as connection:
            story = customer_story(connection, request.path_params["id"])
        if story is None or story.person is None:
            raise HTTPException(404, _GONE)
        heading = story.person.name or next((v for _, v in story.person.keys), "Customer")
        return self._story(request, story, heading, "")

    def response(self, request: Request) -> Response:
        id = request.path_params["id"]
        with self._frame.workspace.store.read() as connection:
            story = response_story(connection, id)
        if story is None:
            raise HTTPException(404, "There is no such answer.")
        return self._story(request, story, "One answer", id)

    def _story(self, request: Request, story: Story, heading: str, response: str) -> Response:
        return self._frame.page(
            request, "customer.html", story=story, heading=heading, response=response
        )

    def decision(self, request: Request) -> Response:
        number = request.path_params["number"]
        vocabulary = self._frame.workspace.vocabulary
        with self._frame.workspace.store.read() as connection:
            found = explained(connection, vocabulary, number)
        if found is None:
            raise HTTPException(404, "There is no such decision.")
        return self._frame.page(request, "decision.html", found=found, is_group=_is_group)


def _is_group(report: object) -> bool:
    return isinstance(report, GroupReport)
