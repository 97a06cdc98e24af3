"""Rows that are left behind when the configuration changes: nothing crashes, nothing is silent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from connector.engine.chores import do_chores
from connector.engine.embedded import Embedded
from connector.errors import Invalid
from connector.store import arrivals
from connector.store.tables import actions
from connector.workspace import Workspace
from tests.integration.far_side import Post


def reconfigured(world, **changes):
    """The same installation after an edit of connector.yaml and a restart."""
    settings = world.workspace.settings.model_copy(update=changes)
    world.workspace = Workspace(settings, world.workspace.store)
    return world


def without(mapping, *names):
    return {name: value for name, value in mapping.items() if name not in names}


@pytest.fixture
def post(world) -> Post:
    return Post(world)


def test_answers_of_a_source_that_was_taken_out_are_kept_and_said(post):
    world = post.world
    world.post(id="1", score=2)
    world.post(id="2", score=9)
    sources = world.workspace.settings.sources
    reconfigured(world, sources=without(sources, "app"))

    assert world.decide().changes == {"held": 2}
    assert "connector responses replay" in post.alarms()["source-missing"]
    do_chores(world.workspace, world.now)

    reconfigured(world, sources=sources)
    world.workspace.store.write(lambda c: arrivals.reopen_arrivals(c, "held"))
    assert world.decide().changes == {"new": 2}


def test_actions_of_a_sink_that_was_taken_out_wait_and_are_said(post):
    world = post.world
    world.answer(id="1", score=2)
    sinks = world.workspace.settings.sinks
    reconfigured(world, sinks=without(sinks, "desk"))
    do_chores(world.workspace, world.now)

    assert "1 actions wait for sink 'desk'" in post.alarms()["sink-missing"]
    assert "the active ruleset cannot be used" in post.alarms()["rules"]
    reconfigured(world, sinks=sinks)
    world.workspace.rulesets.start(world.now, follow=False)
    do_chores(world.workspace, world.now)
    assert post.alarms() == {}
    post.settle()
    assert post.states() == ["done"]


RULES_WITHOUT_DESK = """
rules:
  - id: promoter
    when: {segment: promoter}
    then: [{hubspot.task: {next_step: Ask for a referral.}}]
"""


def test_a_revision_of_a_case_whose_sink_was_taken_out_is_decided_and_said(post, make_world):
    post.world.answer(id="1", score=2)
    post.settle()
    later = make_world(rules=RULES_WITHOUT_DESK)
    reconfigured(later, sinks=without(later.workspace.settings.sinks, "desk"))
    decided = later.answer(id="1", score=9, revised="2026-11-20T12:01:00Z")

    assert decided.changes == {"revised": 1}
    assert [(a.sink, a.state) for a in later.actions()] == [
        ("desk", "done"),
        ("hub", "waiting"),
        ("desk", "waiting"),
    ]
    engine = Embedded(later.workspace)
    engine._ring(decided.sinks)
    do_chores(later.workspace, later.now)
    assert "sink-missing" in post.alarms()


def test_a_case_whose_sink_got_another_id_is_still_told_of_a_change(post, make_world):
    post.world.answer(id="1", score=2)
    post.settle()
    later = make_world(rules=RULES_WITHOUT_DESK)
    sinks = dict(later.workspace.settings.sinks)
    reconfigured(later, sinks={"helpdesk": sinks.pop("desk"), **sinks})
    later.answer(id="1", score=9, revised="2026-11-20T12:01:00Z")

    [note] = later.actions(sink="helpdesk")
    assert (note.amends is not None, note.state) == (True, "waiting")


def test_a_rule_that_names_the_sink_by_its_new_id_opens_no_second_case(post, make_world):
    post.world.answer(id="1", score=2)
    post.settle()
    rules = """
rules:
  - id: detractor
    when: {segment: detractor}
    then: [{zendesk.ticket: {sink: helpdesk, next_step: Call.}}]
"""
    later = make_world(rules=rules, rename={"desk": "helpdesk"})
    later.answer(id="1", score=2, comment="worse", revised="2026-11-20T12:01:00Z")

    made = [(a.sink, a.amends is not None) for a in later.actions()]
    assert made == [("desk", False), ("helpdesk", True)]


def test_every_process_follows_the_rules_that_were_activated_last(post, make_world):
    post.world.answer(id="1", score=2)
    make_world(rules=RULES_WITHOUT_DESK)  # another process, with other rules
    post.world.answer(id="2", score=2)
    post.world.answer(id="3", score=9)

    assert [(a.sink, a.rule_id) for a in post.world.actions()] == [
        ("desk", "detractor"),
        ("hub", "promoter"),
    ]


def test_rules_that_a_process_does_not_understand_yet_lose_nothing(post, make_world):
    newer = """
rules:
  - id: detractor
    when: {segment: detractor}
    then: [{zendesk.ticket: {sink: helpdesk, next_step: Call.}}]
"""
    later = make_world(rules=newer, rename={"desk": "helpdesk"})
    post.world.post(id="1", score=2)
    with pytest.raises(Invalid):
        post.world.decide()

    assert later.decide().changes == {"new": 1}
    assert [a.sink for a in later.actions()] == ["helpdesk"]


def test_the_only_engine_of_a_file_frees_what_its_dead_predecessor_held(world):
    """On PostgreSQL another process may live; there leases run out."""
    store, held = world.workspace.store, {"lease_until": world.now + timedelta(minutes=2)}
    store.write(lambda c: arrivals.update_source(c, "app", **held))
    world.answer(id="1", score=2)
    store.write(lambda c: c.execute(update(actions).values(**held)))

    engine = Embedded(world.workspace)
    engine._take_lock()
    engine.stop()

    left = None if store.is_sqlite else held["lease_until"]
    with store.read() as connection:
        assert arrivals.source_row(connection, "app").lease_until == left
        assert connection.scalars(select(actions.c.lease_until)).all() == [left]
