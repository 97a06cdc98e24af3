"""What happens once a minute: alarms announced once, silence noticed, a heartbeat."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from connector.config import AlarmChannel
from connector.engine.chores import do_chores
from connector.store import alarms


def with_settings(world, **changes):
    world.workspace.settings = world.workspace.settings.model_copy(update=changes)
    return world


def open_alarms(world) -> list[str]:
    with world.workspace.store.read() as connection:
        return [alarm.kind for alarm in alarms.open_alarms(connection)]


def test_an_alarm_is_announced_once_in_the_log_and_in_the_channel(world, caplog):
    with_settings(world, alarms=AlarmChannel(sink="chat", channel="#ops"))
    store = world.workspace.store
    store.write(lambda c: alarms.raise_alarm(c, "surge", "app", "too many", world.now))

    assert do_chores(world.workspace, world.now) == {"chat"}
    assert do_chores(world.workspace, world.now) == set()
    assert [r.getMessage() for r in caplog.records] == ["alarm: surge: too many"]
    [message] = world.actions(sink="chat")
    assert (message.kind, message.state) == ("slack.message", "waiting")


def test_trouble_that_has_no_other_end_is_over_after_a_quiet_day(world):
    store, day = world.workspace.store, timedelta(days=1)
    for kind, last in (("engine", day), ("unrendered", day / 2), ("parked", day)):
        store.write(lambda c, k=kind, at=world.now - last: alarms.raise_alarm(c, k, "x", "", at))
    do_chores(world.workspace, world.now)
    assert open_alarms(world) == ["unrendered", "parked"]


def test_the_announcement_is_a_message_that_the_chat_sink_understands(world):
    with_settings(world, alarms=AlarmChannel(sink="chat", channel="#ops"))
    store = world.workspace.store
    store.write(lambda c: alarms.raise_alarm(c, "surge", "app", "too many", world.now))
    do_chores(world.workspace, world.now)

    from connector.domain import Order
    from connector.store import browsing

    with store.read() as connection:
        row = browsing.show_action(connection, world.actions(sink="chat")[0].id)
    sink = world.workspace.new_sink("chat")
    [body] = sink.prepare([Order.model_validate(row.order)], world.now)
    assert b"too many" in body
    assert b"#ops" in body


def test_a_source_that_falls_silent_is_noticed_and_its_return_too(world):
    quiet = world.workspace.settings.sources["app"].model_copy(
        update={"expect_every": timedelta(hours=2)}
    )
    sources = {**world.workspace.settings.sources, "app": quiet}
    with_settings(world, sources=sources)

    do_chores(world.workspace, world.now)
    assert open_alarms(world) == []
    world.now += timedelta(hours=1, minutes=1)  # it was added an hour before
    do_chores(world.workspace, world.now)
    assert open_alarms(world) == ["silent"]
    world.answer(id="1", score=9)
    do_chores(world.workspace, world.now)
    assert open_alarms(world) == []


@pytest.fixture
def watchdog() -> Iterator[tuple[str, list[str]]]:
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/beat", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_watchdog_hears_a_heartbeat(world, watchdog):
    url, heard = watchdog
    do_chores(with_settings(world, heartbeat_url=url).workspace, world.now)
    assert heard == ["/beat"]


def test_a_watchdog_that_is_down_disturbs_nothing(world):
    do_chores(with_settings(world, heartbeat_url="http://127.0.0.1:1/").workspace, world.now)
