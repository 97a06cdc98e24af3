"""Signing in: who gets in, for how long, how often it may be tried, what a session is bound to."""

from __future__ import annotations

import ipaddress
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from connector.access import people, signing_in
from connector.access.signing_in import TRIES_PER_ADDRESS, TRIES_PER_NAME, WINDOW
from connector.engine.chores import do_chores
from connector.errors import Refused
from connector.store.tables import api_tokens, audit, sessions, sign_in_attempts, users
from connector.web.pages import sign_in as sign_in_page
from tests.integration.conftest import World
from tests.integration.web_visitor import PASSWORD, Visitor, add_user, signed_in


def test_without_a_user_the_page_says_how_to_make_one_and_nobody_gets_in(world: World) -> None:
    visitor = Visitor(world)

    assert "connector users add NAME --role admin" in visitor.get("/sign-in").text
    assert visitor.sign_in("admin", "admin").status_code == 401
    assert visitor.get("/today").headers["location"] == "/sign-in?next=/today"


def test_a_name_in_any_case_and_its_password_lead_to_the_page_that_was_asked_for(world) -> None:
    add_user(world, "ada", "viewer")
    visitor = Visitor(world)
    wanted = visitor.get("/deliveries?state=parked").headers["location"]
    assert wanted == "/sign-in?next=/deliveries%3Fstate%3Dparked"

    answer = visitor.sign_in(" ADA ", next="/deliveries?state=parked")

    assert answer.headers["location"] == "/deliveries?state=parked"
    assert "no such actions" in visitor.get("/deliveries?state=parked").text
    assert "Sign in" not in visitor.get("/today").text


ELSEWHERE = (
    *("//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example"),
    *("javascript:1", "\\\\evil.example", "/ok\r\nSet-Cookie: a=b", "today"),
)


@pytest.mark.parametrize("next", ELSEWHERE)
def test_no_link_leads_to_another_site_after_signing_in(world: World, next: str) -> None:
    add_user(world, "ada", "viewer")

    answer = Visitor(world).sign_in("ada", next=next)

    assert answer.headers["location"] == "/today"


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("bea", PASSWORD), ("", "")])
def test_what_is_wrong_is_told_alike_and_gives_no_session(world, name, password) -> None:
    add_user(world, "ada", "viewer")
    visitor = Visitor(world)

    answer = visitor.sign_in(name, password)

    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert visitor.get("/today").status_code == 303


def test_what_is_stored_lets_nobody_in(world: World) -> None:
    visitor = signed_in(world, "viewer")
    token = visitor.web.cookies["connector"]
    secret = people.add_token(world.workspace.store, "bi", "test", world.now)

    with world.workspace.store.read() as connection:
        rows = [
            str(row)
            for table in (users, sessions, api_tokens, audit, sign_in_attempts)
            for row in connection.execute(select(table))
        ]
    stored = "\n".join(rows)
    assert "$argon2id$" in stored
    for unsafe in (token, secret, secret.removeprefix("npsc_"), PASSWORD):
        assert unsafe not in stored


def test_a_session_ends_after_idle_minutes_and_after_session_hours(world: World) -> None:
    visitor = signed_in(world, "viewer", idle_minutes=30, session_hours=2)
    start = world.now
    for minutes in (29, 58, 87, 116):  # used in time again and again
        world.now = start + timedelta(minutes=minutes)
        assert visitor.get("/today").status_code == 200
    world.now = start + timedelta(hours=2)
    assert visitor.get("/today").status_code == 303

    visitor.sign_in("viewer")
    world.now += timedelta(minutes=31)
    assert visitor.get("/today").status_code == 303


def test_a_page_that_refreshes_itself_keeps_no_session_alive(world: World) -> None:
    visitor = signed_in(world, "viewer", idle_minutes=30)
    start = world.now
    for minutes in (10, 20, 29):
        world.now = start + timedelta(minutes=minutes)
        assert visitor.get("/today", headers={"HX-Request": "true"}).status_code == 200
    world.now = start + timedelta(minutes=31)

    answer = visitor.get("/today", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["hx-refresh"]) == (401, "true")


def test_a_session_that_was_planted_is_worth_nothing_and_each_sign_in_makes_a_new_one(
    world,
) -> None:
    add_user(world, "ada", "viewer")
    visitor = Visitor(world)
    visitor.web.cookies.set("connector", "planted")
    visitor.sign_in("ada")
    first = visitor.web.cookies.get("connector", domain="testserver.local")

    assert first not in (None, "planted")
    assert visitor.get("/sign-in").headers["location"] == "/today"
    visitor.web.cookies.clear()
    visitor.web.cookies.set("connector", "planted")
    assert visitor.get("/today").status_code == 303


def test_signing_out_ends_the_session_also_for_who_kept_its_cookie(world: World) -> None:
    visitor = signed_in(world, "viewer")
    token = visitor.web.cookies["connector"]

    assert visitor.post("/sign-out", "/today").headers["location"] == "/sign-in"

    visitor.web.cookies.set("connector", token)
    assert visitor.get("/today").status_code == 303


@pytest.mark.parametrize("change", ["password", "disable"])
def test_a_new_password_and_disabling_sign_out_everywhere(world: World, change: str) -> None:
    visitor = signed_in(world, "viewer")
    store = world.workspace.store
    if change == "password":
        people.set_password(store, "viewer", "another four words", "test", world.now)
    else:
        people.disable(store, "viewer", "test", world.now)

    assert visitor.get("/today").status_code == 303
    assert visitor.sign_in("viewer").status_code == 401


def test_a_new_role_counts_from_the_next_click_on(world: World) -> None:
    visitor = signed_in(world, "admin")
    assert "Pause" in visitor.get("/deliveries/accounts").text

    people.set_role(world.workspace.store, "admin", "operator", "test", world.now)

    assert "Pause …" not in visitor.get("/deliveries/accounts").text


def counted(world: World) -> list[Any]:
    with world.workspace.store.read() as connection:
        rows = connection.execute(select(sign_in_attempts).order_by(sign_in_attempts.c.subject))
        return list(rows)


def from_address(world: World, told: str) -> Visitor:
    """A browser behind our proxy."""
    networks = (ipaddress.ip_network("10.1.0.0/24"),)
    visitor = Visitor(world, trusted_proxies=networks)
    visitor.web = TestClient(visitor.app, client=("10.1.0.5", 1234), follow_redirects=False)
    visitor.web.headers["X-Forwarded-For"] = told
    return visitor


def test_attempts_are_counted_for_a_name_whatever_the_process(world: World) -> None:
    add_user(world, "ada", "viewer")
    for _ in range(TRIES_PER_NAME):
        assert Visitor(world).sign_in("ada", "wrong").status_code == 401

    blocked = Visitor(world).sign_in("ada")  # a new process, and the right password

    assert blocked.status_code == 429
    assert int(blocked.headers["retry-after"]) <= WINDOW.total_seconds()
    world.now += WINDOW
    assert Visitor(world).sign_in("ada").status_code == 303


def test_a_stranger_does_not_keep_the_owner_of_a_name_out(world: World) -> None:
    add_user(world, "ada", "viewer")
    stranger = from_address(world, "198.51.100.7")
    for _ in range(TRIES_PER_NAME + 1):
        last = stranger.sign_in("ada", "wrong")
    assert last.status_code == 429

    assert from_address(world, "203.0.113.9").sign_in("ada").status_code == 303


def test_a_name_that_is_tried_from_everywhere_is_closed_for_all(world, monkeypatch) -> None:
    monkeypatch.setattr(signing_in, "TRIES_PER_NAME_ANYWHERE", 12)
    add_user(world, "ada", "viewer")
    for number in range(12):
        assert from_address(world, f"198.51.100.{number}").sign_in("ada", "x").status_code == 401

    assert from_address(world, "203.0.113.9").sign_in("ada").status_code == 429


def test_attempts_are_counted_for_an_address_whatever_the_name(world: World) -> None:
    add_user(world, "ada", "viewer")
    visitor = Visitor(world)
    for number in range(TRIES_PER_ADDRESS):
        assert visitor.sign_in(f"guess{number}", "x").status_code == 401

    assert visitor.sign_in("ada").status_code == 429


TOLD = ["203.0.113.9:{}", "[2001:db8::1]:{}", "::ffff:203.0.113.9", "nonsense-{}"]


@pytest.mark.parametrize("told", TOLD)
def test_the_port_of_a_connection_is_no_part_of_its_address(world, monkeypatch, told) -> None:
    monkeypatch.setattr(signing_in, "TRIES_PER_ADDRESS", 3)
    for number in range(3):
        visitor = from_address(world, told.format(50000 + number))
        assert visitor.sign_in(f"guess{number}", "x").status_code == 401

    plain = {"[": "2001:db8::2", "n": "other nonsense"}.get(told[0], "203.0.113.9")
    assert from_address(world, plain).sign_in("guess", "x").status_code == 429


def test_who_is_refused_writes_nothing_into_the_database(world: World, monkeypatch) -> None:
    visitor = Visitor(world)
    for number in range(TRIES_PER_ADDRESS):
        visitor.sign_in(f"guess{number}", "x")
    before = counted(world)

    for number in range(10):
        assert visitor.sign_in(f"further{number}", "x").status_code == 429

    assert counted(world) == before


def test_attempts_that_are_over_are_forgotten_by_the_chores(world: World) -> None:
    Visitor(world).sign_in("guess", "x")
    assert counted(world)
    do_chores(world.workspace, world.now + WINDOW)
    assert counted(world)

    do_chores(world.workspace, world.now + timedelta(hours=1))

    assert counted(world) == []


def test_the_log_names_the_network_of_a_failure_but_not_what_was_typed(world, caplog) -> None:
    from_address(world, "2001:db8::7").sign_in("my password by mistake", "x")

    told = caplog.text
    assert "sign-in from 2001:db8::/64: the name or the password was wrong" in told
    assert "by mistake" not in told


def test_those_who_sign_in_slowly_keep_no_page_waiting(world: World, monkeypatch) -> None:
    visitor = signed_in(world, "viewer")
    may_end, entered = threading.Event(), threading.Semaphore(0)

    def slowly(*_args: object) -> signing_in.SignedIn:
        entered.release()
        may_end.wait(30)
        return signing_in.SignedIn()

    monkeypatch.setattr(sign_in_page, "sign_in", slowly)
    stranger = TestClient(visitor.app)  # the same server
    token = re.search(r'name="form_token" value="(\w+)"', stranger.get("/sign-in").text)
    assert token is not None
    fields = {"form_token": token[1], "name": "ada", "password": "x"}
    with ThreadPoolExecutor(9) as pool:
        slow = [pool.submit(stranger.post, "/sign-in", data=fields) for _ in range(8)]
        try:
            assert entered.acquire(timeout=30)
            assert pool.submit(visitor.get, "/today").result(timeout=30).status_code == 200
        finally:
            may_end.set()
        assert {one.result().status_code for one in slow} == {401}


def test_good_attempts_do_not_use_up_the_address_of_an_office(world: World) -> None:
    add_user(world, "ada", "viewer")
    visitor = Visitor(world)
    for _ in range(TRIES_PER_ADDRESS + 1):
        assert visitor.sign_in("ada").status_code == 303
        visitor.web.cookies.clear()


@pytest.mark.parametrize(
    "password", ["short", "aaaaaaaaaaaaaaaa", "ada ada ada ada", "x" * 201, ""]
)
def test_a_password_that_is_easy_to_guess_is_refused(world: World, password: str) -> None:
    with pytest.raises(Refused):
        people.add_user(world.workspace.store, "ada", password, "admin", "test", world.now)


def test_cookies_are_for_this_server_alone(make_world) -> None:
    world = make_world()
    receiver = world.workspace.settings.receiver.model_copy(
        update={"public_url": "https://testserver"}
    )
    world.workspace.settings = world.workspace.settings.model_copy(update={"receiver": receiver})
    add_user(world, "ada", "viewer")
    visitor = Visitor(world)
    visitor.web.base_url = "https://testserver"

    cookie = visitor.sign_in("ada").headers["set-cookie"]

    assert cookie.startswith("__Host-connector=")
    for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie


def test_users_and_tokens_are_made_changed_and_listed_by_command(
    world, connector, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("TOKEN", "x")
    config = ("--config", str(tmp_path / "connector.yaml"))
    (tmp_path / "password").write_text(PASSWORD + "\n")

    def call(*words: str) -> tuple[int, str, str]:
        return connector(*config, *words)

    assert "connector users add NAME" in call("users", "list")[1]
    taken = (
        "users",
        "add",
        "Ada",
        "--role",
        "admin",
        "--password-file",
        str(tmp_path / "password"),
    )
    assert call(*taken)[0] == 0
    assert call(*taken)[0] == 1  # there is one already
    assert call("users", "role", "ada", "--role", "viewer")[0] == 0
    assert call("users", "disable", "ada")[0] == 0
    code, printed, _ = call("users", "list", "--json")
    assert '"role": "viewer"' in printed
    assert '"disabled": true' in printed
    assert "argon2" not in printed
    assert call("users", "role", "nobody", "--role", "viewer")[0] == 1
    assert call("tokens", "add", "bi", "--role", "admin")[0] == 2  # a token reads, nothing else
    code, token, _ = call("tokens", "add", "bi")
    assert code == 0
    visitor = Visitor(world)
    bearer = {"Authorization": f"Bearer {token.strip()}"}
    assert visitor.get("/api/v1/alarms", headers=bearer).status_code == 200
    assert call("tokens", "revoke", "1")[0] == 0
    assert call("tokens", "revoke", "1")[0] == 1
    assert visitor.get("/api/v1/alarms", headers=bearer).status_code == 401
