"""Who comes: a name, a role, and what binds a form to them."""

from __future__ import annotations

import hashlib
import hmac

from connector.domain import Role, Value, allows


class Visitor(Value):
    """`secret` is what only their browser knows; forms carry what is derived from it."""

    name: str
    role: Role
    secret: str = ""

    def may(self, needed: Role) -> bool:
        return allows(self.role, needed)

    @property
    def form_token(self) -> str:
        return form_token(self.secret, self.name)


def form_token(secret: str, name: str) -> str:
    return hmac.new(secret.encode(), f"form\x00{name}".encode(), hashlib.sha256).hexdigest()


def is_form_token(told: str, secret: str, name: str) -> bool:
    return bool(secret) and hmac.compare_digest(
        told.encode("utf-8", "replace"), form_token(secret, name).encode()
    )
