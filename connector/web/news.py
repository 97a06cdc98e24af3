"""`POST /news/{sink}`: a far side says that a case has changed. It is verified and remembered as a
hint, and the stage that follows looks at the record itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connector import faultpoints
from connector.domain import Note
from connector.errors import Unreadable
from connector.store import following
from connector.store.database import StoreDown
from connector.web.bodies import body_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.workspace import Workspace

log = logging.getLogger(__name__)


def routes(workspace: Workspace, changed: Callable[[str], None]) -> list[Route]:
    """`changed` is called with the sink's id after a hint became durable."""
    news = _News(workspace, changed)
    return [Route("/news/{sink}", news.webhook, methods=["POST"])]


class _News:
    def __init__(self, workspace: Workspace, changed: Callable[[str], None]) -> None:
        self._workspace = workspace
        self._sinks = workspace.notifying
        self._most = workspace.settings.receiver.max_body_kb * 1024
        self._changed = changed

    async def webhook(self, request: Request) -> Response:
        sink = request.path_params["sink"]
        adapter = self._sinks.get(sink)
        if adapter is None:
            return PlainTextResponse("unknown sink, or one that sends no news\n", 404)
        try:
            body = await body_of(request, self._most)
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads
        if body is None:
            return PlainTextResponse(f"larger than {self._most // 1024} kB\n", 413)
        note = Note(door="webhook", body=body, headers=dict(request.headers))
        now = datetime.now(UTC)
        if not adapter.verify(note, now):
            log.warning("news with a wrong signature", extra={"sink": sink})
            return PlainTextResponse("the signature does not match\n", 401)
        try:
            remote_ids = adapter.changed(note)
        except Unreadable as error:
            # Sending it again would not make it clearer, and the net finds what it was about.
            log.warning("news that cannot be read: %s", error, extra={"sink": sink})
            return PlainTextResponse(f"{error}\n", 400)
        if remote_ids:
            keep = self._workspace.store.write
            try:
                await run_in_threadpool(keep, lambda c: following.hint(c, sink, remote_ids, now))
            except StoreDown:
                return PlainTextResponse("try again later\n", 503)
            faultpoints.reach("hinted", sink)
            self._changed(sink)
        return PlainTextResponse("noted\n", 202)
