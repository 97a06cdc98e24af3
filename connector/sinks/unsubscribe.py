"""Unsubscribe links: a token that only we can make, and in which nobody can read an address.

The token is the address itself, encrypted and authenticated (AES-SIV, RFC 5297): links end up in
the logs of proxies and mail scanners, where an address must not stand. It is the same for the same
address and language every time and never expires; whoever holds the link may unsubscribe that one
address.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NamedTuple

PURPOSE = b"connector unsubscribe link 1"
_LONGEST = 1000  # characters; addresses have at most 254


class Link(NamedTuple):
    """`language` is that of the mail; empty in the links of older versions."""

    address: str
    language: str


def token(address: str, secret: str, language: str = "") -> str:
    """For the end of `…/u/`: letters, digits, `-` and `_`. `address` as `clean_email` gives it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    plain = f"{address}\n{language}" if language else address
    sealed = AESSIV(_key(secret)).encrypt(plain.encode(), [PURPOSE])
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def read_token(token: str, secret: str) -> Link | None:
    """What stands in a token that was made with this secret, else None. Never raises."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        plain = AESSIV(_key(secret)).decrypt(sealed, [PURPOSE]).decode()
    except (binascii.Error, InvalidTag, ValueError):
        return None
    address, _, language = plain.partition("\n")
    return Link(address, language)


def _key(secret: str) -> bytes:
    return hashlib.sha512(PURPOSE + b"\x00" + secret.encode()).digest()
