"""The stylesheet and scripts: named after what is in them, so that browsers may keep them for ever.

https://web.dev/articles/http-cache#versioned-urls
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

_FOR_EVER = "public, max-age=31536000, immutable"
_SERVED = (".css", ".js", ".svg", ".txt")


class _File(NamedTuple):
    plain: bytes
    packed: bytes
    media_type: str


@functools.cache
def static_files() -> StaticFiles:
    """All of this process: there are few."""
    return StaticFiles()


class StaticFiles:
    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._paths: dict[str, str] = {}
        for found in sorted(files("connector.web").joinpath("static").iterdir(), key=str):
            if found.is_file() and found.name.endswith(_SERVED):
                self._take(found.name, found.read_bytes())

    def _take(self, name: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()[:12]
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        packed = gzip.compress(content, mtime=0)
        self._files[f"{digest}/{name}"] = _File(content, packed, media_type)
        self._paths[name] = f"/static/{digest}/{name}"

    def path(self, name: str) -> str:
        """For a template: `static("app.css")`."""
        return self._paths[name]

    def route(self) -> Route:
        return Route("/static/{name:path}", self._serve, methods=["GET"])

    async def _serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            return PlainTextResponse("not found\n", 404)
        headers = {
            "Cache-Control": _FOR_EVER,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(file.packed, headers=headers, media_type=file.media_type)
        return Response(file.plain, headers=headers, media_type=file.media_type)
