"""Single values that a store remembers by name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select

from connector.store.arrivals import insert_ignoring
from connector.store.tables import settings


def get(connection: Connection, name: str, wait: bool = False) -> Any:
    """None where nothing is remembered; `wait`: locked until the transaction ends."""
    statement = select(settings.c.value).where(settings.c.name == name)
    return connection.scalar(statement.with_for_update() if wait else statement)


def put(connection: Connection, name: str, value: Any) -> None:
    statement = insert_ignoring(connection, settings).values(name=name, value=value)
    fresh = {"value": value}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=fresh))


def forget(connection: Connection, name: str) -> None:
    connection.execute(delete(settings).where(settings.c.name == name))
