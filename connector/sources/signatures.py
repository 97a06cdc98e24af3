"""Is a webhook authentic? Each check compares in constant time, over the raw bytes, and answers
False to whatever it does not understand: nothing that a stranger sends can raise.

Every check takes several secrets at once, so that one can be replaced without losing a message:
add the new one, change it at the sender, remove the old one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, Field, model_validator

from connector.domain import Note, Value
from connector.ports import Secret

_UNIX = re.compile(r"[0-9]{1,12}")
_SHORTEST_KEY_BYTES = 16


class Check(Protocol):
    def accepts(self, note: Note, now: datetime) -> bool:
        """Does the note carry a valid signature at `now` (aware UTC)? Never raises."""
        ...


@dataclass(frozen=True)
class StandardWebhooks:
    """Headers `webhook-id`, `webhook-timestamp` (unix seconds) and `webhook-signature`, a list
    such as `v1,<base64> v1,<base64>` of HMAC-SHA256 over `id.timestamp.body`.

    A secret is `whsec_` and base64; one of another form accepts nothing. A stamp older or newer
    than `tolerance` is refused. https://github.com/standard-webhooks/standard-webhooks
    """

    secrets: tuple[str, ...] = field(repr=False)
    tolerance: timedelta = timedelta(minutes=5)

    def accepts(self, note: Note, now: datetime) -> bool:
        sent_id = note.headers.get("webhook-id", "")
        stamp = note.headers.get("webhook-timestamp", "")
        if not sent_id or not _UNIX.fullmatch(stamp):
            return False
        if abs(int(stamp) - now.timestamp()) > self.tolerance.total_seconds():
            return False
        signed = _bytes(f"{sent_id}.{stamp}.") + note.body
        given = [
            value
            for version, _, value in (
                part.partition(",") for part in note.headers.get("webhook-signature", "").split()
            )
            if version == "v1"
        ]
        keys = [key for secret in self.secrets if (key := _standard_key(secret))]
        wanted = [base64.b64encode(_hmac_sha256(key, signed)) for key in keys]
        return _any_equal(given, wanted)


@dataclass(frozen=True)
class BodyHmac:
    """HMAC-SHA256 of the raw body in `header`, as hex or base64, after `prefix` (`sha256=`).

    There is no time in it: a repeated message is recognised by the answer's id and revision.
    """

    secrets: tuple[str, ...] = field(repr=False)
    header: str
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""

    def accepts(self, note: Note, now: datetime) -> bool:
        given = note.headers.get(self.header.lower(), "").strip()
        if not given.startswith(self.prefix):
            return False
        value = given.removeprefix(self.prefix)
        digests = [_hmac_sha256(secret.encode(), note.body) for secret in self.secrets if secret]
        if self.encoding == "hex":
            return _any_equal([value.lower()], [digest.hex().encode() for digest in digests])
        return _any_equal([value], [base64.b64encode(digest) for digest in digests])


@dataclass(frozen=True)
class StaticToken:
    """The secret itself in `header`, after `prefix` (`Bearer `), for tools that cannot sign."""

    secrets: tuple[str, ...] = field(repr=False)
    header: str = "authorization"
    prefix: str = ""

    def accepts(self, note: Note, now: datetime) -> bool:
        given = note.headers.get(self.header.lower(), "").strip()
        if not given.startswith(self.prefix):
            return False
        value = given.removeprefix(self.prefix)
        return _any_equal([value], [secret.encode() for secret in self.secrets if secret])


@dataclass(frozen=True)
class Unsigned:
    """Takes everything. Only where the settings say `signature: none` in so many words."""

    def accepts(self, note: Note, now: datetime) -> bool:
        return True


@dataclass(frozen=True)
class Closed:
    """Takes nothing: this source has no webhook, or no secret to judge one by."""

    def accepts(self, note: Note, now: datetime) -> bool:
        return False


Secrets = Secret | tuple[Secret, ...]
"""A setting that takes one secret, or a list of those that are valid at the same time."""

# What a setting holds in commands that reach no vendor: they are loaded without any secret.
_NOT_LOADED = "unset"


def revealed(secrets: Secrets) -> tuple[str, ...]:
    """The texts of one or several secrets, without empty ones."""
    several = secrets if isinstance(secrets, tuple) else (secrets,)
    return tuple(text for secret in several if (text := secret.get_secret_value()))


class Signature(Value):
    """How a message proves where it comes from, as an administrator writes it. Every one of
    `secrets` is good, so that one can be replaced: add the new one, change it at the sender,
    remove the old one."""

    scheme: Literal["standard", "hmac-sha256", "token", "none"]
    secrets: tuple[Secret, ...] = ()
    header: str = Field("", description="where the signature or the token is sent")
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field("", description="what stands before it, such as 'sha256='")

    @model_validator(mode="after")
    def _usable(self) -> Signature:
        if self.scheme == "none":
            if self.secrets:
                raise ValueError("'none' takes no secrets; name a scheme, or remove them")
            return self
        texts = [secret.get_secret_value() for secret in self.secrets]
        if not texts or not all(texts):
            raise ValueError("the secret is empty")
        if self.scheme == "hmac-sha256" and not self.header:
            raise ValueError("name the header that carries the signature, for example X-Signature")
        if self.scheme == "standard" and not all(
            text == _NOT_LOADED or _standard_key(text) for text in texts
        ):
            raise ValueError("the secret must be whsec_ and the base64 of 24 to 64 bytes")
        return self

    def check(self) -> Check:
        texts = revealed(self.secrets)
        if self.scheme == "none":
            return Unsigned()
        if self.scheme == "standard":
            return StandardWebhooks(texts)
        if self.scheme == "hmac-sha256":
            return BodyHmac(texts, self.header, self.encoding, self.prefix)
        return StaticToken(texts, self.header or "authorization", self.prefix)


def _scheme_alone(value: object) -> object:
    return {"scheme": value} if isinstance(value, str) else value


SignatureSetting = Annotated[Signature, BeforeValidator(_scheme_alone)]
"""A field of settings; `signature: none` is short for `{scheme: none}`."""


def _standard_key(secret: str) -> bytes | None:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return None
    return key if len(key) >= _SHORTEST_KEY_BYTES else None


def _hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _any_equal(given: Iterable[str], wanted: Iterable[bytes]) -> bool:
    """Compares each with each, never stopping early, so that the time taken tells nothing."""
    sent, found = [_bytes(value) for value in given], False
    for expected in wanted:
        for value in sent:
            found |= hmac.compare_digest(value, expected)
    return found
