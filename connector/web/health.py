"""For whoever watches: does it live, can it work, how is it going.

`/healthz` says that the process answers. `/readyz` says whether everything is as it should be, with
reasons; `?exclude=broker&exclude=schema` leaves these out, for a load balancer: answers are taken
in without a broker, and while another version has migrated the database already. `/metrics` is for
Prometheus.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector.store.database import StoreDown, ping
from connector.store.schema import is_current

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.workspace import Workspace

Probe = Callable[[], str]  # what is wrong; empty where nothing is


def routes(workspace: Workspace, broker: Probe | None = None) -> list[Route]:
    """`broker` is None where none is needed."""
    health = _Health(workspace, broker)
    return [
        Route("/healthz", health.alive, methods=["GET"]),
        Route("/readyz", health.ready, methods=["GET"]),
        Route("/metrics", health.metrics, methods=["GET"]),
    ]


class _Health:
    def __init__(self, workspace: Workspace, broker: Probe | None) -> None:
        self._probes: dict[str, Probe] = {
            "database": lambda: _database(workspace),
            "schema": lambda: _schema(workspace),
        }
        if broker is not None:
            self._probes["broker"] = broker
        self._workspace = workspace
        self._render: Callable[[], bytes] | None = None

    async def alive(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        left_out = request.query_params.getlist("exclude")
        asked = {name: probe for name, probe in self._probes.items() if name not in left_out}
        reasons = {}
        for name, probe in asked.items():
            wrong = await run_in_threadpool(probe)
            if wrong:
                reasons[name] = wrong
        if reasons:
            return JSONResponse({"ready": False, "reasons": reasons}, 503)
        return JSONResponse({"ready": True})

    async def metrics(self, _request: Request) -> Response:
        text = await run_in_threadpool(self._metrics)
        from connector.web.metrics import CONTENT_TYPE

        return Response(text, media_type=CONTENT_TYPE)

    def _metrics(self) -> bytes:
        if self._render is None:
            from connector.web.metrics import renderer  # only where somebody asks

            self._render = renderer(self._workspace, lambda: datetime.now(UTC))
        return self._render()


def _database(workspace: Workspace) -> str:
    try:
        ping(workspace.store)
    except StoreDown as error:
        return str(error)
    return ""


def _schema(workspace: Workspace) -> str:
    try:
        if is_current(workspace.store):
            return ""
    except StoreDown:
        return ""  # the database is down, and that is told already
    return "made by another version of the connector; start the same version everywhere"
