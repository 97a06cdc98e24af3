"""The receiver over HTTP: what is stored and what is not, and the unsubscribe page."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from starlette.testclient import TestClient

from connector import logs
from connector.engine.serving import WebServer
from connector.sinks import unsubscribe
from connector.store import arrivals, suppressions
from connector.store.database import StoreDown
from connector.text import hashed
from connector.web.receiver import application


@pytest.fixture
def rung() -> list[bool]:
    return []


@pytest.fixture
def web(world, rung) -> TestClient:
    return TestClient(application(world.workspace, lambda: rung.append(True), lambda _: None))


def counts(world) -> dict[str, int]:
    with world.workspace.store.read() as connection:
        return arrivals.arrival_counts(connection)


def test_a_signed_webhook_is_durable_before_it_is_answered(web, world, rung):
    body = json.dumps({"id": "1", "score": 3, "survey": "nps"}).encode()
    answer = web.post("/hooks/app", content=body, headers=world.signed(body, datetime.now(UTC)))

    assert answer.status_code == 202
    assert counts(world) == {"new": 1, "repeats": 0}
    assert rung == [True]


def test_the_same_webhook_again_is_accepted_and_only_counted(web, world):
    body = json.dumps({"id": "1", "score": 3, "survey": "nps"}).encode()
    for _ in range(3):
        headers = world.signed(body, datetime.now(UTC))
        assert web.post("/hooks/app", content=body, headers=headers).status_code == 202

    assert counts(world) == {"new": 1, "repeats": 2}


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [("/hooks/app", 10, 401), ("/hooks/nobody", 10, 404), ("/hooks/app", 1024 * 1024 + 1, 413)],
)
def test_what_is_refused_stores_nothing_and_rings_no_bell(web, world, rung, path, size, status):
    assert web.post(path, content=b"x" * size).status_code == status
    assert counts(world) == {"repeats": 0}
    assert rung == []


def test_a_body_that_lies_about_its_length_is_stopped_while_it_streams(web, world):
    def endless():
        for _ in range(40):
            yield b"x" * 65536

    assert web.post("/hooks/app", content=endless()).status_code == 413
    assert counts(world) == {"repeats": 0}


@pytest.fixture
def served(world) -> Iterator[WebServer]:
    server = WebServer(application(world.workspace, lambda: None, lambda _: None), "127.0.0.1", 0)
    server.start()
    yield server
    server.stop()


def test_a_sender_that_hangs_up_is_no_mistake_of_ours(capfd, served, world, caplog):
    with socket.create_connection((served.host, served.port)) as sender:
        sender.sendall(b"POST /hooks/app HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        requests.get(f"{served.url}/healthz", timeout=10)  # by then it is being read
    requests.get(f"{served.url}/healthz", timeout=10)  # and by then its end was noticed
    served.stop()
    assert [r.getMessage() for r in caplog.records] == ["a sender hung up within its webhook"]
    assert capfd.readouterr().err == ""
    assert counts(world) == {"repeats": 0}


def test_what_a_mistake_of_ours_says_goes_through_our_own_log(
    capfd, served, world, caplog, monkeypatch
):
    """Its text may hold an answer, and only our own log strikes that out."""

    def fail(*_):
        raise ValueError("my secret story")

    monkeypatch.setattr(arrivals, "keep", fail)
    body = json.dumps({"id": "1", "score": 3, "survey": "nps"}).encode()
    headers = world.signed(body, datetime.now(UTC))
    answer = requests.post(f"{served.url}/hooks/app", body, headers=headers, timeout=10)
    assert answer.status_code == 500
    served.stop()
    assert capfd.readouterr().err == ""
    [record] = [r for r in caplog.records if r.exc_info]
    assert "my secret story" not in logs._JsonLines().format(record)


def test_a_body_of_exactly_the_limit_is_read(web, world):
    body = b'{"id": "1", "survey": "nps", "comment": "' + b"x" * (1024 * 1024 - 43) + b'"}'
    assert len(body) == 1024 * 1024
    answer = web.post("/hooks/app", content=body, headers=world.signed(body, datetime.now(UTC)))
    assert answer.status_code == 202


def test_a_file_source_takes_no_webhooks(web):
    assert web.post("/hooks/file", content=b"Score\n3\n").status_code == 401


def test_with_the_database_down_the_sender_is_told_to_come_again(web, world, monkeypatch):
    def down(_work):
        raise StoreDown("the database cannot be used")

    monkeypatch.setattr(world.workspace.store, "write_first", down)
    body = b'{"id": "1", "score": 3, "survey": "nps"}'
    answer = web.post("/hooks/app", content=body, headers=world.signed(body, datetime.now(UTC)))
    assert answer.status_code == 503


def is_suppressed(world, address: str) -> bool:
    with world.workspace.store.read() as connection:
        return bool(suppressions.why_suppressed(connection, hashed("address", address)))


def test_one_click_unsubscribes_and_looking_at_the_page_does_not(web, world):
    link = f"/u/{unsubscribe.token('ana@example.com', 't0ken')}"

    page = web.get(link)
    assert page.status_code == 200
    assert "<button" in page.text
    assert not is_suppressed(world, "ana@example.com")

    answer = web.post(link, data={"List-Unsubscribe": "One-Click"}, follow_redirects=False)
    assert answer.status_code == 200
    assert is_suppressed(world, "ana@example.com")


@pytest.mark.parametrize("body", ["List-Unsubscribe=One-Click", ""])
def test_a_mail_program_and_a_person_unsubscribe_by_the_same_link(web, world, body):
    """RFC 8058: a POST, without cookies, answered without a redirect."""
    link = f"/u/{unsubscribe.token('ana@example.com', 't0ken', 'es')}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(2):
        answer = web.post(link, content=body, headers=headers, follow_redirects=False)
        assert answer.status_code == 200
        assert not answer.cookies
        assert answer.headers["Content-Language"] == "es"
        assert "Listo" in answer.text
    assert is_suppressed(world, "ana@example.com")
    again = web.get(link)
    assert "<button" not in again.text, "who has left already is told so"
    assert "Listo" in again.text


@pytest.mark.parametrize(
    ("known", "asked", "word"),
    [
        ("it", "de", "Annulla l&#x27;iscrizione"),
        ("es-MX", "", "Darme de baja"),
        ("", "de-AT,de;q=0.9,en;q=0.5", "Abmelden"),
        ("", "en;q=0.5, fr", "Me désabonner"),
        ("xx", "yy, *;q=0.1", "Unsubscribe"),
        ("", "pt;q=0, en", "Unsubscribe"),
    ],
)
def test_the_page_speaks_the_language_of_the_mail_else_of_the_browser(web, known, asked, word):
    link = f"/u/{unsubscribe.token('ana@example.com', 't0ken', known)}"
    assert word in web.get(link, headers={"Accept-Language": asked}).text


def test_a_wrong_link_says_what_to_do_in_the_language_of_the_browser(web, world):
    link = unsubscribe.token("ana@example.com", "t0ken", "es")
    for wrong in (link[:-3], "x", "%3Cscript%3E"):
        for ask in (web.get, web.post):
            answer = ask(f"/u/{wrong}", headers={"Accept-Language": "es"})
            assert answer.status_code == 404
            assert "Este enlace no es válido" in answer.text
            assert "responda a ese correo" in answer.text
            assert "<script" not in answer.text
    assert not is_suppressed(world, "ana@example.com")


def test_while_the_database_is_down_a_person_may_press_again(web, world, monkeypatch):
    link = f"/u/{unsubscribe.token('ana@example.com', 't0ken')}"

    def down(*_):
        raise StoreDown("down")

    monkeypatch.setattr(world.workspace.store, "write", down)
    answer = web.post(link)
    assert answer.status_code == 503
    assert "<button" in answer.text


def test_a_forged_unsubscribe_link_does_nothing(web, world):
    link = f"/u/{unsubscribe.token('ana@example.com', 'another secret')}"

    assert web.post(link).status_code == 404
    assert not is_suppressed(world, "ana@example.com")
