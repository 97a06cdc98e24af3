"""The outbox in orders that nobody thought of: a machine draws them, the far sides count.

`desk` has a key that is honoured for two hours and a look-up, `hub` a look-up only, `chat` and
`mail` have neither. Calls are heard, lost, refused; workers die or sleep past their lease at every
point and die between two calls of one round; answers are revised and get amendments; parked actions
are tried again. The hole that no client can close is left out, as `docs/guarantees.md` says: a
worker that falls asleep within its call.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connector import config, faultpoints
from connector.store import outbox
from connector.workspace import open_workspace
from tests.conftest import NOW
from tests.integration.conftest import CONNECTOR, RULES, SECRET, World
from tests.integration.outbox_world import (
    BLIND,
    FINDABLE,
    KEYED,
    OUTCOMES,
    POINTS,
    Counting,
    Worker,
)

MINUTES = (1, 3, 6, 130)
SINKS = ("desk", "hub", "chat", "mail")
WORDS = ("", "a refund!", "still waiting", "it works now")
_sinks = st.sampled_from(SINKS)


class Outbox(RuleBasedStateMachine):
    template: Path  # an empty database at the newest schema

    @initialize()
    def install(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="connector-machine-"))
        shutil.copy(self.template, self.place / "test.db")
        (self.place / "templates/thank_you").mkdir(parents=True)
        (self.place / "templates/thank_you/en.txt").write_text("Subject: Thanks\n\nThanks.\n")
        (self.place / "rules.yaml").write_text(f"defaults: {{settle: 0s}}\n{RULES}")
        file = self.place / "connector.yaml"
        store = f"sqlite:///{self.place / 'test.db'}"
        file.write_text(CONNECTOR.format(surge=1000))
        installed = config.load(file, {"SECRET": SECRET, "TOKEN": "t0ken", "STORE_URL": store})
        self.world = World(open_workspace(installed, NOW - timedelta(hours=1)), NOW)
        self.sides = {"desk": Counting(KEYED), "hub": Counting(FINDABLE)}
        self.sides |= {"chat": Counting(BLIND), "mail": Counting(BLIND)}
        self.asleep: dict[str, Worker] = {}
        self.workers: list[Worker] = []
        self._reach = faultpoints.reach
        faultpoints.reach = self._passed
        for who, (score, words) in enumerate(((2, "a refund!"), (9, ""), (8, ""), (9, ""))):
            self.an_answer_comes_or_is_revised(who=who, score=score, words=words)

    def _passed(self, at: str, of: str = "") -> None:
        for worker in self.workers:
            worker.reach(at, of)

    def _work(self, sink: str, at: str = "", do: str = "") -> None:
        worker = Worker(
            self.world.workspace.store, sink, self.sides[sink], lambda: self.world.now, at, do
        )
        self.workers.append(worker)
        if worker.start():
            self.asleep[sink] = worker
        else:
            self.workers.remove(worker)

    def _wake(self, sink: str) -> None:
        worker = self.asleep.pop(sink)
        worker.wake()
        self.workers.remove(worker)

    # -- what happens --------------------------------------------------------------------------

    @rule(who=st.integers(0, 3), score=st.sampled_from((2, 5, 8, 9)), words=st.sampled_from(WORDS))
    def an_answer_comes_or_is_revised(self, who: int, score: int, words: str) -> None:
        self.world.now += timedelta(seconds=1)
        said = {"score": score, "comment": words, "email": f"person-{who}@example.com"}
        at = (NOW - timedelta(minutes=1)).isoformat()
        self.world.answer(id=str(who), at=at, revised=self.world.now.isoformat(), **said)

    @rule(sink=_sinks, outcome=st.sampled_from(OUTCOMES), find_fails=st.booleans())
    def a_round_is_delivered(self, sink: str, outcome: str, find_fails: bool) -> None:
        self.sides[sink].outcome, self.sides[sink].find_fails = outcome, find_fails
        self._work(sink)

    @rule(sink=_sinks, outcome=st.sampled_from(OUTCOMES), at=st.sampled_from(POINTS))
    def a_worker_dies(self, sink: str, outcome: str, at: str) -> None:
        self.sides[sink].outcome, self.sides[sink].find_fails = outcome, False
        self._work(sink, at, "die")

    @rule(sink=_sinks, at=st.sampled_from(POINTS))
    def a_worker_falls_asleep(self, sink: str, at: str) -> None:
        if sink in self.asleep:
            return
        self.sides[sink].outcome, self.sides[sink].find_fails = "heard", False
        self._work(sink, at, "sleep")

    @rule(sink=_sinks, at=st.sampled_from(POINTS), outcome=st.sampled_from(OUTCOMES))
    def a_worker_sleeps_while_another_takes_over(self, sink: str, at: str, outcome: str) -> None:
        self.a_worker_falls_asleep(sink=sink, at=at)
        self.time_passes(minutes=6)
        self.a_round_is_delivered(sink=sink, outcome=outcome, find_fails=False)

    @precondition(lambda self: self.asleep)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def a_sleeper_wakes(self, data: Any, outcome: str) -> None:
        sink = data.draw(st.sampled_from(sorted(self.asleep)))
        self.sides[sink].outcome, self.sides[sink].find_fails = outcome, False
        self._wake(sink)

    @rule(minutes=st.sampled_from(MINUTES))
    def time_passes(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)

    @rule()
    def what_is_parked_is_tried_again(self) -> None:
        ids = [action.id for action in self.world.actions(state="parked")]
        self.world.workspace.store.write(lambda c: outbox.retry(c, ids, self.world.now))

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def no_key_has_two_effects(self) -> None:
        for name, side in getattr(self, "sides", {}).items():
            twice = {key: count for key, count in side.effects.items() if count > 1}
            assert not twice, f"{name} made twice: {twice}"

    @invariant()
    def nothing_is_sent_twice_where_nobody_can_look(self) -> None:
        for name in ("chat", "mail"):
            side = getattr(self, "sides", {}).get(name)
            twice = {k: n for k, n in side.arrivals.items() if n > 1} if side else {}
            assert not twice, f"{name} was sent twice: {twice}"

    def teardown(self) -> None:
        if not hasattr(self, "place"):
            return
        try:
            self._settle()
            self._compare()
        finally:
            faultpoints.reach = self._reach
            for worker in self.asleep.values():
                worker.wake()
            self.world.workspace.store.close()
            shutil.rmtree(self.place)

    def _settle(self) -> None:
        """The trouble is over: everything comes to its end."""
        for side in self.sides.values():
            side.outcome, side.find_fails = "heard", False
        for sink in list(self.asleep):
            self._wake(sink)
        for _ in range(200):
            for sink in SINKS:
                self._work(sink)
            if not any(a.state in ("waiting", "sending") for a in self._due()):
                return
            self.world.now += timedelta(minutes=6)
        raise AssertionError(f"it never ends: {[(a.kind, a.state) for a in self._due()]}")

    def _due(self) -> list[Any]:
        """Without amendments of a case that is parked: they wait for a person."""
        actions = self.world.actions()
        made = {action.id for action in actions if action.state == "done"}
        return [a for a in actions if a.amends is None or a.amends in made]

    def _compare(self) -> None:
        self.no_key_has_two_effects()
        self.nothing_is_sent_twice_where_nobody_can_look()
        for action in self.world.actions():
            there = self.sides[action.sink].effects[action.key]
            if action.state == "done":
                assert there == 1, f"{action.kind} is done, and {there} exist"
            elif action.state in ("superseded", "withheld", "held"):
                assert there == 0, f"{action.kind} is {action.state}, and exists"
            elif action.sink in ("desk", "hub"):
                assert action.state == "parked" or action.amends, action.state


def run(template: Path, examples: int) -> None:
    class Prepared(Outbox):
        pass

    Prepared.template = template
    checks = (HealthCheck.too_slow, HealthCheck.filter_too_much)
    run_state_machine_as_test(
        Prepared,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=checks,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate],
        ),
    )


def test_no_order_of_faults_makes_two_of_one(sqlite_template: Path) -> None:
    run(sqlite_template, examples=30)


@pytest.mark.parametrize("guard", ["lookup", "fence", "sending"])
def test_without_one_of_its_guards_the_machine_finds_two_of_one(
    sqlite_template: Path, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faultpoints, "broken", lambda asked: asked == guard)
    with pytest.raises(AssertionError):
        run(sqlite_template, examples=60)
