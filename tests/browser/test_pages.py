"""Sign-in, Today and Deliveries in a browser: accessible in each look, usable, inert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import LOOKS, Look, assert_accessible

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
