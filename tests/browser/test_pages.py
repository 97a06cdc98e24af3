"""Sign-in, Today and Deliveries in a browser: accessible in each look, usable, inert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LOOKS, PASSWORD, Look, assert_accessible
from tests.seeding import HOSTILE

DESK = Look("light", 1280)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_sign_in_page_is_accessible(open_page: Callable[..., Any], look: Look) -> None:
    page = open_page(look)
    page.goto("/sign-in")

    assert_accessible(page, "sign-in", look)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_is_accessible(signed_in: Callable[..., Any], look: Look) -> None:
    page = signed_in(look, "/today")
    assert_accessible(page, "today", look)
    page.goto("/deliveries")
    assert_accessible(page, "deliveries", look)
    page.goto("/deliveries?state=parked")
    page.get_by_text("again …").click()
    assert_accessible(page, "parked", look)
    page.locator("tbody a").first.click()
    for summary in page.locator("summary").all():
        summary.click()
    assert_accessible(page, "delivery", look)
    page.goto("/deliveries/accounts")
    for summary in page.locator("summary").all():
        summary.click()
    assert_accessible(page, "accounts", look)
    page.goto("/api/")
    assert_accessible(page, "api", look)


def test_what_customers_wrote_runs_nowhere(signed_in: Callable[..., Any]) -> None:
    page = signed_in(DESK, "/today")
    dialogs: list[Any] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

    for path in ("/today", "/deliveries", "/deliveries?state=parked"):
        page.goto(path)
        assert page.locator("img").count() == 0
        assert HOSTILE.split()[0] in page.locator("main").inner_text()
    assert dialogs == []


def test_today_changes_by_itself_and_keeps_the_place_of_who_reads(
    signed_in: Callable[..., Any], served: Any
) -> None:
    from connector.store import alarms

    page = signed_in(DESK, "/today")
    link = page.locator("a[id^=case-]").first
    link.focus()
    store, now = served[1].workspace.store, served[1].now
    store.write(lambda c: alarms.raise_alarm(c, "quota", "x", "nearly used up", now))
    try:
        page.evaluate("htmx.trigger(document.querySelector('.live'), 'refresh')")
        page.get_by_text("nearly used up").wait_for()
        assert page.evaluate("document.activeElement.id") == link.get_attribute("id")
    finally:
        store.write(lambda c: alarms.clear_alarm(c, "quota", "x", now))


def test_today_can_be_made_to_stay_as_it_is(signed_in: Callable[..., Any]) -> None:
    page = signed_in(DESK, "/today")
    page.get_by_role("link", name="Let it stay as it is").click()
    page.get_by_text("This page stays as it is.").wait_for()
    assert page.locator("[hx-trigger]").count() == 0
    assert_accessible(page, "today-still", DESK)
    page.get_by_role("link", name="Refresh it by itself").click()
    page.wait_for_url("**/today")
    assert page.locator("[hx-trigger]").count() == 1


def test_everything_can_be_done_without_scripts_and_by_keyboard(
    signed_in: Callable[..., Any], served: Any
) -> None:
    page = signed_in(DESK, "/deliveries", scripts=False)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to content"
    page.goto("/deliveries/accounts")
    account = served[1].workspace.accounts["desk"]
    panel = page.locator("section.panel", has=page.get_by_role("heading", name=account))
    panel.locator("summary", has_text="Pause").focus()
    page.keyboard.press("Enter")
    panel.get_by_label("Why").fill("they migrate")
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    expect(panel).to_contain_text("By ada, until a person resumes it: they migrate")

    panel.locator("summary", has_text="Resume").click()
    panel.get_by_role("button", name=f"Resume {account}").click()

    page.wait_for_url("**said=resumed")
    assert "they migrate" not in page.locator("main").inner_text()


def test_who_may_only_look_sees_no_button_that_would_be_refused(
    signed_in: Callable[..., Any],
) -> None:
    page = signed_in(DESK, "/deliveries?state=parked", user="vic")

    assert page.get_by_role("button").all_inner_texts() == ["Sign out", "Filter"]
    page.goto("/deliveries/accounts")
    assert page.get_by_role("button").all_inner_texts() == ["Sign out"]


def test_a_wrong_password_is_said_and_the_name_stays(open_page: Callable[..., Any]) -> None:
    page = open_page(DESK)
    page.goto("/sign-in?next=/deliveries")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("no")
    page.keyboard.press("Enter")

    assert "wrong" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Name").input_value() == "ada"
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/deliveries")
