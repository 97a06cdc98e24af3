"""The receiver: a webhook is verified, made durable, and answered 202; then a bell is rung.

Starlette on uvicorn. Checking a signature takes less than handing it to a thread would.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from connector.intake import verified
from connector.store.database import StoreDown
from connector.web import health, news, unsubscribing
from connector.web.bodies import body_of
from connector.web.door import Door

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.workspace import Workspace

log = logging.getLogger(__name__)

_WORDS = {202: "stored", 401: "the signature does not match", 503: "try again later"}
_AT_ONCE_BYTES = 32 * 1024  # a larger body is checked in a thread: others must not wait for it


def application(
    workspace: Workspace,
    arrived: Callable[[], None],
    changed: Callable[[str], None],
    broker: health.Probe | None = None,
) -> Starlette:
    """The ASGI application. `arrived` is called after a webhook became durable, `changed` with a
    sink after news of its cases did.

    `broker` says what is wrong with the broker, where one is needed.
    """
    return Starlette(routes=routes(workspace, arrived, changed, broker))


def routes(
    workspace: Workspace,
    arrived: Callable[[], None],
    changed: Callable[[str], None],
    broker: health.Probe | None = None,
) -> list[BaseRoute]:
    """The same, for a server that has more beside them; webhooks are looked up first."""
    receiver = _Receiver(workspace, arrived)
    return [
        Route("/hooks/{source}", receiver.webhook, methods=["POST"]),
        *unsubscribing.routes(workspace),
        *news.routes(workspace, changed),
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
            body = await body_of(request, self.most)
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
