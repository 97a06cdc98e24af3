"""What all pages share: the frame around them, who may see them, the threads they run in."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connector.store.database import StoreDown
from connector.store.deadlines import TooSlow, at_most
from connector.web import wording
from connector.web.gate import FORM_FIELD, Gate
from connector.web.parameters import make_storable
from connector.web.safety import place_here, protect, read_form
from connector.web.static_files import static_files
from connector.web.threads import Busy, Threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from starlette.requests import Request

    from connector.access.visitors import Visitor
    from connector.domain import Role
    from connector.workspace import Workspace

    Endpoint = Callable[[Request], Response]
    Served = Callable[[Request], Awaitable[Response]]

log = logging.getLogger(__name__)
_DOOR_THREADS = 2
_MOST_SECONDS = 10.0  # of the database, for one page

_MESSAGES = {
    403: ("Not allowed", "Your role does not allow this. An administrator can change it."),
    404: ("Not found", "There is no such page."),
    500: ("A mistake of ours", "This page failed. The log says where; please report it."),
    503: ("Not now", "The database does not answer. Webhooks are refused too, and come again."),
}
_TOO_SLOW = "This takes the database too long. Choose less time, or a narrower filter."
_FORGED = "This form is too old, or another site has sent it. Go back, reload, and try again."


@functools.cache
def templates() -> Environment:
    """All of this process."""
    made = Environment(
        loader=PackageLoader("connector.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(wording.FILTERS)
    made.globals["static"] = static_files().path
    return made


class Frame:
    """`navigation`: (title, path) of every page there is."""

    def __init__(
        self,
        workspace: Workspace,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        navigation: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.workspace = workspace
        self.clock = clock
        self.gate = Gate(workspace)
        self.static = static_files()
        self.navigation = tuple(navigation)
        self.home = self.navigation[0][1] if self.navigation else "/sign-in"
        self.guarded: dict[Served, Role | None] = {}  # every endpoint and whom it is for
        self._threads = Threads()
        self._door = Threads(_DOOR_THREADS)  # strangers must not keep people waiting

    def page(
        self, request: Request, template: str, /, status: int = 200, **context: Any
    ) -> Response:
        """`template` rendered; all of them see `visitor`, `now`, `path` and `form_token`."""
        visitor = visitor_of(request)
        known = {
            "visitor": visitor,
            "form_field": FORM_FIELD,
            "form_token": visitor.form_token if visitor is not None else "",
            "navigation": self.navigation if visitor else (),
            "path": request.url.path,
            "now": self.clock(),
            "by_proxy": self.gate.by_proxy,
        }
        text = templates().get_template(template).render(**known | context)
        return HTMLResponse(text, status)

    def message(self, request: Request, status: int, text: str = "", title: str = "") -> Response:
        """A page that says why there is no page."""
        usual = _MESSAGES.get(status, ("Refused", "This cannot be done."))
        said = {"heading": title or usual[0], "text": text or usual[1]}
        return self.page(request, "message.html", status, **said)

    def form(self, request: Request) -> dict[str, str]:
        """The fields of the POST."""
        fields: dict[str, str] = request.state.form
        return fields

    def visitor(self, request: Request) -> Visitor:
        """Who asks, in an endpoint that is guarded."""
        visitor = visitor_of(request)
        if visitor is None:
            raise LookupError("only for guarded endpoints")
        return visitor

    def viewer(self, endpoint: Endpoint) -> Served:
        return self._served(endpoint, "viewer")

    def operator(self, endpoint: Endpoint) -> Served:
        return self._served(endpoint, "operator")

    def admin(self, endpoint: Endpoint) -> Served:
        return self._served(endpoint, "admin")

    def everybody(self, endpoint: Endpoint) -> Served:
        """For signing in alone: a POST has to check its form by itself."""
        return self._served(endpoint, None)

    def _served(self, endpoint: Endpoint, needed: Role | None) -> Served:
        threads = self._threads if needed else self._door

        async def served(request: Request) -> Response:
            request.state.visitor = None
            try:
                make_storable(request)
                request.state.form = await read_form(request)
                answer = functools.partial(self._answer, request, endpoint, needed)
                response = await threads.run(answer)
            except HTTPException as error:
                response = self.message(request, error.status_code, error.detail)
            except Busy:
                response = self.message(request, 503, "Too many pages are asked for at once.")
                response.headers["Retry-After"] = "2"
            return protect(response)

        self.guarded[served] = needed
        return served

    def _answer(self, request: Request, endpoint: Endpoint, needed: Role | None) -> Response:
        """In a thread of the pages."""
        try:
            with at_most(_MOST_SECONDS):
                response = self._admit(request, needed) or endpoint(request)
        except TooSlow:
            log.warning("a page took the database too long and was stopped")
            response = self.message(request, 503, _TOO_SLOW, "Too much at once")
        except StoreDown:
            response = self.message(request, 503)
        except HTTPException as error:
            response = self.message(request, error.status_code, error.detail)
        except Exception as error:
            log.exception("a page failed (%s)", type(error).__name__)
            response = self.message(request, 500)
        self.gate.remember(request, response)
        return response

    def _admit(self, request: Request, needed: Role | None) -> Response | None:
        """The answer to whoever may not; None for who may."""
        visitor = self.gate.visitor(request, self.clock())
        request.state.visitor = visitor
        if needed is None:
            return None
        if visitor is None:
            return self._stranger(request)
        if not visitor.may(needed):
            return self.message(
                request, 403, f"This needs the role {needed}; you are {visitor.role}."
            )
        changes = request.method not in ("GET", "HEAD")
        form = request.state.form
        if changes and self.gate.forgery(request, form, visitor.secret, visitor.name):
            return self.message(request, 403, _FORGED)
        return None

    def _stranger(self, request: Request) -> Response:
        if self.gate.by_proxy:
            text = (
                "The proxy before this server has to sign you in; it has named nobody, no role, or"
            )
            return self.message(
                request, 403, f"{text} one that does not exist. See docs/operating.md."
            )
        if "hx-request" in request.headers:  # a page that refreshes itself: all of it has to go
            return Response(status_code=401, headers={"HX-Refresh": "true"})
        if request.method not in ("GET", "HEAD"):
            return RedirectResponse("/sign-in", 303)
        query = f"?{request.url.query}" if request.url.query else ""
        wanted = place_here(request.url.path + query, self.home)
        return RedirectResponse(f"/sign-in?next={quote(wanted, safe='/')}", 303)


def visitor_of(request: Request) -> Visitor | None:
    found: Visitor | None = getattr(request.state, "visitor", None)
    return found
