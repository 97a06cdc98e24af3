"""The databases that tests are given: whatever one test does, the next finds a new one."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError

from connector.store import Store, alarms, schema
from connector.store.database import StoreDown
from connector.store.tables import alarms as alarm_table
from connector.store.tables import settings


def raise_alarm(store, now) -> int:
    """The id of its row."""
    store.write(lambda c: alarms.raise_alarm(c, "test", "x", "m", now))
    with store.read() as connection:
        found: int = connection.execute(select(alarm_table.c.id)).scalar_one()
    return found


def taken(databases) -> Store:
    return Store(databases.take())


def test_the_next_test_finds_no_row_and_ids_begin_anew(databases, now):
    for _ in range(3):
        store = taken(databases)
        assert schema.is_current(store)
        assert raise_alarm(store, now) == 1
        store.close()


def test_who_still_has_the_old_url_reaches_nothing(databases, now):
    old = taken(databases)
    raise_alarm(old, now)
    with old.engine.connect() as held:
        held.execute(insert(settings).values(name="held", value="x"))  # and never committed
        new = taken(databases)
        with pytest.raises(OperationalError):
            held.execute(select(settings.c.name))
    with pytest.raises(StoreDown):
        raise_alarm(old, now)
    assert raise_alarm(new, now) == 1
    old.close()
    new.close()


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE settings",
        "ALTER TABLE settings ADD COLUMN more text",
        "ALTER TABLE settings ALTER COLUMN value DROP NOT NULL",
        "CREATE INDEX another ON settings (name)",
        "CREATE TABLE another (id int)",
        "DELETE FROM alembic_version",
    ],
)
def test_a_database_whose_schema_was_changed_is_not_given_to_another(databases, now, change):
    old = taken(databases)
    old.write(lambda c: c.exec_driver_sql(change))
    old.close()
    new = taken(databases)
    assert schema.is_current(new)
    assert databases.is_as_made(new.url)
    new.close()
