"""Bringing a database to the newest schema, and saying whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

    from connector.store.database import Store

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(store: Store) -> None:
    """Create or migrate all tables; safe to call at every start and from several processes."""
    if is_current(store):
        return
    # Most starts need it not, and its import is a fifth of what they import.
    from alembic import command

    def work(connection: Connection) -> None:
        if not store.is_sqlite:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(72019)")
        command.upgrade(_config(connection), "head")

    store.write(work)


def is_current(store: Store) -> bool:
    with store.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
    return found == [newest()]


def newest() -> str:
    """The revision that the migrations lead to: their files begin with their revision."""
    return max(file.name for file in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
