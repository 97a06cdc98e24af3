"""What keeps a page from being misused: headers, forms of other sites, redirects to other sites."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException

from connector.text import storable

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # browsers that know no frame-ancestors
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Vary": "Cookie, HX-Request",
}
_HERE = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # printable ASCII without a backslash
_MOST_BYTES = 256 * 1024
FORM = "application/x-www-form-urlencoded"


def protect(response: Response) -> Response:
    """Strict-Transport-Security is for whoever has the certificate to say."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def place_here(told: str, otherwise: str) -> str:
    """`told` where it is a path of this server; a link must not lead a user elsewhere."""
    return told if _HERE.fullmatch(told) and "://" not in told.partition("?")[0] else otherwise


def comes_from_here(request: Request, public_url: str) -> bool:
    """Did a page of this server send this form? Browsers say from where, and cannot be made to lie
    about it by a page; what says nothing is no browser and has to know the form's token."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    hosts = {request.headers.get("host", ""), urlsplit(public_url).netloc}
    return bool(origin) and urlsplit(origin).netloc in hosts - {""}


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a POST; of one that is told several times, the last.

    Raises:
        HTTPException: it is no form, or too large.
    """
    if request.method != "POST":
        return {}
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, "This form is too large.")
    if not body:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415, "A form is sent as application/x-www-form-urlencoded.")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=500)
    except ValueError as error:
        raise HTTPException(400, "This form cannot be read.") from error
    return {storable(name): storable(value) for name, value in fields}
