"""Whether a program may read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.access.people import token_hash
from connector.store import tokens

if TYPE_CHECKING:
    from connector.store import Store

_NOTED = timedelta(minutes=1)  # how exactly it is known when a token was last used


def is_valid(store: Store, token: str, now: datetime) -> bool:
    """The database compares hashes: what time that takes tells nothing of a token."""
    with store.read() as connection:
        row = tokens.find_token(connection, token_hash(token))
    if row is None:
        return False
    if row.used_at is None or now - row.used_at >= _NOTED:
        store.write(lambda c: tokens.used(c, row.id, now))
    return True
