"""Serving the API: tokens, queries, answers and errors as JSON, and the page that describes it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.access.tokens import is_valid
from connector.store.database import StoreDown
from connector.store.deadlines import TooSlow, at_most
from connector.web.api.cursors import BadCursor
from connector.web.api.document import document
from connector.web.api.errors import NotFound, Wrong
from connector.web.api.operations import OPERATIONS, ROOT, Operation
from connector.web.api.reading import Reading
from connector.web.parameters import make_storable
from connector.web.safety import protect
from connector.web.threads import Busy, Threads

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.web.frame import Frame

log = logging.getLogger(__name__)
_ASK = "send a token: Authorization: Bearer TOKEN (connector tokens add NAME makes one)"
PAGE = "/api/"
_MOST_SECONDS = 30.0  # of the database, for one question


def routes(frame: Frame) -> list[Route]:
    api = _Api(frame)
    document_path = f"{ROOT}/openapi.json"
    found = [Route(ROOT + one.path, api.serves(one), methods=["GET"]) for one in OPERATIONS]
    found.append(Route(document_path, api.guarded(api.described), methods=["GET"]))
    found.append(Route(PAGE, frame.viewer(api.page), methods=["GET"]))
    found.append(Route("/api", frame.viewer(_to_page), methods=["GET"]))
    return found


def _to_page(_request: Request) -> Response:
    return RedirectResponse(PAGE, 308)


class _Api:
    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._threads = Threads()  # programs must not keep people waiting

    def serves(self, one: Operation) -> Callable[[Request], Any]:
        return self.guarded(functools.partial(self._answer, one))

    def guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        """For who has a token; the document also for who is signed in."""

        async def served(request: Request) -> Response:
            make_storable(request)
            try:
                response = await self._threads.run(functools.partial(self._safe, answer, request))
            except Busy:
                response = _error(503, "too much is asked at once")
                response.headers["Retry-After"] = "2"
            return protect(response)

        self.frame.guarded[served] = "viewer"
        return served

    def _safe(self, answer: Callable[[Request], Response], request: Request) -> Response:
        now = self.frame.clock()
        try:
            if not self._may(request, now, also_people=answer == self.described):
                return _error(401, _ASK)
            with at_most(_MOST_SECONDS):
                return answer(request)
        except TooSlow:
            return _error(503, "this takes the database too long: ask for less")
        except StoreDown:
            return _error(503, "the database does not answer")
        except NotFound as error:
            return _error(404, str(error))
        except BadCursor:
            return _error(400, "after is no `next` of a page before")
        except Wrong as error:
            return _error(400, "a parameter is wrong", error.details)
        except Exception as error:
            log.exception("the API failed (%s)", type(error).__name__)
            return _error(500, "a mistake of ours; the log says where")

    def _may(self, request: Request, now: datetime, also_people: bool) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() == "bearer":
            return is_valid(self.frame.workspace.store, token.strip(), now)
        return also_people and self.frame.gate.visitor(request, now) is not None

    def _answer(self, one: Operation, request: Request) -> Response:
        query = _asked(one, request)
        with self.frame.workspace.store.read() as connection:
            reading = Reading(connection, self.frame.workspace, self.frame.clock())
            found = one.call(reading, query, request.path_params.get("id", ""))
        return Response(found.model_dump_json(), media_type="application/json")

    def described(self, _request: Request) -> Response:
        return JSONResponse(document())

    def page(self, request: Request) -> Response:
        return self.frame.page(request, "api.html", document=document(), root=ROOT)


def _asked(one: Operation, request: Request) -> Any:
    """Raises Wrong."""
    told = request.query_params
    twice = sorted({name for name in told if len(told.getlist(name)) > 1})
    if twice:
        raise Wrong(*(f"{name}: told twice" for name in twice))
    try:
        return one.query.model_validate(dict(told))
    except ValidationError as error:
        raise Wrong(
            *(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        ) from error


def _error(status: int, text: str, details: list[str] | None = None) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse({"error": text, "details": details or []}, status, headers=headers)
