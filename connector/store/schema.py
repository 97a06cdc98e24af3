"""Bringing a database to the newest schema, and saying whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store.database import Store

_HERE = Path(__file__).parent / "migrations"


def upgrade(store: Store) -> None:
    """Create or migrate all tables; safe to call at every start and from several processes."""

    def work(connection: Connection) -> None:
        if not store.is_sqlite:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(72019)")
        command.upgrade(_config(connection), "head")

    if not is_current(store):
        store.write(work)


def is_current(store: Store) -> bool:
    with store.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current == ScriptDirectory(str(_HERE)).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config
