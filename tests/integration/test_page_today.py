"""Today: who waits for a person, and whether everything runs."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import update

from connector.reports.today import today
from connector.store import arrivals, outbox
from connector.store.tables import actions, cases
from connector.web.pages import today as page_of_today
from tests.integration.conftest import World
from tests.integration.web_visitor import signed_in
from tests.seeding import seed


def found(world: World):
    workspace = world.workspace
    with workspace.store.read() as connection:
        return today(connection, workspace.settings, workspace.accounts, world.now)


def change_cases(world: World, **values: object) -> None:
    world.workspace.store.write(lambda c: c.execute(update(cases).values(**values)))


def test_detractors_nobody_has_contacted_stand_there_the_longest_waiting_first(world) -> None:
    seed(world)
    listed = found(world).detractors.listed

    assert len(listed) == found(world).detractors.number > 2
    assert {(case.segment, case.state) for case in listed} == {("detractor", "open")}
    assert [case.answered_at for case in listed] == sorted(case.answered_at for case in listed)

    change_cases(world, state="contacted", contacted_at=world.now)
    assert found(world).detractors.number == 0


def test_detractors_whose_ticket_is_not_there_yet_are_counted_beside_the_list(world) -> None:
    for number in range(6):
        world.answer(id=str(number), score=3, comment="late", email=f"p{number}@example.com")
    world.answer(id="happy", score=10, email="happy@example.com")
    rows = [row for row in world.actions() if row.opens_case and row.sink == "desk"]
    assert len(rows) == 6
    change = update(actions).where(actions.c.id.in_([row.id for row in rows[:2]]))
    gone = {"sink": "of_before", "state": "parked"}
    world.workspace.store.write(lambda c: c.execute(change.values(**gone)))

    unmade = found(world).unmade
    visitor = signed_in(world, "viewer")
    html = visitor.get("/today").text

    assert (unmade.number, unmade.states) == (6, {"waiting": 4, "parked": 2})
    assert "6 more have no ticket yet:" in html
    assert '<a id="unmade-parked" href="/deliveries?state=parked">parked 2</a>' in html
    assert "was contacted" not in html, "nobody was"
    done = update(actions).values(state="done")
    world.workspace.store.write(lambda c: c.execute(done))
    assert found(world).unmade.number == 0
    assert "was contacted" in visitor.get("/today").text


def test_today_can_be_made_to_stay_as_it_is(world) -> None:
    visitor = signed_in(world, "viewer")

    assert 'hx-trigger="every 15s' in visitor.get("/today").text
    still = visitor.get("/today?still=1").text
    assert "hx-trigger" not in still
    assert '<a href="/today">' in still


def test_a_case_is_overdue_from_its_time_on_until_somebody_begins(world: World) -> None:
    seed(world)
    change_cases(world, state="open", contacted_at=None, respond_by=world.now)
    assert found(world).overdue.number == 0

    world.now += timedelta(seconds=1)
    assert found(world).overdue.number > 0

    change_cases(world, state="contacted", contacted_at=world.now)
    assert found(world).overdue.number == 0


def test_begun_and_not_finished_is_what_lacks_its_cause_or_was_begun_long_ago(world) -> None:
    seed(world)
    change_cases(world, state="contacted", contacted_at=world.now, missing=None)
    assert found(world).unfinished.number == 0

    change_cases(world, missing="cause")
    assert found(world).unfinished.number > 0

    change_cases(world, missing=None, contacted_at=world.now - timedelta(days=8))
    assert found(world).unfinished.number > 0
    change_cases(world, state="closed")
    assert found(world).unfinished.number == 0


def test_a_sink_says_what_waits_and_that_its_account_is_paused(world: World) -> None:
    seed(world)
    store, account = world.workspace.store, world.workspace.accounts["desk"]
    until = world.now + timedelta(hours=1)
    store.write(lambda c: outbox.pause_account(c, account, until, "the password is wrong"))

    desk = next(sink for sink in found(world).sinks if sink.id == "desk")

    with store.read() as connection:
        rows = connection.execute(actions.select().where(actions.c.sink == "desk")).all()
    states = [row.state for row in rows]
    assert desk.parked == states.count("parked") > 0
    assert desk.waiting == states.count("waiting") + states.count("sending")
    assert (desk.paused_until, desk.reason) == (until, "the password is wrong")
    world.now = until
    assert next(sink for sink in found(world).sinks if sink.id == "desk").paused_until is None


def test_a_source_is_silent_when_it_says_nothing_for_longer_than_expected(world: World) -> None:
    settings = world.workspace.settings
    quiet = settings.sources["app"].model_copy(update={"expect_every": timedelta(hours=2)})
    sources = {**settings.sources, "app": quiet}
    world.workspace.settings = settings.model_copy(update={"sources": sources})
    world.answer(id="1", score=3)

    assert found(world).sources[0].silent_since is None
    world.now += timedelta(hours=2, minutes=2)
    assert found(world).sources[0].silent_since is not None
    values = {"paused_until": world.now + timedelta(hours=1), "pause_reason": "401"}
    world.workspace.store.write(lambda c: arrivals.update_source(c, "app", **values))
    assert found(world).sources[0].reason == "401"


def test_a_gap_is_red_and_leads_to_what_is_in_it(world: World, monkeypatch) -> None:
    monkeypatch.setattr(page_of_today, "_WAIT_SECONDS", 60.0)  # a busy machine takes its time
    visitor = signed_in(world, "viewer")
    world.answer(id="1", score=3)
    page = visitor.get("/today").text
    assert "No gap: everything received was decided" in page
    assert 'class="is-bad"><dt>Delivered' not in page

    seed(world)
    world.now += timedelta(minutes=1)
    again = signed_in(world, "operator").get("/today").text  # counted anew by a new process

    assert 'class="is-bad"><dt>Delivered' in again
    link = re.search(
        r"<strong>(\d+)</strong> actions are parked:\s+<a[^>]* href=\"([^\"]+)\"", again
    )
    assert link is not None
    parked = [row for row in world.actions() if row.state == "parked"]
    assert (int(link[1]), link[2]) == (len(parked), "/deliveries?state=parked")
    rows = visitor.get(link[2]).text
    assert all(f'href="/deliveries/{row.id}"' in rows for row in parked)


def test_the_part_that_refreshes_is_the_page_without_its_frame(world: World) -> None:
    seed(world)
    visitor = signed_in(world, "viewer")
    whole = visitor.get("/today").text

    part = visitor.get("/today", headers={"HX-Request": "true"}).text

    assert "<html" in whole
    assert "<html" not in part
    assert "Detractors nobody has contacted" in part
    assert 'hx-get="/today" hx-trigger="every 15s, refresh"' in whole
