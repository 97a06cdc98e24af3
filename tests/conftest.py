"""What many tests share: a store on each real database, and an installation without vendors."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from benchmarks import servers
from connector import patience
from connector.documents import reading
from connector.store import Store, database, readonly, schema
from tests import compiling
from tests.databases import Databases
from tests.parsing import Remembering

# Everybody tests the same examples. `make test ARGS=--hypothesis-profile=explore` tries new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 4 << 30

if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    # It is not the disk that is tested, and a suite of some thousand databases would wait for it
    # most of the time.
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


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


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads that may be repeated are repeated as often as ever, but without a pause."""
    monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.0)


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "YAML", Remembering)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(database, "create_engine", compiling.engine)
        patched.setattr(readonly, "create_engine", compiling.engine)
        yield


@pytest.fixture(scope="session", autouse=True)
def wide_as_a_file() -> Iterator[None]:
    """Tables do not depend on the terminal of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("LINES", raising=False)
        patched.setenv("COLUMNS", "160")
        yield


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
def databases(postgres_url: str) -> Iterator[Databases]:
    made = Databases(postgres_url)
    yield made
    made.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrated = Store(f"sqlite:///{path}")
    schema.upgrade(migrated)
    migrated.close()
    return path


@pytest.fixture
def postgres_store_url(databases: Databases) -> str:
    """A database of its own at the newest schema."""
    return databases.take()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        file = request.getfixturevalue("tmp_path") / "test.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("postgres_store_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store at the newest schema, on SQLite and on PostgreSQL."""
    opened = Store(store_url)
    yield opened
    opened.close()
