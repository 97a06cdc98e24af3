"""The pictures of README and docs, taken from the demo's pages by a real browser.

    make screenshots

Chromium is found on PATH, or by CONNECTOR_CHROMIUM.
"""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from connector.cli.demo import showing
from connector.cli.demo.play import perform, running
from connector.cli.demo.posting import Poster
from connector.cli.demo.seeding import seed
from connector.cli.demo.serving import USER, let_in
from connector.cli.demo.staging import staged

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 375, "height": 760}
PAGES = ("today", "programme", "loop", "verbatims", "deliveries", "rules")


def main() -> None:
    found = os.environ.get("CONNECTOR_CHROMIUM") or shutil.which("chromium")
    if found is None:
        sys.exit("no chromium on PATH; install one, or name it in CONNECTOR_CHROMIUM")
    IMAGES.mkdir(exist_ok=True)
    started = datetime.now(UTC)
    with staged(None) as stage:
        seed(stage.sandbox, started)
        with running(stage, started, showing.speaker(), lived=True) as run:
            perform(run, stage.sandbox, started, Poster(run.url, showing.silent, run.watcher.look))
            password = let_in(run.workspace.store, started)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
                _wide(_signed_in(browser, run.url, password, WIDE))
                _take(_signed_in(browser, run.url, password, PHONE), "today-phone")
                browser.close()


def _signed_in(browser: Any, url: str, password: str, size: Any) -> Any:
    page = browser.new_context(base_url=url, viewport=size).new_page()
    page.goto("/today")
    page.get_by_label("Name").fill(USER)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/today")
    return page


def _wide(page: Any) -> None:
    for name in PAGES:
        page.goto(f"/{name}")
        _take(page, name)
    page.goto("/customers?q=Dora")
    page.get_by_role("link", name="Dora Detractor").first.click()
    page.wait_for_url("**/customers/*")
    _take(page, "customer")
    page.get_by_role("link", name="why").first.click()
    page.wait_for_url("**/decisions/*")
    _take(page, "why")


def _take(page: Any, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


if __name__ == "__main__":
    main()
