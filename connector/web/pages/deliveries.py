"""Deliveries: what was made or will be, why not, and what a person decides about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.routing import Route

from connector.reports.delivery import story
from connector.reports.running import sinks
from connector.states import ACTION_STATES
from connector.store import browsing, deliveries
from connector.store.deliveries import Filter
from connector.web import parameters
from connector.web.pages import delivering

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from connector.web.frame import Frame

TITLE, PATH = "Deliveries", "/deliveries"
_LISTED = 50
_FIELDS = ("state", "sink", "kind", "rule", "response", "customer")


def routes(frame: Frame) -> list[Route]:
    pages = _Deliveries(frame)
    return [
        Route(PATH, frame.viewer(pages.list), methods=["GET"]),
        Route(f"{PATH}/accounts", frame.viewer(pages.accounts), methods=["GET"]),
        Route(f"{PATH}/{{action:int}}", frame.viewer(pages.show), methods=["GET"]),
        *delivering.routes(frame, PATH),
    ]


class _Deliveries:
    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.workspace = frame.workspace

    def list(self, request: Request) -> Response:
        asked = {name: parameters.text(request.query_params, name) for name in _FIELDS}
        if asked["state"] not in ("", *ACTION_STATES):
            raise HTTPException(400, f"There are no such states; {', '.join(ACTION_STATES)} exist.")
        before = parameters.number(request.query_params, "before")
        with self.workspace.store.read() as connection:
            sinks = browsing.all_sinks(connection, self.workspace.settings.sinks)
            page = deliveries.page(connection, Filter(**asked), sinks, before, _LISTED)
            held = {}
            if asked["state"] == "held":
                held = deliveries.held_by_source(connection, sinks)
        told = {name: value for name, value in asked.items() if value}
        older = page.scanned_to
        return self.frame.page(
            request,
            "deliveries.html",
            rows=page.rows,
            asked=asked,
            states=ACTION_STATES,
            sinks=sinks,
            held=held,
            older=f"{PATH}?{urlencode({**told, 'before': older})}" if older else "",
            newest=f"{PATH}?{urlencode(told)}" if before is not None else "",
            filtered=bool(told),
            scanned=deliveries.SCANNED,
            said=delivering.said(request),
        )

    def show(self, request: Request) -> Response:
        with self.workspace.store.read() as connection:
            found = story(connection, request.path_params["action"])
        if found is None:
            raise HTTPException(404, "There is no such action.")
        return self.frame.page(
            request, "delivery.html", story=found, row=found.row, said=delivering.said(request)
        )

    def accounts(self, request: Request) -> Response:
        accounts: dict[str, str] = self.workspace.accounts
        with self.workspace.store.read() as connection:
            states = sinks(connection, self.workspace.settings, accounts, self.frame.clock())
        found: dict[str, list[Any]] = {}
        for one in states:
            found.setdefault(one.account, []).append(one)
        return self.frame.page(
            request, "accounts.html", accounts=found, said=delivering.said(request)
        )
