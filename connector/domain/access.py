"""Who may do what on the pages and in the read API."""

from __future__ import annotations

from typing import Literal, get_args

# Each may do what those before it may. viewer: read. operator: retry, resolve, release, try rules.
# admin: pause and resume accounts, which stops the work of everybody.
Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)


def allows(role: Role, needed: Role) -> bool:
    return ROLES.index(role) >= ROLES.index(needed)
