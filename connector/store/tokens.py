"""Named queries of the tokens with which programs read the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from connector.store.tables import api_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = tuple(column for column in api_tokens.c if column.name != "token_hash")


def add_token(connection: Connection, name: str, token_hash: str, now: datetime) -> int:
    row = {"name": name, "token_hash": token_hash, "created_at": now}
    number: int = connection.execute(
        insert(api_tokens).values(**row).returning(api_tokens.c.id)
    ).scalar_one()
    return number


def list_tokens(connection: Connection) -> Sequence[Any]:
    """Without their hashes."""
    return connection.execute(select(*_PLAIN).order_by(api_tokens.c.id)).all()


def find_token(connection: Connection, token_hash: str) -> Any:
    """None where there is none, or it was revoked."""
    mine = (api_tokens.c.token_hash == token_hash) & api_tokens.c.revoked_at.is_(None)
    return connection.execute(select(*_PLAIN).where(mine)).one_or_none()


def used(connection: Connection, token: int, now: datetime) -> None:
    connection.execute(update(api_tokens).where(api_tokens.c.id == token).values(used_at=now))


def revoke(connection: Connection, token: int, now: datetime) -> str | None:
    """Its name; None where there is none that is valid."""
    mine = (api_tokens.c.id == token) & api_tokens.c.revoked_at.is_(None)
    statement = update(api_tokens).where(mine).values(revoked_at=now)
    name: str | None = connection.scalar(statement.returning(api_tokens.c.name))
    return name
