"""People at the help desk, who work on tickets while everything around them breaks."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from tests.chaos.lots import BEGUN, CLOSED, LATE, LEFT, LOTS

if TYPE_CHECKING:
    from connector.sandbox.server import Sandbox

ANA, LEAD = 9002, 9003  # the lead only says whose a ticket is: that is no work on it
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 60.0  # a hand returns when its webhook was answered, or was given up
# Zendesk's times are whole seconds: what is touched in the second in which it was made looks new.
SOONEST_SECONDS = 1.2
MOODS = ("prompt", "doubled", "late", "lost")
FORMS = ("trigger", "event")


class Act(NamedTuple):
    """One pair of hands, at a moment of `time.monotonic`."""

    at: float
    order: int
    key: str
    hands: dict[str, Any]


class Agents:
    """One thread. What they have done is asked of the help desk; here stands only what it does not
    know: by when, on the clock that the connector has."""

    def __init__(
        self, sandbox: Sandbox, news: str, seed: int, moods: Sequence[str] = MOODS
    ) -> None:
        """`news`: where their webhooks are sent to, in one of these moods each."""
        self._desk, self._url = sandbox.zendesk, sandbox.urls["zendesk"]
        self._news, self._moods = news, moods
        self._seed = seed
        self._random = random.Random(f"{seed} webhooks")
        self._seen = 0
        self._known: set[str] = set()
        self._plans: list[Act] = []
        self._orders = itertools.count()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agents", daemon=True)
        self.begun_by: dict[str, datetime] = {}
        self.solved_by: dict[str, datetime] = {}
        self.troubles: list[str] = []

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def pending(self) -> int:
        """What they still have to do, and the tickets that they have not seen yet."""
        return len(self._plans) + len(self._desk.tickets()) - self._seen

    def _run(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            self._take_up()
            while self._plans and self._plans[0].at <= time.monotonic():
                self._do(self._plans[0])
                heapq.heappop(self._plans)

    def _take_up(self) -> None:
        tickets = self._desk.tickets()
        for ticket in tickets[self._seen :]:
            key = str(ticket["external_id"])
            lot = next((tag for tag in ticket["tags"] if tag in LOTS), "")
            if key in self._known:
                continue  # a second ticket for one answer; the verdict tells of it
            self._known.add(key)
            drawn = random.Random(f"{self._seed} {key}")
            for seconds, hands in _work(lot, drawn):
                act = Act(
                    time.monotonic() + seconds,
                    next(self._orders),
                    key,
                    {**hands, "ticket_id": ticket["id"]},
                )
                heapq.heappush(self._plans, act)
        self._seen = len(tickets)

    def _do(self, act: Act) -> None:
        mood = self._random.choice(self._moods)
        form = self._random.choice(FORMS)
        self._hand({"do": "call_webhook", "url": self._news, "form": form, "mood": mood})
        self._hand(act.hands)
        now = datetime.now(UTC)
        if act.hands["agent_id"] == ANA:
            self.begun_by.setdefault(act.key, now)
        if act.hands["do"] == "solve":
            self.solved_by.setdefault(act.key, now)
        if mood == "doubled":
            self._hand({"do": "deliver_late", "newest_first": self._random.random() < 0.5})

    def _hand(self, hands: dict[str, Any]) -> None:
        try:
            done = requests.post(
                f"{self._url}/_sandbox/hands", json=hands, timeout=PATIENCE_SECONDS
            )
            said = "" if done.ok else done.text
        except requests.RequestException as error:
            said = type(error).__name__
        if said:
            self.troubles.append(f"an agent could not {hands['do']}: {said}")


def _work(lot: str, drawn: random.Random) -> Iterator[tuple[float, dict[str, Any]]]:
    """After how many seconds what is done about a ticket of this lot."""
    solve = {"do": "solve", "agent_id": ANA}
    touch = drawn.choice(
        [
            {"do": "take", "agent_id": ANA},
            {"do": "comment", "agent_id": ANA, "text": "I am on it.", "public": True},
        ]
    )
    if lot == LEFT.name and drawn.random() < 0.5:
        yield SOONEST_SECONDS, {"do": "assign", "agent_id": LEAD, "to": ANA}
    if lot == BEGUN.name:
        yield SOONEST_SECONDS, touch
    if lot == LATE.name:
        yield drawn.uniform(SOONEST_SECONDS, 4), solve
    if lot == CLOSED.name:
        begun = drawn.uniform(SOONEST_SECONDS, 2)
        if drawn.random() < 0.5:
            yield begun, touch
        yield begun + drawn.uniform(0, 1), solve
