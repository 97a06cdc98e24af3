"""Input that is huge, odd or at the edge of a clock, through the doors and into the store."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest
from sqlalchemy import select

from connector import customers, facts, importing, intake
from connector.domain import Pulled, Respondent
from connector.store import arrivals, browsing
from connector.store.database import StoreDown
from connector.store.tables import metadata


class Pages:
    """A source that gives these pages."""

    def __init__(self, *pages: Pulled) -> None:
        self.pages = pages

    def pull(self, cursor, now):
        yield from self.pages

    def check(self, now):
        return ()


def records(count: int, **more) -> tuple[bytes, ...]:
    said = {"survey": "nps", **more}
    return tuple(
        json.dumps({"id": f"r{n}", "score": n % 11, **said}).encode() for n in range(count)
    )


def test_a_page_of_five_thousand_old_answers_makes_no_action_and_a_second_one_nothing(world):
    old = (world.now - timedelta(days=30)).isoformat()
    page = Pulled(records=records(5000, at=old), cursor="c1")
    first = intake.poll(world.workspace, "app", Pages(page), world.now)
    second = intake.poll(world.workspace, "app", Pages(page), world.now)

    assert (first.new, first.repeated) == (5000, 0)
    assert (second.new, second.repeated) == (0, 5000)
    world.post(id="live", score=1)
    assert world.decide().sinks == {"desk"}, "a live answer does not wait for the old ones"
    assert [kind for kind, _ in world.made()] == ["zendesk.ticket"]


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "x" * 5000 + "@example.com"},
        {"email": "a@b@c", "name": "\x00\r\nBcc: all@example.com"},
        {"name": "n" * 100_000},
        {"comment": "x" * 100_000, "email": "ana@example.com"},
        {"id": "i" * 500},
        {"at": "9999-12-31T23:59:59Z"},
        {"at": "1900-01-01T00:00:00Z"},
        {"at": "2026-11-20T12:00:00+14:00"},
    ],
)
def test_an_odd_answer_is_decided_and_not_put_aside(world, changes):
    assert world.answer(**{"id": "1", "score": 2, **changes}).changes == {"new": 1}


@pytest.mark.parametrize("depth", [100, 900, 1000, 5000, 100_000])
def test_hostile_nesting_is_kept_and_put_aside(world, depth):
    body = b'[{"id": "1", "score": ' + b"[" * depth + b"]" * depth + b"}]"
    assert intake.receive(world.workspace, "app", world.signed(body), body, world.now) == 202
    assert world.decide().changes == {"quarantined": 1}


def test_an_answer_from_a_clock_that_runs_ahead_is_news(world):
    ahead = (world.now + timedelta(hours=2)).isoformat()
    world.answer(id="1", score=2, at=ahead)
    assert world.made() == [("zendesk.ticket", "waiting")]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("2026-11-21T12:00:00+00:00", "2026-11-21T12:00:00+00:00"),  # a day from now
        ("2026-11-21T12:00:01+00:00", "2026-11-20T12:00:00+00:00"),
        ("9999-12-31T23:59:59+00:00", "2026-11-20T12:00:00+00:00"),
    ],
)
def test_an_answer_from_a_day_still_to_come_was_given_when_it_came_in(world, said, kept):
    """Else its case could neither be late nor, on PostgreSQL, be touched: 32 bits of seconds."""
    world.answer(id="1", score=2, at=said)
    assert [row.answered_at.isoformat() for row in world.responses()] == [kept]
    assert world.made() == [("zendesk.ticket", "waiting")]


def test_a_poll_that_is_told_to_stop_ends_after_its_page_and_goes_on_later(world):
    first = Pulled(records=records(1), cursor="c1", more=True)
    second = Pulled(records=records(3), cursor="c2")
    stopped = intake.poll(
        world.workspace, "app", Pages(first, second), world.now, stopping=lambda: True
    )
    assert (stopped.pages, stopped.error) == (1, "")
    with world.workspace.store.read() as connection:
        assert arrivals.source_row(connection, "app").cursor == "c1"
    assert intake.poll(world.workspace, "app", Pages(second), world.now).new == 2


def test_a_database_error_tells_nobody_what_a_customer_said(world, caplog, monkeypatch):
    from sqlalchemy import text

    def broken(connection, _, found):
        said = {"said": found.content.comment}
        connection.execute(text("INSERT INTO nowhere VALUES (:said)"), said)

    monkeypatch.setattr(facts, "gather_facts", broken)
    world.post(id="1", score=2, comment="my secret story")
    said = ""
    with caplog.at_level(logging.DEBUG, "connector"):
        try:
            world.decide()
        except StoreDown as error:
            said = f"{error} {error.__cause__}"
    assert "secret" not in said + caplog.text


def test_deciding_one_source_leaves_the_others_to_their_engine(world):
    world.post(id="live", score=1)
    data = b"Date,Email,Score,Comment\n2026-11-01,a@example.com,1,old\n"
    rows = importing.read_rows(world.workspace, "file", data)
    assert importing.preview_actions(world.workspace, "file", rows, world.now) == {
        ("desk", "zendesk.ticket"): 1
    }
    done = importing.import_rows(world.workspace, "file", rows, world.now, False, lambda _: None)

    assert done.changes == {"new": 1}
    assert world.made() == []
    assert world.decide().sinks == {"desk"}


def test_a_preview_leaves_nothing_behind(world):
    data = b"Date,Email,Score,Comment\n2026-11-01,ana@example.com,1,old\n"
    rows = importing.read_rows(world.workspace, "file", data)
    importing.preview_actions(world.workspace, "file", rows, world.now)

    with world.workspace.store.read() as connection:
        for name in ("inbox", "responses", "customers", "customer_keys", "actions", "decisions"):
            found = connection.execute(select(metadata.tables[name])).all()
            assert found == [], name


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ("ana@example.com,pro", 1),
        ("ana@example.com,pro,5,more", 1),
        ("ana@example.com,p\x00ro,5", 0),
    ],
)
def test_a_ragged_row_of_customers_is_refused_and_removes_nothing(world, row, refused):
    whole = b"email,plan,value\nana@example.com,pro,5\n"
    store = world.workspace.store
    customers.import_customers(store, whole, {}, world.now)
    done = customers.import_customers(store, f"email,plan,value\n{row}\n".encode(), {}, world.now)

    assert len(done.refused) == refused
    with store.read() as connection:
        from connector.store import identities

        key = identities.identify(connection, Respondent(), world.now)
        assert key.customer is None
        found = connection.exec_driver_sql("SELECT attributes FROM customers").scalar()
    kept = json.loads(found) if isinstance(found, str) else found
    assert kept == {"plan": "pro", "value": 5}


def test_a_list_of_everything_works_on_thousands(world):
    page = Pulled(records=records(300), cursor="c")
    intake.poll(world.workspace, "app", Pages(page), world.now)
    while world.decide().records:
        pass
    with world.workspace.store.read() as connection:
        assert len(browsing.list_responses(connection, limit=1000)) == 300


def test_a_poll_that_takes_long_keeps_its_lease(world, monkeypatch):
    seconds = iter(range(0, 10_000, 240))
    monkeypatch.setattr(intake, "monotonic", lambda: next(seconds))
    leases = []

    class Slow(Pages):
        def pull(self, cursor, now):
            for page in self.pages:
                yield page
                with world.workspace.store.read() as connection:
                    leases.append(arrivals.source_row(connection, "app").lease_until - world.now)

    pages = [Pulled(records=records(1, at=str(n)), cursor=f"c{n}", more=True) for n in range(3)]
    intake.poll(world.workspace, "app", Slow(*pages), world.now)
    assert [lease.total_seconds() for lease in leases] == [360, 600, 840]
