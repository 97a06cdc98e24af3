"""Many answers, revisions and troubles in an order that nobody chose: what holds in the end."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from connector import erasure
from connector.errors import LookFirst, Paused, Refused, TryLater
from connector.store import outbox
from tests.integration.far_side import FarSide, Post

SINKS = ("desk", "hub", "chat", "mail")
PEOPLE = ("", "ana@example.com", "leo@example.com")
COMMENTS = ("", "fine", "a refund!", "bad")


class Chaos:
    """What can happen, each by chance."""

    def __init__(self, post: Post, seed: int) -> None:
        self.post = post
        self.random = random.Random(seed)
        self.newest: dict[str, tuple[int, str]] = {}
        self.erased: set[str] = set()

    def answer(self) -> None:
        id = str(self.random.randrange(4))
        said = (self.random.choice((2, 3, 8, 9)), self.random.choice(COMMENTS))
        world = self.post.world
        world.now += timedelta(seconds=1)
        found = world.answer(
            id=id,
            score=said[0],
            comment=said[1],
            email=PEOPLE[int(id) % 3],
            at="2026-11-20T11:59:00Z",
            revised=world.now.isoformat(),
        )
        if found.changes.keys() & {"new", "revised", "duplicate"}:
            self.newest[id] = said

    def deliver(self) -> None:
        sink = self.random.choice(SINKS)
        side = self.post.sides[sink]
        self.script(side)
        self.post.deliver(sink)
        side.then, side.finds = [], []

    def script(self, side: FarSide) -> None:
        error = self.random.choice(
            [
                None,
                None,
                LookFirst("lost"),
                TryLater("busy"),
                TryLater("429", 30, account_wide=True),
                Paused("401"),
                Refused("no"),
                KeyError("id"),
            ]
        )
        if error is None:
            return
        acts = isinstance(error, LookFirst | KeyError) and self.random.random() < 0.5
        if isinstance(error, Refused):
            side.refuses(error)
        else:
            side.fails(error, after_doing_it=acts)
        if self.random.random() < 0.2:
            side.finds = [self.fail_to_find]

    def fail_to_find(self, batch: Any) -> Any:
        raise self.random.choice([LookFirst("lost"), TryLater("busy"), KeyError("x")])

    def retry(self) -> None:
        self.post.retry()

    def wait(self) -> None:
        self.post.world.now += timedelta(minutes=self.random.choice((1, 5, 30)))

    def erase(self) -> None:
        if self.random.random() < 0.1:
            erasure.erase_email(self.post.store, PEOPLE[1], self.post.world.now)
            self.erased |= {"1"}

    def play(self, steps: int) -> None:
        acts = [self.answer] * 3 + [self.deliver] * 8 + [self.retry, self.wait, self.erase]
        for _ in range(steps):
            self.random.choice(acts)()

    def calm(self) -> None:
        """The far sides behave again, and a person retries what was parked."""
        for _ in range(3):
            self.post.retry()
            for sink in SINKS:
                self.post.settle(sink)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_each_effect_is_made_once_and_the_newest_words_are_told(world, seed):
    post = Post(world)
    chaos = Chaos(post, seed)
    chaos.play(60)
    chaos.calm()

    for sink in SINKS:
        made = Counter(key for key, _ in post.sides[sink].made)
        assert [key for key, count in made.items() if count > 1] == [], sink
    with post.store.read() as connection:
        by_response: dict[str, list[Any]] = {}
        for response in post.world.responses():
            by_response[response.id] = list(outbox.actions_of(connection, response.id))
    allowed = {"done", "superseded", "withheld", "in_doubt"}
    for response in post.world.responses():
        rows = by_response[response.id]
        assert {row.state for row in rows} <= allowed
        if response.erased_at is not None:
            continue
        said = f"{response.content['score']} {response.content['comment']}"
        for sink in ("desk", "hub"):
            keys = {row.key for row in rows if row.sink == sink}
            told = [body.decode() for key, body in post.sides[sink].made if key in keys]
            assert told[-1:] in ([], [said]), (sink, told, said)
            if told == []:
                wanted = {"desk": "detractor", "hub": "promoter"}[sink]
                assert response.segment != wanted
        mails = [row for row in rows if row.kind == "email.thank_you"]
        assert len(mails) <= 1
