"""`connector cases` and the door for news, on a real store."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from connector.errors import Unreadable
from connector.store import following
from connector.web.receiver import application
from tests.integration.far_side import Post
from tests.integration.test_followup import HOUR, Desk, case, opened, standing, tell


@pytest.fixture
def post(world) -> Post:
    post = Post(world)
    post.sides["desk"] = Desk()
    return post


@pytest.fixture
def config(world) -> str:
    return str(world.workspace.settings.directory / "connector.yaml")


def test_the_list_shows_who_waits_and_the_story_both_clocks(post, connector, config):
    began = opened(post)
    touched = began.opened_at + HOUR
    tell(post, standing(state="contacted", at=touched, contacted_at=touched, owner="Ana"))
    _, out, _ = connector("--config", config, "cases", "list")
    assert "desk T-1" in out
    assert "Ana" in out
    _, out, _ = connector("--config", config, "cases", "show", str(began.action_id))
    assert "working clock" in out
    assert "1h 0m" in out
    assert "contacted" in out
    _, out, _ = connector("--config", config, "cases", "show", str(began.action_id), "--json")
    assert [event["kind"] for event in json.loads(out)["events"]] == ["contacted", "assigned"]


def test_what_is_closed_is_listed_only_where_it_is_asked_for(post, connector, config):
    began = opened(post)
    tell(post, standing(state="closed", at=began.opened_at + HOUR))
    _, out, _ = connector("--config", config, "cases", "list")
    assert "There are no such cases" in out
    _, out, _ = connector("--config", config, "cases", "list", "--state", "closed", "--json")
    assert [row["state"] for row in json.loads(out)] == ["closed"]


def test_filters_choose(post, connector, config):
    opened(post)
    for option, found in (("--untouched", 1), ("--overdue", 1), ("--owner=Ana", 0)):
        _, out, _ = connector("--config", config, "cases", "list", option, "--json")
        assert len(json.loads(out)) == found, option  # it was due long before today
    code, _, err = connector("--config", config, "cases", "list", "--sink", "dsek")
    assert code != 0
    assert "desk" in err


def test_a_person_may_close_what_its_far_side_will_never_close(post, connector, config):
    began = opened(post)
    number = str(began.action_id)
    words = ("cases", "close", number, "--note", "purged there", "--by", "Ana")
    code, out, _ = connector("--config", config, *words)
    assert (code, case(post).state) == (0, "closed")
    _, out, _ = connector("--config", config, "cases", "show", number)
    assert "said by Ana: purged there" in out
    code, _, err = connector("--config", config, *words)
    assert code != 0
    assert "is not open" in err


def test_an_unknown_case_says_where_to_look(world, connector, config):
    code, _, err = connector("--config", config, "cases", "show", "77")
    assert code != 0
    assert "connector cases list" in err


class Told:
    """A sink that is called by its far side."""

    def verify(self, note, now) -> bool:
        return note.headers["x-sign"] == "right"

    def changed(self, note) -> list[str]:
        if note.body == b"garbage":
            raise Unreadable("ticket_id is missing")
        return json.loads(note.body)


@pytest.fixture
def door(world, monkeypatch):
    rung: list[str] = []
    monkeypatch.setitem(world.workspace.__dict__, "notifying", {"desk": Told()})
    site = application(world.workspace, lambda: None, rung.append)
    with TestClient(site) as client:
        yield client, rung


def hinted(world) -> list[str]:
    with world.workspace.store.read() as connection:
        return [row.remote_id for row in following.hinted(connection, "desk", datetime.now(UTC))]


def test_news_are_remembered_before_they_are_answered_and_ring(world, door):
    client, rung = door
    told = client.post("/news/desk", content=b'["7", "8"]', headers={"X-Sign": "right"})
    assert told.status_code == 202
    assert hinted(world) == ["7", "8"]
    assert rung == ["desk"]


@pytest.mark.parametrize(
    ("path", "body", "sign", "status"),
    [
        ("/news/desk", b'["7"]', "wrong", 401),
        ("/news/desk", b"garbage", "right", 400),
        ("/news/chat", b'["7"]', "right", 404),
        ("/news/desk", b" " * 1_100_000, "right", 413),
        ("/news/desk", b"[]", "right", 202),
    ],
)
def test_what_is_forged_unreadable_or_unknown_leaves_nothing(world, door, path, body, sign, status):
    client, rung = door
    assert client.post(path, content=body, headers={"X-Sign": sign}).status_code == status
    assert (hinted(world), rung) == ([], [])
