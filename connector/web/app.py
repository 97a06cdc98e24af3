"""The whole web server: the receiver first, and beside it the pages and the read API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from connector.web import receiver
from connector.web.api import routes as api
from connector.web.frame import Frame
from connector.web.pages import PAGES, sign_in

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.web import health
    from connector.workspace import Workspace


def _utc_now() -> datetime:
    return datetime.now(UTC)


def application(
    workspace: Workspace,
    arrived: Callable[[], None],
    changed: Callable[[str], None],
    broker: health.Probe | None = None,
    clock: Callable[[], datetime] = _utc_now,
) -> Starlette:
    """As `receiver.application`, and what `dashboard:` in connector.yaml says."""
    routes = receiver.routes(workspace, arrived, changed, broker)
    if workspace.settings.dashboard.enabled:
        routes += page_routes(workspace, clock)
    return Starlette(routes=routes)


def page_routes(workspace: Workspace, clock: Callable[[], datetime] = _utc_now) -> list[Route]:
    modules: list[Any] = [import_module(f"connector.web.pages.{name}") for name in PAGES]
    frame = Frame(workspace, clock, [(module.TITLE, module.PATH) for module in modules])
    parts: list[Any] = [sign_in, *modules, api]
    guarded = [route for part in parts for route in part.routes(frame)]
    for route in guarded:
        if route.endpoint not in frame.guarded:
            raise TypeError(f"{route.path} says not whom it is for: wrap it, frame.viewer(...)")

    async def home(_request: Request) -> Response:
        return RedirectResponse(frame.home, 303)

    async def robots(_request: Request) -> Response:
        return PlainTextResponse("User-agent: *\nDisallow: /\n")

    return [
        *guarded,
        frame.static.route(),
        Route("/", home, methods=["GET"]),
        Route("/robots.txt", robots, methods=["GET"]),
    ]
