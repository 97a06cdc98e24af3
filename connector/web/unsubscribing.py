"""The page behind the unsubscribe link of a mail, for people and for mail programs.

One click (RFC 8058): a POST without cookies or a redirect. A GET changes nothing, because mail
scanners follow links.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connector.sinks.unsubscribe import Link, read_token
from connector.store import suppressions
from connector.store.database import StoreDown
from connector.text import hashed
from connector.web.unsubscribe_words import Words, chosen

if TYPE_CHECKING:
    from starlette.requests import Request

    from connector.workspace import Workspace

_PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<body style="font-family: system-ui; max-width: 32rem; margin: 4rem auto; padding: 0 1rem">
<main><h1>{title}</h1><p>{text}</p>{form}</main></body></html>"""
_FORM = """<form method="post">
<button style="font-size: 1rem; padding: .5rem 1rem">{button}</button></form>"""
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def routes(workspace: Workspace) -> list[Route]:
    page = _Page(workspace)
    return [
        Route("/u/{token}", page.show, methods=["GET"]),
        Route("/u/{token}", page.unsubscribe, methods=["POST"]),
    ]


class _Page:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def show(self, request: Request) -> Response:
        """A button; to somebody who has left already, that they have."""
        link, words = self._read(request)
        if link is None:
            return _answer(words, words.wrong, words.wrong_text, status=404)
        digest = hashed("address", link.address)
        try:
            left = await run_in_threadpool(self._has_left, digest)
        except StoreDown:
            left = False  # the button says so, if it is still down then
        if left:
            return _answer(words, words.done, words.done_text)
        return _answer(words, words.title, words.text, with_button=True)

    async def unsubscribe(self, request: Request) -> Response:
        link, words = self._read(request)
        if link is None:
            return _answer(words, words.wrong, words.wrong_text, status=404)
        digest, now = hashed("address", link.address), datetime.now(UTC)
        try:
            await run_in_threadpool(
                self._workspace.store.write,
                lambda c: suppressions.suppress(c, digest, "unsubscribed", now),
            )
        except StoreDown:
            return _answer(words, words.later, words.later_text, status=503, with_button=True)
        return _answer(words, words.done, words.done_text)

    def _has_left(self, digest: str) -> bool:
        with self._workspace.store.read() as connection:
            return bool(suppressions.why_suppressed(connection, digest))

    def _read(self, request: Request) -> tuple[Link | None, Words]:
        """Whose link this is (any mail sink may have signed it), and in which language to answer:
        that of the mail, else what the browser asks for."""
        link = self._link(request.path_params["token"])
        asked = request.headers.get("accept-language", "")
        return link, chosen(link.language if link else "", asked)

    def _link(self, token: str) -> Link | None:
        for sink in self._workspace.settings.sinks.values():
            secret = getattr(sink, "unsubscribe_secret", None)
            if secret is not None and (link := read_token(token, secret.get_secret_value())):
                return link
        return None


def _answer(
    words: Words, title: str, text: str, status: int = 200, with_button: bool = False
) -> Response:
    form = _FORM.format(button=html.escape(words.title)) if with_button else ""
    body = _PAGE.format(
        language=words.language, title=html.escape(title), text=html.escape(text), form=form
    )
    return HTMLResponse(body, status, headers={**_SAFE, "Content-Language": words.language})
