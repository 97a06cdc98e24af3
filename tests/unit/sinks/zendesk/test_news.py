"""Zendesk's webhooks: forged, stale, empty, of other things; late, doubled and out of order."""

import base64
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connector.domain import Note, Watched
from connector.errors import Unreadable
from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.zendesk import Zendesk
from connector.sinks.zendesk import news
from tests.unit.sinks.zendesk.talk import Make

SECRET = SECRETS["ZENDESK_WEBHOOK_SECRET"]


def note(body: Any, headers: dict[str, str] | None = None) -> Note:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lower = {name.lower(): text for name, text in (headers or {}).items()}
    return Note(door="webhook", body=data, headers=lower)


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"ticket_id": "35436"}, ["35436"]),
        ({"ticket_id": 35436}, ["35436"]),
        ({"ticket_id": "35436", "type": "incident"}, ["35436"]),
        (
            {"type": "zen:event-type:ticket.status_changed", "detail": {"id": "35436"}},
            ["35436"],
        ),
        ({"type": "zen:event-type:user.created", "detail": {"id": "7"}}, []),
        ({"ticket_id": "{{ticket.id}}"}, []),
        ({"ticket_id": "{{ ticket.id }}"}, []),
        (b"", []),
        (b"\n", []),
    ],
)
def test_a_webhook_names_its_ticket_and_a_test_names_none(
    make: Make, body: Any, ids: list[str]
) -> None:
    assert list(make().changed(note(body))) == ids


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"ticket_id=7", "no JSON"),
        ([{"ticket_id": "7"}], "no JSON object"),
        ({}, "no ticket_id"),
        ({"ticket_id": None}, "no ticket_id"),
        ({"ticket_id": True}, "no ticket_id"),
        ({"ticket_id": ["7"]}, "no ticket_id"),
        ({"ticket_id": "seven"}, "ticket_id in the webhook's body is no number"),
        ({"ticket_id": "٣"}, "ticket_id in the webhook's body is no number"),
        ({"ticket_id": -1}, "ticket_id in the webhook's body is no number"),
        ({"ticket_id": 10**400}, "ticket_id in the webhook's body is no number"),
        ({"type": "zen:event-type:ticket.created"}, "no detail.id"),
        ({"type": "zen:event-type:ticket.created", "detail": {"id": "x"}}, "detail.id in"),
    ],
)
def test_what_cannot_be_understood_says_what_to_write(make: Make, body: Any, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        make().changed(note(body))
    assert words in str(caught.value)
    assert '{"ticket_id": "{{ticket.id}}"}' in str(caught.value)


def test_only_what_zendesk_signed_a_short_while_ago_is_believed(
    make: Make, zendesk: Zendesk, running: Sandbox
) -> None:
    body = json.dumps({"ticket_id": "1"}).encode()
    good, now = note(body, zendesk.webhook_headers(body)), running.clock.now()
    sink = make(webhook_secret=SECRET)
    assert sink.verify(good, now)
    assert not make(webhook_secret="another").verify(good, now)
    assert not make().verify(good, now)
    assert not sink.verify(good, now + timedelta(minutes=6))
    assert not sink.verify(good, now - timedelta(minutes=6))


@pytest.mark.parametrize("stamp", ["", "now", "0", "2026-13-45T99:99:99Z", "\udcff", "9" * 9999])
def test_a_stamp_that_is_no_time_is_refused_even_when_it_is_signed(
    make: Make, running: Sandbox, stamp: str
) -> None:
    message = stamp.encode("utf-8", "surrogatepass") + b"{}"
    mac = base64.b64encode(hmac.digest(SECRET.encode(), message, "sha256")).decode()
    headers = {news.STAMP: stamp, news.SIGNATURE: mac}
    assert not make(webhook_secret=SECRET).verify(note(b"{}", headers), running.clock.now())


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it is sent; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.notes: list[Note] = []
        self.status = 202

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/news/zendesk-main"


class _Door(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.notes.append(note(body, dict(self.headers)))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as here:
        serving = threading.Thread(target=here.serve_forever, args=(0.01,))
        serving.start()
        yield here
        here.shutdown()
        serving.join()


@pytest.mark.parametrize("form", ["trigger", "event"])
def test_late_doubled_and_reordered_webhooks_all_lead_to_how_the_ticket_stands_now(
    make: Make, zendesk: Zendesk, running: Sandbox, case: str, receiver: Receiver, form: str
) -> None:
    zendesk.call_webhook(receiver.url, form=form, mood="late")
    zendesk.take(int(case))
    zendesk.solve(int(case))
    assert receiver.notes == []
    assert zendesk.deliver_late(newest_first=True) == 2
    zendesk.call_webhook(receiver.url, form=form, mood="doubled")
    zendesk.reopen(int(case))
    zendesk.call_webhook(receiver.url, form=form, mood="lost")
    zendesk.comment(int(case), "nobody hears of this")
    assert len(receiver.notes) == 4
    sink, now = make(webhook_secret=SECRET), running.clock.now()
    for one in receiver.notes:
        assert sink.verify(one, now)
        [number] = sink.changed(one)
        [standing] = sink.look([Watched(remote_id=number)], now)
        assert (standing.remote_id, standing.state) == (case, "contacted")


def test_a_receiver_that_is_busy_is_called_again_and_one_that_refuses_is_not(
    zendesk: Zendesk, case: str, receiver: Receiver
) -> None:
    zendesk.call_webhook(receiver.url)
    for status, calls in ((503, 3), (401, 1)):
        receiver.notes.clear()
        receiver.status = status
        zendesk.comment(int(case), "hello")
        assert len(receiver.notes) == calls
