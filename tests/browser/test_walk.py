"""A working day with the whole program: the angry VIP, why, the ticket, and that it is closed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from connector.cli.demo import scenario, showing
from connector.cli.demo.play import Running, running
from connector.cli.demo.posting import Poster, typeform
from connector.cli.demo.scenario import Answer
from connector.cli.demo.seeding import seed
from connector.cli.demo.serving import USER, let_in
from connector.cli.demo.staging import Stage, staged
from connector.engine import embedded

SOON = 20_000  # milliseconds, on a busy machine


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, Stage, str]]:
    """`connector demo --serve` without its three months: engine, receiver, pages, stand-ins. What
    happens is heard of by webhook, or not at all."""
    monkeypatch.setattr(embedded, "_LONGEST_SLEEP_SECONDS", 600.0)
    with staged(None) as stage:
        started = datetime.now(UTC)
        seed(stage.sandbox, started)
        with running(stage, started, showing.silent) as run:
            stage.sandbox.zendesk.call_webhook(f"{run.url}/news/zendesk-main")
            yield run, stage, let_in(run.workspace.store, started)


def test_find_the_angry_vip_see_why_follow_the_ticket_and_watch_it_close(
    chromium: Any, at_work: tuple[Running, Stage, str]
) -> None:
    run, stage, password = at_work
    vip = scenario.THEA
    post = Poster(run.url, showing.silent, lambda: None)
    angry = Answer(1, "Three weeks and no reply.", vip, 1)
    webhook = typeform(77, angry, datetime.now(UTC), stage.sandbox.secrets["TYPEFORM_SECRET"])
    post.post("typeform", webhook)
    assert post.refused == []

    page = chromium.new_context(base_url=run.url).new_page()
    page.set_default_timeout(SOON)
    page.goto("/today")
    page.get_by_label("Name").fill(USER)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/today")

    reload_until(page, lambda: page.get_by_role("link", name=vip.name).count() > 0)
    page.get_by_role("link", name=vip.name).first.click()
    expect(page.get_by_text("Three weeks and no reply.").first).to_be_visible()
    customer = page.url

    page.get_by_role("link", name=re.compile("why", re.IGNORECASE)).first.click()
    expect(page.get_by_text("detractor-high-value").first).to_be_visible()
    page.goto(customer)

    ticket = page.locator("a[href*='/agent/tickets/']").first
    number = int(str(ticket.get_attribute("href")).rpartition("/")[2])
    written = str(stage.sandbox.zendesk.state["comments"][str(number)])
    link = re.search(rf"{re.escape(run.url)}/customers/[0-9a-f]+", written)
    assert link, "the ticket leads back to the customer's page"
    assert urlsplit(link[0]).path == urlsplit(customer).path

    stage.sandbox.zendesk.take(number)
    told = {"Root cause": "cause_slow_support", "Action taken": "Called, credited a month"}
    stage.sandbox.zendesk.solve(number, told)
    reload_until(page, lambda: page.get_by_text("Called, credited a month").count() > 0)
    expect(page.get_by_text(re.compile("closed", re.IGNORECASE)).first).to_be_visible()
    page.goto("/today")
    assert page.get_by_role("link", name=vip.name).count() == 0


def reload_until(page: Any, holds: Callable[[], bool]) -> None:
    """Pages are made on the server: whoever waits reloads."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(200)
        page.reload()
    raise AssertionError(f"it never came: {page.inner_text('main')}")
