"""Signing in with a name and a password: how often it may be tried, and the session it begins."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connector.access.passwords import hashed_password, is_outdated, is_right
from connector.store import auditing, throttling, users
from connector.text import hashed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store import Store

WINDOW = timedelta(minutes=15)
TRIES_PER_NAME = 10  # from one address: a stranger must not keep the owner of a name out
TRIES_PER_NAME_ANYWHERE = 100
TRIES_PER_ADDRESS = 30
_RENEWED = timedelta(minutes=1)  # how exactly it is known when a session was last used


class SignedIn(NamedTuple):
    """`token` is the session's; empty where the name or the password was wrong, and `again_at` is
    set where it was tried too often."""

    token: str = ""
    again_at: datetime | None = None


def cleaned_name(name: str) -> str:
    """Names are the same whatever their case."""
    return name.strip().casefold()[:100]


def sign_in(
    store: Store, name: str, password: str, address: str, lasts: timedelta, now: datetime
) -> SignedIn:
    """Attempts count before the password is looked at, so that many at once are no way around."""
    name = cleaned_name(name)
    limits = {
        hashed("sign-in address", address): TRIES_PER_ADDRESS,
        hashed("sign-in name at address", name, address): TRIES_PER_NAME,
        hashed("sign-in name", name): TRIES_PER_NAME_ANYWHERE,
    }
    with store.read() as connection:
        again_at = throttling.blocked_until(connection, limits, now, WINDOW)
        user = users.find_user(connection, name)
    # Whoever is refused writes nothing: there is one writer, and anybody can be refused.
    again_at = again_at or store.write(lambda c: _count(c, limits, now))
    if again_at is not None:
        return SignedIn(again_at=again_at)
    if not is_right(password, user and user.password_hash) or user.disabled:
        return SignedIn()
    token = secrets.token_urlsafe(32)
    fresh = hashed_password(password) if is_outdated(user.password_hash) else user.password_hash

    def begin(connection: Connection) -> bool:
        still = users.change_user_from(
            connection, name, user.password_hash, password_hash=fresh, signed_in_at=now
        )
        if still:
            users.begin_session(connection, session_hash(token), name, now, now + lasts)
            by_address, by_both, by_name = limits
            throttling.forget_attempts(connection, by_both)
            for subject in (by_address, by_name):
                throttling.take_back_attempt(connection, subject)
            auditing.note(connection, name, "signed in", f"user {name}", now)
        return still

    return SignedIn(token) if store.write(begin) else SignedIn()


def session_hash(token: str) -> str:
    return hashed("session", token)


def visitor_of(
    store: Store, token: str, now: datetime, idle: timedelta, renew: bool
) -> tuple[str, str] | None:
    """(name, role) of a session that lasts; `renew`: a person uses it, not a page by itself."""
    digest = session_hash(token)
    with store.read() as connection:
        row = users.session(connection, digest, now, idle)
    if row is None:
        return None
    if renew and now - row.seen_at >= min(_RENEWED, idle / 4):
        store.write(lambda c: users.seen(c, digest, now))
    return row.name, row.role


def sign_out(store: Store, token: str, name: str, now: datetime) -> None:
    def end(connection: Connection) -> None:
        users.end_session(connection, session_hash(token))
        auditing.note(connection, name, "signed out", f"user {name}", now)

    store.write(end)


def _count(connection: Connection, limits: dict[str, int], now: datetime) -> datetime | None:
    """When it may be tried again, where it was tried too often; the rest is not counted then."""
    for subject, most in limits.items():
        attempts, ends = throttling.count_attempt(connection, subject, now, WINDOW)
        if attempts > most:
            return ends
    return None
