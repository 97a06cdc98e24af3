"""No thread ends, hangs or talks because something it did not expect went wrong."""

from __future__ import annotations

import logging
import shutil
import socket
import threading
import time

import pytest
from sqlalchemy import event
from sqlalchemy.exc import InternalError
from starlette.applications import Starlette

from connector.engine import serving
from connector.engine.bell import Bell
from connector.engine.embedded import Embedded
from connector.store import Store, alarms
from connector.store.database import StoreDown


def run_steps(engine: Embedded, *steps) -> None:
    """The engine's own loop over these steps; an exception is raised, else it goes on."""
    left = list(steps)

    def step() -> float:
        if not left:
            engine._stopping.set()
            return 0
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return 0.0

    bell = Bell()
    bell.wait = lambda seconds: None  # type: ignore[method-assign] # a test does not sleep
    thread = threading.Thread(target=engine._forever, args=("test", step, bell), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert left == [], "the thread ended before its time"


def test_a_thread_goes_on_when_its_alarm_cannot_be_stored_either(world, monkeypatch, caplog):
    read_only = InternalError("INSERT", {}, Exception("cannot execute INSERT in a read-only"))

    def fail(work):
        raise read_only

    monkeypatch.setattr(world.workspace.store, "write", fail)
    run_steps(Embedded(world.workspace), KeyError("my secret story"), read_only, StoreDown("x"))
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text.replace('KeyError("my secret story")', "")


def test_a_mistake_of_a_thread_is_told(world):
    run_steps(Embedded(world.workspace), KeyError("x"))
    with world.workspace.store.read() as connection:
        [alarm] = alarms.open_alarms(connection)
    assert (alarm.kind, alarm.message) == ("engine", "'test' failed (KeyError); see the log")


def test_a_standby_database_that_takes_no_writes_is_down_and_not_a_mistake(world):
    def read_only(connection):
        raise InternalError("INSERT", {}, Exception("read-only transaction"))

    with pytest.raises(StoreDown, match="cannot be used"):
        world.workspace.store.write(read_only)
    assert world.post(id="1", score=2) == 202, "and the next one is tried again"


def test_a_job_whose_end_fails_does_not_end_the_writer(sqlite_template, tmp_path, now):
    """Who asked is told; the others of its commit, and those after it, are served."""
    shutil.copy(sqlite_template, tmp_path / "x.db")
    store = Store(f"sqlite:///{tmp_path / 'x.db'}")
    ends = []

    def damaged(connection, name, context):
        ends.append(name)
        if len(ends) == 1:
            raise ZeroDivisionError

    event.listen(store.engine, "release_savepoint", damaged)
    with pytest.raises(ZeroDivisionError):
        store.write(lambda c: alarms.raise_alarm(c, "test", "x", "m", now))
    later = threading.Thread(
        target=store.write,
        args=(lambda c: alarms.raise_alarm(c, "test", "y", "m", now),),
        daemon=True,
    )
    later.start()
    later.join(10)
    assert not later.is_alive(), "nobody answers any more"
    store.close()


def test_a_sender_that_never_ends_its_request_does_not_keep_us_from_ending(monkeypatch, caplog):
    monkeypatch.setattr(serving, "_LAST_REQUESTS_SECONDS", 1)

    begun = threading.Event()

    async def forever(scope, receive, send):
        while (await receive())["type"] == "http.request":
            begun.set()

    server = serving.WebServer(Starlette(), "127.0.0.1", 0)
    server._server.config.app = forever
    server.start()
    with socket.create_connection((server.host, server.port)) as sender:
        sender.sendall(b"POST /hooks/app HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert begun.wait(10)
        began = time.monotonic()
        with caplog.at_level(logging.CRITICAL):
            server.stop()
    assert time.monotonic() - began < 8
