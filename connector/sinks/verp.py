"""The envelope sender of one mail: a bounce that comes back to it says which mail it was.

`bounces@example.com` becomes `bounces+TOKEN@example.com`. The token is the action's key, which
tells nothing about anybody, and a seal that only we can make: what others write to such addresses
changes nothing. Letters of one case, since mail servers may change it; 64 characters at most before
the `@`, as RFC 5321 demands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

from connector.domain import is_case_key

PURPOSE = b"connector bounce address 1"
TOKEN_LENGTH = 39  # 16 bytes of the key and 8 of the seal, in base32
LONGEST_LOCAL = 64 - TOKEN_LENGTH - 1  # what may stand before the `+`
_PREFIX = "nps-"
_PARTS = re.compile(r"([^@+]+)\+([a-z2-7]{39})@([^@]+)", re.IGNORECASE)


def sender_for(key: str, address: str, secret: str) -> str:
    """Where the bounce of the mail with this key comes back to."""
    if not is_case_key(key):  # the keys of all messages look like this
        return address
    local, _, domain = address.rpartition("@")
    raw = bytes.fromhex(key.removeprefix(_PREFIX))
    token = base64.b32encode(raw + _seal(raw, secret)).decode().rstrip("=").lower()
    return f"{local}+{token}@{domain}"


def key_for(sender: str, address: str, secret: str) -> str | None:
    """The key in an envelope sender that was made from this address, else None. Never raises."""
    found = _PARTS.fullmatch(sender)
    if found is None or f"{found[1]}@{found[3]}".casefold() != address.casefold():
        return None
    try:
        raw = base64.b32decode(found[2].upper() + "=")
    except binascii.Error:
        return None
    key, seal = raw[:16], raw[16:]
    return _PREFIX + key.hex() if hmac.compare_digest(seal, _seal(key, secret)) else None


def _seal(key: bytes, secret: str) -> bytes:
    own = hashlib.sha256(PURPOSE + b"\x00" + secret.encode()).digest()
    return hmac.digest(own, key, "sha256")[:8]
