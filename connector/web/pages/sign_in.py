"""Signing in and out."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.access.signing_in import cleaned_name, sign_in, sign_out
from connector.access.visitors import form_token
from connector.store import users
from connector.text import one_line
from connector.web.frame import visitor_of
from connector.web.peers import client_address, network_of
from connector.web.safety import place_here

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.web.frame import Frame

log = logging.getLogger(__name__)
_FORM = "sign-in"  # what the form's token is bound to, beside the browser
_WRONG = "The name or the password is wrong."
_OLD = "This form was too old. Please try again."


def routes(frame: Frame) -> list[Route]:
    if frame.gate.by_proxy:
        return []
    pages = _SignIn(frame)
    return [
        Route("/sign-in", frame.everybody(pages.show), methods=["GET"]),
        Route("/sign-in", frame.everybody(pages.enter), methods=["POST"]),
        Route("/sign-out", frame.viewer(pages.leave), methods=["POST"]),
    ]


class _SignIn:
    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def show(self, request: Request) -> Response:
        wanted = place_here(request.query_params.get("next", ""), self.frame.home)
        if visitor_of(request) is not None:
            return RedirectResponse(wanted, 303)
        return self._page(request, wanted)

    def enter(self, request: Request) -> Response:
        frame, form = self.frame, self.frame.form(request)
        wanted = place_here(form.get("next", ""), frame.home)
        name = form.get("name", "")
        if frame.gate.forgery(request, form, frame.gate.form_secret(request), _FORM):
            return self._page(request, wanted, _OLD, name, 403)
        settings, now = frame.gate.settings, frame.clock()
        address = network_of(client_address(request, settings.trusted_proxies))
        lasts = timedelta(hours=settings.session_hours)
        store = frame.workspace.store
        done = sign_in(store, name, form.get("password", ""), address, lasts, now)
        if done.again_at is not None:
            log.warning("sign-in from %s: tried too often", one_line(address))
            return self._too_often(request, wanted, name, done.again_at, now)
        if not done.token:
            log.warning("sign-in from %s: the name or the password was wrong", one_line(address))
            return self._page(request, wanted, _WRONG, name, 401)
        response = RedirectResponse(wanted, 303)
        frame.gate.begin(response, done.token)
        return response

    def leave(self, request: Request) -> Response:
        gate, visitor = self.frame.gate, self.frame.visitor(request)
        token = gate.session_token(request)
        sign_out(self.frame.workspace.store, token, visitor.name, self.frame.clock())
        response = RedirectResponse("/sign-in", 303)
        gate.end(response)
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    def _too_often(
        self, request: Request, wanted: str, name: str, again_at: datetime, now: datetime
    ) -> Response:
        minutes = max(1, -(-int((again_at - now).total_seconds()) // 60))
        said = f"Too many attempts. Try again in {minutes} min."
        response = self._page(request, wanted, said, name, 429)
        response.headers["Retry-After"] = str(minutes * 60)
        return response

    def _page(
        self, request: Request, wanted: str, wrong: str = "", name: str = "", status: int = 200
    ) -> Response:
        with self.frame.workspace.store.read() as connection:
            nobody = users.is_empty(connection)
        return self.frame.page(
            request,
            "sign_in.html",
            status,
            wanted=wanted,
            wrong=wrong,
            name=cleaned_name(name),
            nobody=nobody,
            form_token=form_token(self.frame.gate.form_secret(request), _FORM),
        )
