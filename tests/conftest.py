"""What many tests share: a store on each real database, and an installation without vendors."""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from benchmarks import servers
from connector.store import Store, schema

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command that sets up its log in this process must not do so for the next test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server named by CONNECTOR_TEST_POSTGRES, else one started from a wheel or from Debian's."""
    named = os.environ.get("CONNECTOR_TEST_POSTGRES")
    if named:
        yield named
        return
    try:
        with servers.postgresql("-c fsync=off") as url:
            yield url
    except servers.Missing as missing:
        pytest.skip(f"{missing}, or set CONNECTOR_TEST_POSTGRES to the URL of an empty server")


def _postgres_binaries(place: Path) -> Path | None:
    try:
        return servers.postgresql_binaries(place)
    except servers.Missing:
        return None


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """A database at the newest schema that others are copied from: migrating takes longer."""
    name = f"t{uuid.uuid4().hex}"
    _on_server(postgres_url, f"CREATE DATABASE {name}")
    migrated = Store(_database(postgres_url, name))
    schema.upgrade(migrated)
    migrated.close()
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrated = Store(f"sqlite:///{path}")
    schema.upgrade(migrated)
    migrated.close()
    return path


@pytest.fixture
def postgres_store_url(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """A database of its own at the newest schema."""
    name = f"t{uuid.uuid4().hex}"
    _on_server(postgres_url, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield _database(postgres_url, name)
    _on_server(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def _on_server(url: str, statement: str) -> None:
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(statement)
    server.dispose()


def _database(url: str, name: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "test.db")
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_store_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store at the newest schema, on SQLite and on PostgreSQL."""
    opened = Store(store_url)
    yield opened
    opened.close()
