"""The corners where something personal could stay or come back."""

from __future__ import annotations

import functools
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from connector import erasure, intake
from connector.errors import LookFirst, Refused
from connector.recounting import recount
from connector.store import cases
from connector.store.tables import metadata
from tests.integration.far_side import Post

DAY = timedelta(days=1)


@pytest.fixture
def post(world) -> Post:
    return Post(world)


def everything(world) -> str:
    with world.workspace.store.read() as connection:
        return "".join(
            repr(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
        )


def erase(world, address: str = "ana@example.com"):
    return erasure.erase_email(world.workspace.store, address, world.now)


def test_who_is_erased_twice_is_forgotten_up_to_the_second_time(world):
    world.answer(id="1", score=2, email="ana@example.com")
    erase(world)
    world.now += DAY
    world.answer(id="2", score=2, email="ana@example.com")
    world.now += DAY
    erase(world)
    between = (world.now - timedelta(hours=30)).isoformat()
    found = world.answer(id="3", score=2, comment="old", email="ana@example.com", at=between)
    assert found.changes == {"erased": 1}


def test_who_is_erased_before_anything_of_them_was_understood_does_not_come_with_the_next_poll(
    world,
):
    world.answer(id="1", score="x", email="ana@example.com")
    assert (erase(world).responses, erase(world).unread) == (0, 0)
    found = world.answer(id="1", score=2, email="ana@example.com")
    assert found.changes == {"erased": 1}


@pytest.mark.parametrize("ascii_only", [True, False])
def test_an_address_with_accents_is_found_in_what_was_never_understood(world, ascii_only):
    said = {"id": "1", "score": "x", "survey": "nps", "email": "JOSÉ@example.com"}
    body = json.dumps(said, ensure_ascii=ascii_only).encode()
    intake.receive(world.workspace, "app", world.signed(body), body, world.now)
    world.decide()

    assert erase(world, "josé@example.com").unread == 1


def test_a_vendor_s_words_about_a_person_go_with_them(post):
    post.world.answer(id="1", score=2, email="ana@example.com")
    post.desk.refuses(Refused("Ana Q is suspended"))
    post.settle()
    erase(post.world)

    assert "Ana Q" not in everything(post.world)
    assert post.states() == ["superseded"], "a retry would have nothing to send"
    assert post.retry() == {}


def test_what_was_counted_of_their_case_quotes_them_no_more(post):
    post.world.answer(id="1", score=2, email="ana@example.com")
    post.settle()
    world, [action] = post.world, post.world.actions()
    closed = functools.partial(
        cases.close, case=action.id, who="bo", note="rang Ana Q", now=world.now
    )
    world.workspace.store.write(closed)
    assert recount(world.workspace.store, world.now + DAY) == 1
    assert "rang Ana Q" in everything(world)
    erase(world)
    assert "Ana Q" not in everything(world)


def test_what_was_sent_and_never_heard_of_is_listed_too(post):
    post.world.answer(id="1", score=2, email="ana@example.com")
    post.desk.fails(LookFirst("no answer"))
    post.deliver()
    [place] = erase(post.world).at_vendors
    assert place.remote_id.startswith("not confirmed; its key is nps-")
    assert place.url == ""


def test_retention_reaches_surveys_that_are_gone_and_records_that_were_never_understood(world):
    world.answer(id="1", score=2, comment="a story")
    world.answer(id="2", score="x", comment="unreadable story")
    settings = world.workspace.settings
    surveys = {"rating": settings.surveys["rating"]}
    later = settings.model_copy(update={"retention_days": 30, "surveys": surveys})
    store = world.workspace.store

    assert erasure.apply_retention(store, later, world.now + 29 * DAY) == 0
    assert "unreadable story" in everything(world).replace("\\", "")
    assert erasure.apply_retention(store, later, world.now + 31 * DAY) == 1
    assert "story" not in everything(world)


def test_a_survey_s_own_retention_wins_over_the_general_one(world):
    world.answer(id="1", score=2, comment="a story")
    settings = world.workspace.settings
    longer = settings.surveys["nps"].model_copy(update={"retention_days": 90})
    settings = settings.model_copy(
        update={"retention_days": 30, "surveys": {**settings.surveys, "nps": longer}}
    )
    store = world.workspace.store
    assert erasure.apply_retention(store, settings, world.now + 31 * DAY) == 0
    assert erasure.apply_retention(store, settings, world.now + 91 * DAY) == 1
