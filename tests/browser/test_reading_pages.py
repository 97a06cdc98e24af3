"""Programme, Verbatims, Customers, decisions and Rules in a browser: accessible, live, inert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from connector import erasure, projecting
from connector.reports.stories import search
from tests.browser.conftest import LOOKS, Look, assert_accessible
from tests.seeding import HOSTILE

DESK = Look("light", 1280)


def take_in(world: Any) -> None:
    while world.decide().records:
        pass
    while projecting.project(world.workspace):
        pass


@pytest.fixture(scope="module")
def customer(served: Any) -> Iterator[str]:
    """The address of a customer with cases; everything is projected."""
    world = served[1]
    for number in range(40):
        at = (world.now - timedelta(days=2 * number, hours=1)).isoformat()
        world.post(id=f"b{number}", score=(10, 9, 8, 3)[number % 4], at=at)
    take_in(world)
    with world.workspace.store.read() as connection:
        yield f"/customers/{search(connection, 'person0@example.com')[0].id}"


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_pages_that_read_projections_are_accessible(
    signed_in: Callable[..., Any], customer: str, look: Look
) -> None:
    page = signed_in(look, "/programme")
    for name, path in (
        ("programme", "/programme?min_n=1&by=rule"),
        ("verbatims", "/verbatims"),
        ("customers", "/customers?q=person"),
        ("customer", customer),
        ("decision", "/decisions/1"),
        ("rules", "/rules"),
        ("backtest", "/rules/backtest"),
    ):
        page.goto(path)
        assert_accessible(page, name, look)


def test_a_new_answer_is_announced_and_nothing_moves_until_it_is_shown(
    signed_in: Callable[..., Any], served: Any, customer: str
) -> None:
    world = served[1]
    page = signed_in(DESK, "/verbatims")
    link = page.locator("ol.verbatims a").first
    link.focus()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('ol.verbatims li'))")
    selected = page.evaluate("getSelection().toString()")
    world.post(id="live", score=1, comment=f"just now {HOSTILE}", at=world.now.isoformat())
    take_in(world)
    page.get_by_role("status").get_by_text("1 new").wait_for()
    assert page.evaluate("getSelection().toString()") == selected != ""
    assert page.evaluate("document.activeElement.id") == link.get_attribute("id")
    assert_accessible(page, "verbatims-news", DESK)
    page.get_by_role("link", name="show").click()
    page.get_by_text("just now <script>").wait_for()
    assert page.locator("#verbatims img").count() == 0


def test_who_is_erased_goes_from_an_open_page(
    signed_in: Callable[..., Any], served: Any, customer: str
) -> None:
    world = served[1]
    at = world.now.isoformat()
    world.post(id="gone", score=2, comment="remember me", email="gone@example.com", at=at)
    take_in(world)
    page = signed_in(DESK, "/verbatims")
    told = page.get_by_text("remember me")
    told.wait_for()
    erasure.erase_email(world.workspace.store, "gone@example.com", world.now)
    told.wait_for(state="detached")
    page.locator("ol.verbatims > li").nth(1).wait_for()


def test_words_are_searched_and_lead_to_the_customer_without_scripts(
    signed_in: Callable[..., Any], customer: str
) -> None:
    page = signed_in(DESK, "/verbatims", scripts=False)
    page.get_by_label("Words").fill("PROMISED")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("ol.verbatims > li")).to_have_count(3)
    page.locator("ol.verbatims > li .meta a").first.click()
    page.get_by_role("heading", name="What happened").wait_for()
    page.get_by_role("link", name="why").first.click()
    page.get_by_role("heading", name="What its rules said").wait_for()


def test_other_rules_are_replayed_from_the_page(
    signed_in: Callable[..., Any], customer: str
) -> None:
    page = signed_in(DESK, "/rules")
    page.get_by_role("link", name="Try other rules").click()
    page.get_by_label("rules.yaml").fill("rules: []\ndefault: {then: [{log: {}}]}\n")
    page.get_by_role("button", name="Replay").click()
    page.get_by_role("heading", name="What would change").wait_for()
    page.get_by_text("fewer").first.wait_for()
    assert_accessible(page, "backtest-result", DESK)
