"""The months before `demo --serve`: lived through by the real stages, the same at both sides."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connector import config
from connector.cli.demo import counting, past, reliving
from connector.cli.demo.seeding import seed
from connector.cli.demo.staging import staged
from connector.store import arrivals, cases
from connector.workspace import open_workspace

DAYS = 9


@pytest.fixture
def lived(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nine days of the three months: what our store says, and what the stand-ins counted."""
    monkeypatch.setattr(past, "DAYS", DAYS)
    now = datetime.now(UTC)
    with staged(None) as stage:
        seed(stage.sandbox, now)
        workspace = open_workspace(config.load(stage.config, environment={}), now)
        try:
            added = {"added_at": now - reliving.LENGTH}
            workspace.store.write(lambda c: arrivals.update_source(c, reliving.SOURCE, **added))
            reliving.relive(workspace, stage.sandbox, now, lambda kind, line: None)
            found = counting.result(workspace.store, stage.sandbox.urls, 0, now)
            with workspace.store.read() as connection:
                yield found, cases.opened_after(connection, 0), stage.sandbox.clock.offset_seconds
        finally:
            workspace.store.close()


def test_what_the_stand_ins_counted_is_what_our_store_says_and_people_have_worked(lived):
    found, opened, offset = lived
    assert counting.differences(found) == []
    assert found["lived"] > DAYS * 2
    assert {case.state for case in opened} >= {"open", "closed"}
    assert all(case.closed_at >= case.contacted_at for case in opened if case.state == "closed")
    assert any(case.cause for case in opened)
    assert offset == 0.0, "the stand-ins' clock is right again"


def test_the_story_is_the_same_every_time_and_nobody_in_it_looks_real():
    now = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    first, again = list(past.answers(now)), list(past.answers(now))
    assert first == again
    assert len(first) > 400
    assert all(one.who.name.startswith("Sample Customer") for one in first)
    assert all(one.who.email.endswith("@sample.example") for one in first)
    assert first == sorted(first, key=lambda one: one.at)
