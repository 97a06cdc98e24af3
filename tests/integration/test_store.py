"""The same tables on SQLite and PostgreSQL; what `write` promises."""

from __future__ import annotations

import functools
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select

from connector.store import Store, alarms, schema, searching
from connector.store.database import StoreDown
from connector.store.tables import alarms as alarm_table
from connector.store.tables import metadata


def _is_described(name, kind, _parents):
    """A virtual table, and those that SQLite keeps behind it, cannot be."""
    return kind != "table" or not name.startswith(searching.TABLE)


def _is_of(dialect, described, _name, _kind, _is_reflected, _other):
    """Some indices are there for one database only."""
    condition = getattr(described, "_ddl_if", None)
    return condition is None or condition.dialect == dialect


def test_the_migrations_make_exactly_the_tables_of_the_code(store):
    with store.engine.connect() as connection:
        here = functools.partial(_is_of, connection.dialect.name)
        opts = {"compare_type": True, "include_name": _is_described, "include_object": here}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []
    assert schema.is_current(store)


def test_the_newest_revision_is_that_of_the_last_file():
    assert schema.newest() == ScriptDirectory(str(schema.MIGRATIONS)).get_current_head()


def test_a_database_of_an_older_version_or_without_tables_is_not_current(store, tmp_path):
    store.write(lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'"))
    assert not schema.is_current(store)
    bare = Store(f"sqlite:///{tmp_path / 'bare.db'}")
    assert not schema.is_current(bare)
    schema.upgrade(bare)
    assert schema.is_current(bare)
    bare.close()


def test_upgrading_twice_changes_nothing(store):
    schema.upgrade(store)
    assert schema.is_current(store)


def test_times_come_back_aware_and_in_utc(store):
    noon_in_madrid = datetime(2026, 11, 20, 13, 0, 0, 123456, timezone(timedelta(hours=1)))
    store.write(lambda c: alarms.raise_alarm(c, "test", "x", "message", noon_in_madrid))

    with store.read() as connection:
        found = connection.scalar(select(alarm_table.c.raised_at))
    assert found == noon_in_madrid
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_never_reaches_the_store(store):
    with pytest.raises(Exception, match="without a zone"):
        store.write(lambda c: alarms.raise_alarm(c, "test", "x", "m", datetime(2026, 1, 1)))  # noqa: DTZ001


def test_a_failing_job_is_undone_alone_while_others_of_its_commit_stay(store, now):
    entered, go_on = threading.Event(), threading.Event()
    results: dict[str, object] = {}

    def slow(connection):
        entered.set()
        go_on.wait(10)

    def good(connection):
        alarms.raise_alarm(connection, "good", "x", "m", now)

    def bad(connection):
        alarms.raise_alarm(connection, "bad", "x", "m", now)
        raise ZeroDivisionError

    def run(name, work):
        try:
            store.write(work)
            results[name] = "done"
        except ZeroDivisionError as error:
            results[name] = type(error).__name__

    threads = [threading.Thread(target=run, args=("slow", slow))]
    threads[0].start()
    entered.wait(10)
    threads += [threading.Thread(target=run, args=job) for job in (("bad", bad), ("good", good))]
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(10)

    assert results == {"slow": "done", "bad": "ZeroDivisionError", "good": "done"}
    with store.read() as connection:
        assert [row.kind for row in alarms.open_alarms(connection)] == ["good"]


def test_an_alarm_that_recurs_is_one_row_until_it_is_cleared(store, now):
    for minute in range(3):
        at = now + timedelta(minutes=minute)
        store.write(lambda c, at=at: alarms.raise_alarm(c, "silent", "app", "nothing came", at))
    with store.read() as connection:
        assert [(a.count, a.raised_at) for a in alarms.open_alarms(connection)] == [(3, now)]
    store.write(lambda c: alarms.clear_alarm(c, "silent", "app", now))
    store.write(lambda c: alarms.raise_alarm(c, "silent", "app", "again", now))
    with store.read() as connection:
        assert [a.message for a in alarms.open_alarms(connection)] == ["again"]


def test_a_database_that_is_down_is_said_so_and_stores_nothing():
    down = Store("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreDown, match="cannot be used"):
        down.write(lambda c: None)
    down.close()


def test_a_server_that_vanishes_is_noticed_and_the_url_may_say_when(postgres_store_url):
    """Nothing tells that a machine is gone but its silence."""
    for query, idle in (("", "10"), ("?keepalives_idle=60", "60")):
        store = Store(postgres_store_url + query)
        with store.read() as connection:
            told = connection.connection.driver_connection.info.get_parameters()
        store.close()
        assert (told["keepalives_idle"], told["tcp_user_timeout"]) == (idle, "25000")


def test_a_closed_store_refuses_writes(tmp_path):
    closed = Store(f"sqlite:///{tmp_path / 'x.db'}")
    closed.close()
    with pytest.raises(StoreDown):
        closed.write(lambda c: None)


def test_sqlite_survives_power_loss_settings(tmp_path):
    opened = Store(f"sqlite:///{tmp_path / 'x.db'}")
    with opened.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    opened.close()
