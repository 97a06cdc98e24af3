"""A browser without scripts, for tests of the pages: signs in, fills in forms, follows links."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.testclient import TestClient

from connector.access import people
from connector.web.app import application
from tests.integration.conftest import World

PASSWORD = "four plain words here"
_TOKEN = re.compile(r'name="form_token" value="(\w+)"')


class Visitor:
    """One browser. Its clock is the world's `now`, which a test may move."""

    def __init__(self, world: World, **settings: Any) -> None:
        if settings:
            changed = world.workspace.settings.dashboard.model_copy(update=settings)
            world.workspace.settings = world.workspace.settings.model_copy(
                update={"dashboard": changed}
            )
        self.world = world
        clock: Callable[[], datetime] = lambda: self.world.now  # noqa: E731
        self.app = application(world.workspace, lambda: None, lambda _: None, clock=clock)
        self.web = TestClient(self.app, follow_redirects=False)

    def get(self, path: str, **more: Any) -> Any:
        return self.web.get(path, **more)

    def form_token(self, path: str) -> str:
        found = _TOKEN.search(self.get(path).text)
        assert found is not None, f"{path} has no form"
        return found[1]

    def post(self, path: str, seen_at: str = "", **fields: str) -> Any:
        """As the form on `seen_at` does it."""
        token = self.form_token(seen_at) if seen_at else ""
        return self.web.post(path, data={"form_token": token, **fields})

    def sign_in(self, name: str, password: str = PASSWORD, **more: str) -> Any:
        return self.post("/sign-in", "/sign-in", name=name, password=password, **more)


def add_user(world: World, name: str, role: Any) -> None:
    people.add_user(world.workspace.store, name, PASSWORD, role, "test", world.now)


def signed_in(world: World, role: Any, **settings: Any) -> Visitor:
    add_user(world, role, role)
    visitor = Visitor(world, **settings)
    assert visitor.sign_in(role).status_code == 303
    return visitor
