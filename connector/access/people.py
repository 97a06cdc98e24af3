"""What an administrator does with users and tokens; each leaves a note of who did it."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connector.access.passwords import hashed_password, trouble
from connector.access.signing_in import cleaned_name
from connector.errors import Refused
from connector.store import auditing, tokens, users
from connector.text import hashed, one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.domain import Role
    from connector.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_PREFIX = "npsc_"  # so that whoever finds one, a scanner of secrets say, knows what it is


def add_user(store: Store, name: str, password: str, role: Role, by: str, now: datetime) -> None:
    """Raises Refused for a name or a password that cannot be."""
    name = cleaned_name(name)
    if not _NAME.fullmatch(name):
        raise Refused("a name is made of letters, digits and . _ @ + - (100 at most)")
    _check_password(password, name)
    digest = hashed_password(password)

    def add(connection: Connection) -> None:
        if not users.add_user(connection, name, digest, role, now):
            raise Refused(f"there is a user '{name}' already; see: connector users list")
        auditing.note(connection, by, "added user", f"user {name}", now, role)

    store.write(add)


def set_password(store: Store, name: str, password: str, by: str, now: datetime) -> None:
    """They are signed out everywhere."""
    _check_password(password, cleaned_name(name))
    changes = {"password_hash": hashed_password(password)}
    _change(store, name, changes, (by, "set password", ""), now)


def set_role(store: Store, name: str, role: Role, by: str, now: datetime) -> None:
    """What they may do changes at their next click."""
    _change(store, name, {"role": role}, (by, "set role", role), now, sign_out=False)


def disable(store: Store, name: str, by: str, now: datetime, disabled: bool = True) -> None:
    """They are signed out everywhere and cannot come back, until they are enabled."""
    what = "disabled user" if disabled else "enabled user"
    _change(store, name, {"disabled": disabled}, (by, what, ""), now)


def _change(
    store: Store,
    name: str,
    changes: dict[str, Any],
    told: tuple[str, str, str],
    now: datetime,
    sign_out: bool = True,
) -> None:
    name = cleaned_name(name)
    by, what, detail = told

    def change(connection: Connection) -> None:
        if not users.change_user(connection, name, **changes):
            raise Refused(f"there is no user '{name}'; see: connector users list")
        if sign_out:
            users.end_sessions_of(connection, name)
        auditing.note(connection, by, what, f"user {name}", now, detail)

    store.write(change)


def _check_password(password: str, name: str) -> None:
    if wrong := trouble(password, name):
        raise Refused(wrong)


def add_token(store: Store, name: str, by: str, now: datetime) -> str:
    """The token, which is told once: there is only its hash."""
    token = _PREFIX + secrets.token_urlsafe(32)
    label = one_line(name, 100)

    def add(connection: Connection) -> None:
        number = tokens.add_token(connection, label, token_hash(token), now)
        auditing.note(connection, by, "added token", f"token {number}", now, label)

    store.write(add)
    return token


def revoke_token(store: Store, token: int, by: str, now: datetime) -> str:
    """Its name."""

    def revoke(connection: Connection) -> str:
        name = tokens.revoke(connection, token, now)
        if name is None:
            raise Refused(f"there is no valid token {token}; see: connector tokens list")
        auditing.note(connection, by, "revoked token", f"token {token}", now, name)
        return name

    return store.write(revoke)


def token_hash(token: str) -> str:
    return hashed("api token", token)
