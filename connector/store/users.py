"""Named queries of users and of the browsers in which they are signed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update

from connector.store.arrivals import insert_ignoring
from connector.store.tables import sessions, users

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = (users.c.name, users.c.role, users.c.disabled, users.c.created_at, users.c.signed_in_at)


def add_user(
    connection: Connection, name: str, password_hash: str, role: str, now: datetime
) -> bool:
    """False where there is one of this name."""
    row = {"name": name, "password_hash": password_hash, "role": role, "created_at": now}
    new = insert_ignoring(connection, users).values(**row)
    added = new.on_conflict_do_nothing(index_elements=["name"]).returning(users.c.name)
    return connection.scalar(added) is not None


def list_users(connection: Connection) -> Sequence[Any]:
    """Without what was made of their passwords."""
    return connection.execute(select(*_PLAIN).order_by(users.c.name)).all()


def find_user(connection: Connection, name: str) -> Any:
    return connection.execute(select(users).where(users.c.name == name)).one_or_none()


def is_empty(connection: Connection) -> bool:
    return connection.scalar(select(users.c.name).limit(1)) is None


def change_user(connection: Connection, name: str, **values: object) -> bool:
    """False where there is none of this name."""
    return bool(
        connection.execute(update(users).where(users.c.name == name).values(**values)).rowcount
    )


def change_user_from(connection: Connection, name: str, hash_before: str, **values: object) -> bool:
    """The same while their password is this one and they may come in; else False."""
    same = (users.c.name == name) & (users.c.password_hash == hash_before)
    statement = update(users).where(same, users.c.disabled.is_(False)).values(**values)
    return bool(connection.execute(statement).rowcount)


def begin_session(
    connection: Connection, token_hash: str, name: str, now: datetime, until: datetime
) -> None:
    """Those that are over are removed meanwhile."""
    connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
    row = {"token_hash": token_hash, "user_name": name, "expires_at": until}
    connection.execute(insert(sessions).values(**row, created_at=now, seen_at=now))


def session(connection: Connection, token_hash: str, now: datetime, idle: timedelta) -> Any:
    """Whose this is, while it lasts and its user may come in; else None."""
    statement = (
        select(users.c.name, users.c.role, sessions.c.seen_at)
        .join(sessions, sessions.c.user_name == users.c.name)
        .where(
            sessions.c.token_hash == token_hash,
            sessions.c.expires_at > now,
            sessions.c.seen_at > now - idle,
            users.c.disabled.is_(False),
        )
    )
    return connection.execute(statement).one_or_none()


def seen(connection: Connection, token_hash: str, now: datetime) -> None:
    mine = sessions.c.token_hash == token_hash
    connection.execute(update(sessions).where(mine).values(seen_at=now))


def end_session(connection: Connection, token_hash: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


def end_sessions_of(connection: Connection, name: str) -> None:
    """In every browser."""
    connection.execute(delete(sessions).where(sessions.c.user_name == name))
