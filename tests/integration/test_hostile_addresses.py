"""Addresses and forms that no person writes: each is answered, and none with a mistake of ours."""

from __future__ import annotations

import base64
import json

import pytest

from connector.access import people
from connector.reports import loop
from tests.integration.conftest import World
from tests.integration.loop_world import Cases
from tests.integration.web_visitor import Visitor, add_user, signed_in

HUGE = "9" * 30
PAGES = (
    *("/customers/%00", "/customers?q=a%00b", "/verbatims?customer=%00", "/verbatims?q=%00x"),
    *("/verbatims?topic=%00", "/deliveries?rule=%00", "/deliveries?customer=a%00&state=parked"),
    *("/deliveries?response=%00", "/responses/%00", "/programme?by=%00", "/loop?by=%00"),
    *("/rules?last=%00", "/customers?q=%ED%A0%80", "/deliveries?rule=%ED%A0%80"),
    *("/deliveries/9223372036854775808", f"/decisions/{HUGE}", "/deliveries/9223372036854775807"),
    *(f"/deliveries?before={HUGE}", f"/verbatims?before={HUGE}", f"/programme?min_n={HUGE}"),
)
QUESTIONS = (
    *("/responses/%00", "/responses?customer_id=%00", "/responses?source=a%00", "/cases?sink=%00"),
    *("/actions?rule=%00", "/actions?response=%00", f"/actions/{HUGE}", "/reports/nps?by=%00"),
    *("/responses?since=0001-01-01T00:00:00%2B14:00", "/responses?until=9999-12-31T23:59:59-12:00"),
    *("/reports/nps?until=0001-01-01T00:00:00Z", "/reports/coverage?until=0001-01-02T00:00:00Z"),
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_whatever_stands_in_its_address(browser: Visitor, path: str) -> None:
    assert browser.get(path).status_code in (200, 404)


@pytest.fixture
def browser(world: World) -> Visitor:
    return signed_in(world, "viewer")


def test_a_nul_is_taken_out_and_the_rest_is_looked_for(world: World) -> None:
    world.answer(id="1", score=3, email="ada@example.com", name="Ada Vega")

    assert "Ada Vega" in signed_in(world, "viewer").get("/customers?q=ada%00@example.com").text


def test_signing_in_takes_any_name(world: World) -> None:
    add_user(world, "ada", "viewer")
    visitor = Visitor(world)

    assert visitor.sign_in("a\0", "\0").status_code == 401
    assert visitor.sign_in("nobody", "x" * 5000).status_code == 401


@pytest.mark.parametrize("told", [HUGE, "9223372036854775808", f"x,{HUGE},-1"])
def test_a_number_that_no_action_can_have_is_no_action(world: World, told: str) -> None:
    visitor = signed_in(world, "operator")

    answer = visitor.post("/deliveries/retry", "/today", actions=told)

    assert (answer.status_code, "No action is named" in answer.text) == (400, True)
    path = "/deliveries/9223372036854775808/retry"
    assert visitor.post(path, "/today").status_code == 404


@pytest.mark.parametrize("path", QUESTIONS)
def test_the_api_answers_whatever_it_is_asked(world: World, path: str) -> None:
    headers = {
        "Authorization": "Bearer " + people.add_token(world.workspace.store, "b", "t", world.now)
    }

    assert Visitor(world).get(f"/api/v1{path}", headers=headers).status_code in (200, 400, 404)


@pytest.mark.parametrize("key", [["2026-01-01T00:00:00+00:00", "a\0\ud800"], [HUGE, 1], [2**70]])
def test_the_api_answers_whatever_stands_in_a_cursor(world: World, key: list[object]) -> None:
    headers = {
        "Authorization": "Bearer " + people.add_token(world.workspace.store, "b", "t", world.now)
    }
    after = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")

    for path in ("responses", "cases", "actions", "alarms"):
        answer = Visitor(world).get(f"/api/v1/{path}?after={after}", headers=headers)
        assert answer.status_code in (200, 400), path


def test_more_groups_than_anybody_reads_are_refused_with_a_reason(world, monkeypatch) -> None:
    monkeypatch.setattr(loop, "MOST_GROUPS", 3)
    cases = Cases(world)
    for number in range(4):
        cases.add(owner=f"owner {number}")

    answer = signed_in(world, "viewer").get("/loop?by=owner")

    assert answer.status_code == 400
    assert "has more than 3 values" in answer.text
