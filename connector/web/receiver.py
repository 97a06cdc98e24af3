"""The receiver: a webhook is verified, made durable, and answered 202; then a bell is rung.

Starlette on uvicorn. Checking a signature takes less than handing it to a thread would.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from connector.intake import verified
from connector.sinks.unsubscribe import address_for
from connector.store import outbox
from connector.store.database import StoreDown
from connector.text import hashed
from connector.web import health
from connector.web.door import Door

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.workspace import Workspace

log = logging.getLogger(__name__)

_WORDS = {202: "stored", 401: "the signature does not match", 503: "try again later"}
_AT_ONCE_BYTES = 32 * 1024  # a larger body is checked in a thread: others must not wait for it
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Unsubscribe</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<body style="font-family: system-ui; max-width: 32rem; margin: 4rem auto; padding: 0 1rem">
<h1>{title}</h1><p>{text}</p>{form}</body></html>"""
_FORM = """<form method="post">
<button style="font-size: 1rem; padding: .5rem 1rem">Unsubscribe</button></form>"""
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def application(
    workspace: Workspace, arrived: Callable[[], None], broker: health.Probe | None = None
) -> Starlette:
    """The ASGI application. `arrived` is called after a webhook became durable.

    `broker` says what is wrong with the broker, where one is needed.
    """
    return Starlette(routes=routes(workspace, arrived, broker))


def routes(
    workspace: Workspace, arrived: Callable[[], None], broker: health.Probe | None = None
) -> list[BaseRoute]:
    """The same, for a server that has more beside them; webhooks are looked up first."""
    receiver = _Receiver(workspace, arrived)
    return [
        Route("/hooks/{source}", receiver.webhook, methods=["POST"]),
        Route("/u/{token}", receiver.unsubscribe_page, methods=["GET"]),
        Route("/u/{token}", receiver.unsubscribe, methods=["POST"]),
        *health.routes(workspace, broker),
    ]


class _Receiver:
    def __init__(self, workspace: Workspace, arrived: Callable[[], None]) -> None:
        self.workspace = workspace
        self.sources = workspace.sources  # made now, not while a sender waits
        self.door = Door(workspace.store, arrived)
        self.most = workspace.settings.receiver.max_body_kb * 1024

    async def webhook(self, request: Request) -> Response:
        source = request.path_params["source"]
        if source not in self.sources:
            return PlainTextResponse("unknown source\n", 404)
        try:
            body = await self._body(request)
        except ClientDisconnect:
            log.warning("a sender hung up within its webhook", extra={"source": source})
            return Response(status_code=400)  # which nobody reads
        if body is None:
            log.warning("webhook larger than max_body_kb refused", extra={"source": source})
            return PlainTextResponse(f"larger than {self.most // 1024} kB\n", 413)
        status = await self._receive(source, dict(request.headers), body)
        if status != 202:
            log.warning("webhook answered with %s", status, extra={"source": source})
        return PlainTextResponse(_WORDS[status] + "\n", status)

    async def _receive(self, source: str, headers: dict[str, str], body: bytes) -> int:
        """As `intake.receive`, together with the webhooks that arrive at the same time."""
        check = (self.workspace, source, headers, body, datetime.now(UTC))
        if len(body) <= _AT_ONCE_BYTES:
            records = verified(*check)
        else:
            records = await run_in_threadpool(verified, *check)
        if records is None:
            return 401
        try:
            await self.door.keep(records)
        except StoreDown:
            return 503
        return 202

    async def _body(self, request: Request) -> bytes | None:
        """The raw bytes, or None as soon as they are too many."""
        announced = request.headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > self.most:
            return None
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self.most:
                return None
            parts.append(part)
        return b"".join(parts)

    async def unsubscribe_page(self, request: Request) -> Response:
        """A page with a button: a GET must not unsubscribe (mail scanners follow links)."""
        if self._address(request) is None:
            return _page("This link is not valid", "Please use the link from the e-mail.", "", 404)
        return _page("Unsubscribe", "You will get no more mails of this kind from us.", _FORM)

    async def unsubscribe(self, request: Request) -> Response:
        """By the button, or one-click by a mail program (RFC 8058): no cookie, no redirect."""
        address = self._address(request)
        if address is None:
            return _page("This link is not valid", "Please use the link from the e-mail.", "", 404)
        now = datetime.now(UTC)
        digest = hashed("address", address)
        try:
            await run_in_threadpool(
                self.workspace.store.write,
                lambda c: outbox.suppress(c, digest, "unsubscribed", now),
            )
        except StoreDown:
            return _page("Not now", "Please try again in a few minutes.", "", 503)
        return _page("Done", "You will get no more mails of this kind from us.", "")

    def _address(self, request: Request) -> str | None:
        """Whose link this is; any mail sink may have signed it."""
        token = request.path_params["token"]
        for sink in self.workspace.settings.sinks.values():
            secret = getattr(sink, "unsubscribe_secret", None)
            if secret is None:
                continue
            address = address_for(token, secret.get_secret_value())
            if address is not None:
                return address
        return None


def _page(title: str, text: str, form: str, status: int = 200) -> Response:
    body = _PAGE.format(title=html.escape(title), text=html.escape(text), form=form)
    return HTMLResponse(body, status, headers=_SAFE)
