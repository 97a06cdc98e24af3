"""Who sends a request, by their session or by a trusted proxy; and whether a form is theirs."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from connector.access import signing_in
from connector.access.visitors import Visitor, is_form_token
from connector.domain import ROLES, Role
from connector.text import one_line
from connector.web.peers import is_trusted, peer
from connector.web.safety import comes_from_here

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from connector.workspace import Workspace

FORM_FIELD = "form_token"


class Gate:
    def __init__(self, workspace: Workspace) -> None:
        settings = workspace.settings
        self.store = workspace.store
        self.settings = settings.dashboard
        self.public_url = settings.receiver.public_url
        self.secure = self.public_url.startswith("https://")
        prefix = "__Host-" if self.secure else ""  # which no other host of the domain can set
        self._session, self._form = f"{prefix}connector", f"{prefix}connector-form"

    @property
    def by_proxy(self) -> bool:
        return self.settings.sign_in == "proxy"

    def visitor(self, request: Request, now: datetime) -> Visitor | None:
        if self.by_proxy:
            return self._named_by_proxy(request)
        token = self.session_token(request)
        if not token:
            return None
        idle = timedelta(minutes=self.settings.idle_minutes)
        renew = "hx-request" not in request.headers  # a page that refreshes itself is nobody's use
        found = signing_in.visitor_of(self.store, token, now, idle, renew)
        if found is None:
            return None
        return Visitor(name=found[0], role=cast(Role, found[1]), secret=token)

    def _named_by_proxy(self, request: Request) -> Visitor | None:
        if not is_trusted(peer(request), self.settings.trusted_proxies):
            return None
        name = one_line(request.headers.get(self.settings.user_header, ""), 100)
        role: str = self.settings.default_role
        if self.settings.role_header:
            role = request.headers.get(self.settings.role_header, "").strip().casefold()
        if not name or role not in ROLES:
            return None
        return Visitor(name=name, role=role, secret=self.form_secret(request))

    def forgery(self, request: Request, form: Mapping[str, str], secret: str, name: str) -> bool:
        """Was this form made by another site, or for somebody else?"""
        told = form.get(FORM_FIELD) or request.headers.get("x-form-token", "")
        return not (comes_from_here(request, self.public_url) and is_form_token(told, secret, name))

    def session_token(self, request: Request) -> str:
        return request.cookies.get(self._session, "")

    def form_secret(self, request: Request) -> str:
        """Of a browser that has no session: it is set with the first page that has a form."""
        known = request.cookies.get(self._form, "")
        if known:
            return known
        if not hasattr(request.state, "form_secret"):
            request.state.form_secret = secrets.token_urlsafe(32)
        return str(request.state.form_secret)

    def remember(self, request: Request, response: Response) -> None:
        """Give the browser the secret that was made for it, where one was."""
        if made := getattr(request.state, "form_secret", ""):
            self._set(response, self._form, made, None)

    def begin(self, response: Response, token: str) -> None:
        self._set(response, self._session, token, self.settings.session_hours * 3600)

    def end(self, response: Response) -> None:
        for name in (self._session, self._form):
            response.delete_cookie(
                name, path="/", secure=self.secure, httponly=True, samesite="lax"
            )

    def _set(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        response.set_cookie(
            name, value, seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )
