"""Other rules tried from the page: in a process of their own, one at a time, without persons."""

from __future__ import annotations

import multiprocessing
import re
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from connector import erasure
from connector.store import backtests as kept
from connector.store.tables import backtests as table
from connector.web import backtests, replay_process
from tests.integration.test_reading_pages import browse, shown

__all__ = ["browse"]  # a fixture

WORST = """
rules:
  - id: worst
    when: {score: {at_most: 2}}
    then:
      - zendesk.ticket: {priority: urgent, next_step: Call.}
"""
SLOW = """
rules:
  - id: slow
    when: {comment: {matches: "[ab]{0,40}[ab]{0,40}(a|b)?(a|b)?x"}}
    then: [{log: {}}]
"""
HEADERS = {"origin": "http://testserver"}


def asked(client: TestClient, text: str) -> dict[str, str]:
    html = shown(client, "/rules/backtest")
    token = re.search(r'name="form_token" value="([^"]*)"', html)[1]
    return {"form_token": token, "rules": text, "days": "7"}


def post(client: TestClient, text: str):
    data = asked(client, text)
    return client.post("/rules/backtest", data=data, headers=HEADERS, follow_redirects=False)


def replayed(client: TestClient, text: str) -> str:
    """The address of a result."""
    begun = post(client, text)
    assert begun.status_code == 303, begun.text
    for thread in threading.enumerate():
        if thread.name == "backtest":
            thread.join()
    return begun.headers["location"]


def row_of(world):
    with world.workspace.store.read() as connection:
        return connection.execute(select(table)).one()


@pytest.fixture
def four(world):
    for number, score in enumerate((2, 3, 5, 10)):
        world.answer(
            id=str(number),
            score=score,
            comment=f"words of {number}",
            email=f"p{number}@example.com",
            name=f"Person {number}",
        )
    return world


def test_other_rules_are_tried_and_nothing_is_activated(four, browse):
    client = browse()
    result = shown(client, replayed(client, WORST))
    assert "4 answers were replayed" in result
    assert "fewer" in result
    assert "worst" in result
    assert "words of 1" in result
    broken = post(client, "rules: [{}]")
    assert broken.status_code == 400
    assert "have mistakes" in broken.text
    assert "worst" not in shown(client, "/rules")


def test_who_is_erased_is_in_no_result_of_before(four, browse):
    client = browse()
    path = replayed(client, WORST)
    before = shown(client, path)
    assert "Person 1" in before
    assert "Person 2" in before
    row = repr(tuple(row_of(four)))
    assert not re.search("Person|words of|example.com", row), "no person is kept with it"

    erasure.erase_email(four.workspace.store, "p1@example.com", four.now)

    after = shown(client, path)
    assert "Person 1" not in after
    assert "words of 1" not in after
    assert after.count("/responses/") == before.count("/responses/") - 1, "their row is gone"
    assert "Person 2" in after


def test_every_process_knows_what_another_one_has_replayed(four, browse):
    first, second = browse(), browse()
    path = replayed(first, WORST)
    assert "4 answers were replayed" in shown(second, path)
    four.now += timedelta(hours=1)
    assert "not kept any more" in shown(first, path, 404)


def test_one_runs_at_a_time_whichever_process_is_asked(four, browse):
    client, now = browse(), four.now
    row = {"id": "other", "days": 7, "total": 4, "ends_at": now + timedelta(minutes=3)}
    assert four.workspace.store.write(lambda c: kept.begin(c, now, row))

    assert 'id="backtest"' in shown(client, "/rules/backtest/other")
    refused = post(client, WORST)
    assert refused.status_code == 409
    assert "Another backtest runs" in refused.text

    four.now += timedelta(minutes=3)  # whoever ran it has died
    assert kept.DIED in shown(client, "/rules/backtest/other")
    assert "4 answers were replayed" in shown(client, replayed(client, WORST))


def test_rules_that_take_too_long_are_killed_and_the_next_ones_are_tried(
    world, browse, monkeypatch
):
    for number in range(40):
        world.post(id=str(number), score=3, comment="ab" * 1_000, email=f"p{number}@example.com")
    while world.decide().records:
        pass
    client = browse()
    with monkeypatch.context() as patch:
        patch.setattr(backtests, "MOST_SECONDS", 4.0)
        path = replayed(client, SLOW)

    assert f"It was not finished: {replay_process.TOO_LONG}" in shown(client, path)
    assert multiprocessing.active_children() == []
    assert row_of(world).done == 0
    assert "40 answers were replayed" in shown(client, replayed(client, WORST))


def test_how_far_it_is_comes_alone_and_the_end_reloads_the_page(four, browse):
    client, now = browse(), four.now
    row = {"id": "one", "days": 7, "total": 4_000, "ends_at": now + timedelta(minutes=3)}
    four.workspace.store.write(lambda c: kept.begin(c, now, row))
    four.workspace.store.write(lambda c: kept.reach(c, "one", 1_000))
    by_itself = {"hx-request": "true"}

    whole = shown(client, "/rules/backtest/one")
    part = client.get("/rules/backtest/one", headers=by_itself).text

    assert '<p role="status">Replaying 4,000 decisions.</p>' in whole
    assert 'value="1000"' in part
    assert "status" not in part, "what is said aloud is not said again every second"
    four.workspace.store.write(
        lambda c: c.execute(update(table).values(running=None, failed="it ended"))
    )
    assert client.get("/rules/backtest/one", headers=by_itself).headers["hx-refresh"] == "true"
