"""A real browser before the real server on a seeded store.

Another page's tests need no more than `signed_in` (a Playwright page of an admin), `looks` (every
width and scheme) and `assert_accessible`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connector import config
from connector.access import people
from connector.engine.serving import WebServer
from connector.web.app import application
from connector.workspace import open_workspace
from tests.integration.conftest import CONNECTOR, RULES, SECRET, World
from tests.seeding import seed

PASSWORD = "four plain words here"
WIDTHS = {"phone": 375, "desk": 1280}
SHOTS = os.environ.get("CONNECTOR_SCREENSHOTS")  # a folder for what was seen


class Look(NamedTuple):
    scheme: str
    width: int

    def __str__(self) -> str:
        return f"{self.scheme}-{self.width}"


LOOKS = [Look(scheme, width) for scheme in ("light", "dark") for width in WIDTHS.values()]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Playwright's own browsers are not downloaded: the machine's is used. Its event loop ends with
    each file: tests that bring a loop of their own may come next."""
    found = os.environ.get("CONNECTOR_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("no chromium on PATH; install one, or name it in CONNECTOR_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebServer, World]]:
    """The server of `connector run` without its engine, and what it serves; the users `ada` (admin)
    and `vic` (viewer)."""
    folder: Path = tmp_path_factory.mktemp("served")
    (folder / "templates/thank_you").mkdir(parents=True)
    (folder / "templates/thank_you/en.txt").write_text("Subject: Thank you\n\nThank you.\n")
    (folder / "rules.yaml").write_text(RULES)
    (folder / "connector.yaml").write_text(CONNECTOR.format(surge=200))
    names = {"SECRET": SECRET, "TOKEN": "t0ken", "STORE_URL": "sqlite:///served.db"}
    settings = config.load(folder / "connector.yaml", names)
    now = datetime.now(UTC).replace(microsecond=0)
    workspace = open_workspace(settings, now - timedelta(days=30), follow=True)
    world = World(workspace, now)
    seed(world, apart=timedelta(hours=3))
    people.add_user(workspace.store, "ada", PASSWORD, "admin", "test", now)
    people.add_user(workspace.store, "vic", PASSWORD, "viewer", "test", now)
    server = WebServer(application(workspace, lambda: None, lambda _: None), "127.0.0.1", 0)
    server.start()
    yield server, world
    server.stop()
    workspace.store.close()


@pytest.fixture
def open_page(chromium: Any, served: tuple[WebServer, World]) -> Iterator[Callable[..., Any]]:
    """`open_page(look, scripts=True)`: an empty page of a new visitor. Whatever the browser
    complains about (a refused script or style, an error) fails the test."""
    opened: list[Any] = []
    complaints: list[str] = []

    def opens(look: Look, scripts: bool = True) -> Any:
        context = chromium.new_context(
            base_url=served[0].url,
            color_scheme=look.scheme,
            viewport={"width": look.width, "height": 900},
            java_script_enabled=scripts,
            bypass_csp=False,
        )
        context.set_default_timeout(30_000)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if _is_bad(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield opens
    for context in opened:
        context.close()
    assert complaints == []


def _is_bad(said: Any) -> bool:
    """A page that is refused with a status is no trouble of the browser's."""
    return bool(said.type == "error") and "responded with a status of" not in said.text


@pytest.fixture
def signed_in(open_page: Callable[..., Any]) -> Callable[..., Any]:
    """`signed_in(look, path, user="ada")`: a page at `path`, after signing in by the form."""

    def enter(look: Look, path: str, user: str = "ada", scripts: bool = True) -> Any:
        page = open_page(look, scripts)
        page.goto(path)
        page.get_by_label("Name").fill(user)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{path}")
        return page

    return enter


def assert_accessible(page: Any, name: str, look: Look) -> None:
    """No violation that axe knows, nothing wider than the screen."""
    from axe_playwright_python.sync_playwright import Axe

    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}-{look}.png", full_page=True)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{name} is {wide} px wider than {look.width} px"
