"""The three months before the demo, lived through: the real stages, with a clock that is moved."""

from __future__ import annotations

import csv
import functools
import heapq
import io
import itertools
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector import deciding, followup, intake
from connector.cli.demo import past
from connector.cli.demo.posting import signed_standard
from connector.cli.demo.seeding import add_to_crms
from connector.customers import import_customers
from connector.delivery import Courier
from connector.engine.chores import do_chores
from connector.store import cases

if TYPE_CHECKING:
    from connector.cli.demo.past import Given, Work
    from connector.cli.demo.watching import Say
    from connector.sandbox import Sandbox
    from connector.workspace import Workspace

SOURCE = "app"
LENGTH = timedelta(days=past.DAYS + 1)
_URGENT = ("urgent", "high")
_AGENTS = (9002, 9003)
_REPS = ("sonia@example.com", "casper@example.com")


def relive(workspace: Workspace, sandbox: Sandbox, now: datetime, say: Say) -> None:
    """Answers come in, tickets and tasks are made at the stand-ins, people work on them there, and
    what becomes of them comes back; all in the order of time."""
    life = _Life(workspace, sandbox, now)
    import_customers(workspace.store, _customers_csv(), {}, now - LENGTH)
    for who in past.people():
        add_to_crms(sandbox, who)
    count, told = 0, ""
    for given in past.answers(now):
        life.until(given.at)
        life.answer(given)
        count += 1
        if told != (month := f"{given.at:%B}"):
            told = month
            say("lived", f"{month} begins")
    life.until(now)
    sandbox.clock.offset_seconds = 0.0
    say("lived", f"{count} made-up answers of {past.DAYS} days, everybody called Sample")


class _Life:
    def __init__(self, workspace: Workspace, sandbox: Sandbox, now: datetime) -> None:
        self._workspace, self._sandbox = workspace, sandbox
        self._real_now = now
        self._now = now - LENGTH
        self._couriers = {
            id: Courier(workspace.store, id, workspace.new_sink(id), lambda: self._now)
            for id in workspace.settings.sinks
        }
        self._followed = {id: workspace.new_sink(id) for id in workspace.settings.sinks}
        self._plans: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._newest_case = 0
        midnight = self._now.replace(hour=1, minute=0, second=0, microsecond=0)
        for day in range(LENGTH.days + 1):
            self._plan(midnight + timedelta(days=day), self._night)

    def answer(self, given: Given) -> None:
        """One answer through the door, and everything that it leads to at once."""
        self._move(given.at)
        secret = self._sandbox.secrets["WEBHOOK_SECRET"]
        body, headers = signed_standard(_posted(given), given.id, self._now, secret)
        intake.receive(self._workspace, SOURCE, headers, body, self._now)
        self._work_off()

    def until(self, at: datetime) -> None:
        """What people and nights have planned before then."""
        while self._plans and self._plans[0][0] <= at:
            when, _, act = heapq.heappop(self._plans)
            self._move(when)
            act()
        self._move(at)

    def _move(self, at: datetime) -> None:
        self._now = max(at, self._now)
        self._sandbox.clock.offset_seconds = (self._now - self._real_now).total_seconds()

    def _plan(self, at: datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._plans, (at, next(self._order), act))

    def _work_off(self) -> None:
        sinks: set[str] = set()
        while (decided := deciding.decide_batch(self._workspace, self._now)).records:
            sinks |= decided.sinks
        self._deliver(sinks)

    def _deliver(self, sinks: set[str]) -> None:
        for id in sinks:
            while self._couriers[id].round().actions:
                pass
        self._assign_work()

    def _night(self) -> None:
        """Once a day the far sides are asked, and what nobody did is escalated."""
        for id, sink in self._followed.items():
            followup.follow(self._workspace, id, sink, self._now)
        self._deliver(do_chores(self._workspace, self._now))

    def _assign_work(self) -> None:
        with self._workspace.store.read() as connection:
            new = cases.opened_after(connection, self._newest_case)
        for case in new:
            self._newest_case = case.action_id
            work = past.work(case.action_id, urgent=case.priority in _URGENT)
            hands = _hands(self._sandbox, case)
            if work.touch_after is None or hands is None:
                continue
            begins = self._now + work.touch_after
            self._plan(begins, hands.begin)
            if work.close_after is not None:
                closes = begins + work.close_after
                self._plan(closes, functools.partial(hands.close, work))
                if work.back_after is not None:
                    self._plan(closes + work.back_after, hands.reopen)


class _Ticket:
    def __init__(self, sandbox: Sandbox, case: Any) -> None:
        self._desk, self._number = sandbox.zendesk, int(case.remote_id)
        self._agent = _AGENTS[case.action_id % len(_AGENTS)]

    def begin(self) -> None:
        self._desk.take(self._number, self._agent)

    def close(self, work: Work) -> None:
        told = {"Root cause": work.cause, "Action taken": work.action}
        self._desk.solve(self._number, {k: v for k, v in told.items() if v}, self._agent)

    def reopen(self) -> None:
        self._desk.reopen(self._number, self._agent)


class _Task:
    def __init__(self, tasks: Any, case: Any) -> None:
        self._tasks, self._id = tasks, case.remote_id
        self._rep = _REPS[0]

    def begin(self) -> None:
        self._tasks.start(self._id, self._rep)

    def close(self, work: Work) -> None:
        self._tasks.complete(self._id, self._rep)

    def reopen(self) -> None:
        self._tasks.reopen(self._id, self._rep)


def _hands(sandbox: Sandbox, case: Any) -> _Ticket | _Task | None:
    if case.sink.startswith("zendesk"):
        return _Ticket(sandbox, case)
    if case.sink.startswith("salesforce"):
        return _Task(sandbox.salesforce, case)
    return _Task(sandbox.hubspot, case) if case.sink.startswith("hubspot") else None


def _posted(given: Given) -> bytes:
    """The shape that the source `app` of the shipped connector.yaml reads."""
    content = {
        "survey": "nps",
        "answer": {
            "id": given.id,
            "score": given.score,
            "comment": given.comment,
            "answered_at": given.at.isoformat(),
        },
        "person": {
            "email": given.who.email,
            "name": given.who.name,
            "language": given.who.language,
        },
    }
    return json.dumps(content, ensure_ascii=False).encode()


def _customers_csv() -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("email", "name", "plan", "value", "company", "language"))
    for who in past.people():
        rows.writerow((who.email, who.name, who.plan, who.value, who.company, who.language))
    return text.getvalue().encode()
