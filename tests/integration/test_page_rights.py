"""Who may see and do what: every route, forms of other sites, proxies, headers."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from connector.domain import ROLES
from connector.web import app
from connector.web.frame import Frame
from tests.integration.conftest import World
from tests.integration.web_visitor import Visitor, add_user, signed_in
from tests.seeding import HOSTILE, seed

# What needs no sign-in, and why: it lets in, is no secret, or has keys of its own.
OPEN = {
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/static/{name:path}"),
    ("GET", "/robots.txt"),
    ("GET", "/"),  # leads to the first page
    ("POST", "/hooks/{source}"),
    ("POST", "/news/{sink}"),
    ("GET", "/u/{token}"),
    ("POST", "/u/{token}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}


def every_route(visitor: Visitor) -> list[tuple[str, str]]:
    found = []
    for route in visitor.app.routes:
        assert isinstance(route, Route), "a mount hides its routes from this test"
        found += [(method, route.path) for method in (route.methods or ()) if method != "HEAD"]
    return found


def concrete(path: str) -> str:
    return re.sub(r"\{[a-z]+(:int)?\}", "1", path)


def test_nothing_is_open_but_what_has_to_be(world: World) -> None:
    visitor = Visitor(world)
    add_user(world, "ada", "admin")
    routes = every_route(visitor)
    assert set(routes) >= OPEN

    for method, path in routes:
        if (method, path) in OPEN:
            continue
        answer = visitor.web.request(method, concrete(path))
        if path.startswith("/api/v1"):
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/sign-in"), path


def test_a_page_that_does_not_say_whom_it_is_for_is_not_served(world, monkeypatch) -> None:
    class Forgetful:
        TITLE, PATH = "Open", "/open"

        @staticmethod
        def routes(_frame: Frame) -> list[Route]:
            return [Route("/open", lambda _request: None)]

    monkeypatch.setattr(app, "import_module", lambda _name: Forgetful)
    with pytest.raises(TypeError, match="whom it is for"):
        app.page_routes(world.workspace)


@pytest.mark.parametrize("role", ROLES)
def test_whoever_may_only_look_changes_nothing(world: World, role: Any) -> None:
    """Every POST but signing in and out needs an operator; what stops everybody an admin."""
    visitor = signed_in(world, role)
    token = visitor.form_token("/today")
    for method, path in every_route(visitor):
        if method != "POST" or (method, path) in OPEN or path == "/sign-out":
            continue
        answer = visitor.web.post(concrete(path), data={"form_token": token})
        needed = "admin" if path.startswith("/deliveries/accounts/") else "operator"
        if ROLES.index(role) < ROLES.index(needed):
            assert answer.status_code == 403, path
            assert f"This needs the role {needed}" in answer.text
        else:
            assert answer.status_code in (400, 404), path


FORGED: list[tuple[str, dict[str, str], str]] = [
    ("without a token", {}, ""),
    ("with a token of nobody", {}, "0" * 64),
    ("by another site", {"Origin": "https://evil.example"}, "good"),
    ("by a sandboxed frame", {"Origin": "null"}, "good"),
    ("by another site, as browsers say", {"Sec-Fetch-Site": "cross-site"}, "good"),
    ("by a sibling site", {"Sec-Fetch-Site": "same-site"}, "good"),
]


@pytest.mark.parametrize(("_how", "headers", "told"), FORGED, ids=[case[0] for case in FORGED])
def test_a_form_that_was_sent_is_refused(world, _how, headers, told) -> None:
    visitor = signed_in(world, "operator")
    token = visitor.form_token("/today") if told == "good" else told

    answer = visitor.web.post("/sign-out", data={"form_token": token}, headers=headers)

    assert answer.status_code == 403
    assert visitor.get("/today").status_code == 200
    mine = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    good = {"form_token": visitor.form_token("/today")}
    assert visitor.web.post("/sign-out", data=good, headers=mine).status_code == 303


def test_the_token_of_a_form_belongs_to_one_session(world: World) -> None:
    mine, other = signed_in(world, "operator"), signed_in(world, "admin")

    answer = mine.web.post("/sign-out", data={"form_token": other.form_token("/today")})

    assert answer.status_code == 403


def test_signing_in_by_a_form_of_another_site_is_refused(world: World) -> None:
    add_user(world, "ada", "viewer")
    visitor = Visitor(world)
    fields = {"name": "ada", "password": "four plain words here", "form_token": "0" * 64}

    assert visitor.web.post("/sign-in", data=fields).status_code == 403
    assert visitor.get("/today").status_code == 303


def test_every_page_forbids_scripts_of_others_frames_and_guessing(world: World) -> None:
    visitor = signed_in(world, "admin")
    for path in ("/sign-in", "/today", "/deliveries", "/nowhere-else", "/api/", "/api/v1/health"):
        headers = visitor.get(path).headers
        if path == "/nowhere-else":
            continue
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy, path
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


def test_what_customers_and_vendors_wrote_is_text_on_every_page(world: World) -> None:
    seed(world)
    visitor = signed_in(world, "admin")
    paths = ["/today", "/deliveries", "/deliveries?state=parked", "/deliveries/accounts"]
    paths += [f"/deliveries/{row.id}" for row in world.actions()]
    paths += [f"/deliveries?rule={HOSTILE}", f"/deliveries?response={HOSTILE}"]
    seen = ""
    for path in paths:
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert "<img src=x" not in answer.text, path
        assert "<b>Dana" not in answer.text, path
        assert 'href="javascript:' not in answer.text, path
        assert "style=" not in answer.text, path
        seen += answer.text
    assert "&lt;script&gt;alert(1)" in seen
    assert "{{ 7*7 }}" in seen


def test_files_that_never_change_are_kept_and_others_do_not_exist(world: World) -> None:
    visitor = Visitor(world)
    page = visitor.get("/sign-in").text
    path = page.partition('rel="stylesheet" href="')[2].partition('"')[0]

    answer = visitor.get(path, headers={"Accept-Encoding": "gzip"})

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "--accent" in answer.text
    for wrong in ("/static/app.css", "/static/../frame.py", "/static/%2e%2e/frame.py"):
        assert visitor.get(wrong).status_code == 404


def test_without_a_dashboard_there_is_only_the_receiver(world: World) -> None:
    visitor = Visitor(world, enabled=False)

    assert visitor.get("/sign-in").status_code == 404
    assert visitor.get("/api/v1/health").status_code == 404
    assert visitor.get("/healthz").status_code == 200


def by_proxy(world: World, peer: str = "10.1.0.5", **settings: Any) -> Visitor:
    networks = (ipaddress.ip_network("10.1.0.0/24"),)
    visitor = Visitor(world, sign_in="proxy", trusted_proxies=networks, **settings)
    visitor.web = TestClient(visitor.app, client=(peer, 1234), follow_redirects=False)
    return visitor


def test_a_trusted_proxy_says_who_it_is_and_nobody_else(world: World) -> None:
    header = {"X-Forwarded-User": "ada"}

    page = by_proxy(world).get("/today", headers=header)

    assert page.status_code == 200
    assert "ada" in page.text
    assert "Sign out" not in page.text
    assert by_proxy(world).get("/today").status_code == 403
    for peer in ("10.1.1.5", "192.0.2.1", "testclient"):
        told = {**header, "X-Forwarded-For": "10.1.0.5"}
        assert by_proxy(world, peer).get("/today", headers=told).status_code == 403
    assert by_proxy(world).get("/sign-in").status_code == 404


@pytest.mark.parametrize(
    ("told", "status", "may"),
    [("admin", 200, True), ("Viewer", 200, False), ("root", 403, False), (None, 403, False)],
)
def test_a_proxy_has_to_say_the_role(world, told: str | None, status: int, may: bool) -> None:
    visitor = by_proxy(world, role_header="X-Role", default_role="admin")
    headers = {"X-Forwarded-User": "ada"} | ({"X-Role": told} if told else {})

    answer = visitor.get("/deliveries/accounts", headers=headers)

    assert answer.status_code == status
    assert ("Pause …" in answer.text) is may


def test_forms_behind_a_proxy_have_tokens_too(world: World) -> None:
    visitor = by_proxy(world, role_header="X-Role")
    headers = {"X-Forwarded-User": "ada", "X-Role": "admin"}
    visitor.web.headers.update(headers)
    account = world.workspace.accounts["desk"]

    forged = visitor.web.post("/deliveries/accounts/pause", data={"account": account})
    real = visitor.post("/deliveries/accounts/pause", "/deliveries/accounts", account=account)

    assert (forged.status_code, real.status_code) == (403, 303)
