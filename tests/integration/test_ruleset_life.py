"""One ruleset decides, every process follows it, and no file with a mistake takes its place."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from connector import deciding
from connector.engine.stages import Stages
from connector.engine.wakeups import DECIDE
from connector.errors import Invalid
from connector.rules.model import RulesetText
from connector.store import Store, activations, alarms, answers, tables
from connector.workspace import Workspace, open_workspace

ASKS = """
rules:
  - id: {id}
    when: {{segment: {segment}}}
    then: [{{zendesk.ticket: {{next_step: Call., respond_within: 4h}}}}]
    examples:
      - {{given: {{score: {score}}}, fires: true}}
"""
DETRACTOR = ASKS.format(id="detractor", segment="detractor", score=2)
PROMOTER = ASKS.format(id="promoter", segment="promoter", score=9)
FAILS = ASKS.format(id="promoter", segment="promoter", score=2)
BROKEN = "rules: [{id: x, when: {segmnt: promoter}, then: [{log: {}}]}]"


@pytest.fixture
def world(make_world) -> Any:
    return make_world(DETRACTOR)


@pytest.fixture
def other(world) -> Iterator[Workspace]:
    """The same installation as another process has it."""
    store = Store(world.workspace.store.url)
    yield Workspace(world.workspace.settings, store)
    store.close()


def write(world, rules: str) -> None:
    path: Path = world.workspace.settings.rules
    path.write_text(rules)


def text_of(world, rules: str) -> RulesetText:
    return RulesetText({**world.workspace.rulesets.in_files().files, "rules.yaml": rules})


def follow(world) -> bool:
    """Two looks: what has changed is taken up when it stands still."""
    rulesets = world.workspace.rulesets
    return [rulesets.follow(world.now), rulesets.follow(world.now)][-1]


def activate(workspace: Workspace, world, rules: str, instead_of: str | None) -> bool | None:
    text = text_of(world, rules)
    return workspace.rulesets.activate(text, world.now, "ana", "why", instead_of)


def active(world) -> str | None:
    with world.workspace.store.read() as connection:
        return answers.active_ruleset(connection)


def told(world) -> list[tuple[str, str]]:
    """Who activated, and why; the newest first."""
    with world.workspace.store.read() as connection:
        return [(row.by, row.note) for row in activations.newest(connection)]


def open_alarms(world) -> list[Any]:
    with world.workspace.store.read() as connection:
        return [(a.kind, a.subject) for a in alarms.open_alarms(connection)]


def decides_by(world, workspace: Workspace) -> str:
    """Which rule is asked: an answer of each kind is decided by this process."""
    numbers = len(world.responses())
    world.post(id=f"d{numbers}", score=2)
    world.post(id=f"p{numbers}", score=9)
    deciding.decide_batch(workspace, world.now)
    matched = {row.rule_id for row in world.actions() if row.decision and row.decision > numbers}
    assert len(matched) == 1
    return str(matched.pop())


def test_a_process_with_the_old_ruleset_in_memory_decides_with_the_new_one(world, other):
    assert decides_by(world, other) == "detractor"
    assert activate(world.workspace, world, PROMOTER, active(world))
    assert decides_by(world, other) == "promoter"
    assert decides_by(world, world.workspace) == "promoter"


def test_a_changed_file_is_taken_up_once_it_stands_still(world):
    write(world, PROMOTER[: len(PROMOTER) // 2])
    assert not world.workspace.rulesets.follow(world.now)
    write(world, PROMOTER)
    assert not world.workspace.rulesets.follow(world.now)
    assert open_alarms(world) == []
    assert world.workspace.rulesets.follow(world.now)
    assert decides_by(world, world.workspace) == "promoter"
    assert told(world)[0] == ("files", "changed: rules.yaml")
    assert not follow(world)
    assert len(told(world)) == 2


def test_a_changed_template_is_a_changed_ruleset(world):
    before = active(world)
    file = world.workspace.settings.templates / "thank_you/en.txt"
    file.write_text("Subject: Thanks\n\nThanks.\n")
    assert follow(world)
    assert active(world) != before
    assert told(world)[0] == ("files", "changed: templates/thank_you/en.txt")


@pytest.mark.parametrize("broken", [BROKEN, FAILS, "", "rules: [", "\x00"])
def test_a_broken_file_leaves_the_good_one_and_raises_an_alarm_until_it_is_mended(world, broken):
    before = active(world)
    write(world, broken)
    assert not follow(world)
    assert not follow(world)
    assert active(world) == before
    with world.workspace.store.read() as connection:
        [alarm] = alarms.open_alarms(connection)
    assert (alarm.kind, alarm.subject, alarm.count) == ("rules", "files", 1)
    assert "rules.yaml:" in alarm.message
    assert "stays active" in alarm.message
    assert decides_by(world, world.workspace) == "detractor"

    write(world, DETRACTOR)
    assert not follow(world)
    assert open_alarms(world) == []
    write(world, PROMOTER)
    assert follow(world)


def test_a_file_that_is_gone_is_a_broken_one(world):
    world.workspace.settings.rules.unlink()
    assert not follow(world)
    assert open_alarms(world) == [("rules", "files")]
    assert decides_by(world, world.workspace) == "detractor"


def test_a_file_that_could_not_be_taken_up_is_tried_again(world, monkeypatch):
    write(world, PROMOTER)
    with monkeypatch.context() as patched:
        patched.setattr(activations, "lock", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            follow(world)
    assert world.workspace.rulesets.follow(world.now)


def start(world, follow: bool = True) -> Workspace:
    opened = open_workspace(world.workspace.settings, world.now, follow)
    opened.store.close()
    return opened


def test_a_cold_start_with_a_broken_file_goes_on_with_the_stored_one_and_says_so(world, caplog):
    write(world, FAILS)
    start(world)
    assert "should fire and does not" in caplog.text
    assert "stays active" in caplog.text
    assert open_alarms(world) == [("rules", "files")]
    assert decides_by(world, world.workspace) == "detractor"

    write(world, PROMOTER)
    start(world)
    assert open_alarms(world) == []
    assert decides_by(world, world.workspace) == "promoter"


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("broken", [BROKEN, FAILS])
def test_without_any_good_one_it_does_not_start(make_world, follow, broken, store_url):
    with pytest.raises(Invalid, match=r"rules\.yaml:"):
        make_world(broken)
    store = Store(store_url)
    with store.read() as connection:
        assert answers.active_ruleset(connection) is None
    store.close()


def test_a_stored_one_that_cannot_be_loaded_is_no_good_one(world, caplog):
    altered = update(tables.rulesets).values(files={"rules.yaml": "rules: []"})
    world.workspace.store.write(lambda connection: connection.execute(altered))
    write(world, BROKEN)
    with pytest.raises(Invalid, match="segmnt"):
        start(world)
    assert open_alarms(world) == [("rules", "active")]

    start(world, follow=False)  # it delivers, and receives; nothing is decided
    write(world, DETRACTOR)
    start(world)
    assert open_alarms(world) == []
    assert decides_by(world, world.workspace) == "detractor"


def test_who_does_not_follow_the_files_takes_up_the_first_ruleset_only(world):
    before = active(world)
    for changed in (PROMOTER, BROKEN):
        write(world, changed)
        start(world, follow=False)
        assert active(world) == before
    assert open_alarms(world) == []


def test_of_two_that_start_first_with_different_files_one_is_followed(world, monkeypatch):
    """The second one looked before the first had written."""
    first = active(world)
    write(world, PROMOTER)
    looked = iter([None])
    real = answers.active_ruleset
    with monkeypatch.context() as patched:
        patched.setattr(answers, "active_ruleset", lambda c: next(looked, real(c)))
        start(world, follow=False)
    assert active(world) == first
    assert len(told(world)) == 1


def test_a_rollback_outlives_a_restart_until_the_files_change_again(world):
    old = active(world)
    write(world, PROMOTER)
    assert follow(world)
    assert activate(world.workspace, world, DETRACTOR, active(world))
    assert active(world) == old
    assert not follow(world)
    start(world)
    assert active(world) == old

    write(world, PROMOTER + "# again\n")
    start(world)
    assert active(world) != old


def test_what_a_person_chose_while_the_files_had_changed_is_not_undone_by_them(world):
    """The file was saved a moment before the rollback, and is looked at a moment later."""
    write(world, PROMOTER)
    other = text_of(world, DETRACTOR + "# chosen\n")
    world.workspace.rulesets.activate(other, world.now, "ana", "", active(world))
    assert not follow(world)
    start(world)
    assert active(world) == other.hash


def test_of_two_that_activate_at_once_the_second_looks_again(world, other, monkeypatch):
    before, ready, results = active(world), threading.Barrier(2), {}
    lock = activations.lock

    def together(connection: Any) -> Any:
        if not ready.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                ready.wait(0.5)  # on PostgreSQL both are inside; SQLite lets in one at a time
        return lock(connection)

    monkeypatch.setattr(activations, "lock", together)

    def run(name: str, workspace: Workspace, rules: str) -> None:
        results[name] = activate(workspace, world, rules, before)

    jobs = [("one", world.workspace, PROMOTER), ("two", other, DETRACTOR + "# two\n")]
    threads = [threading.Thread(target=run, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(results.values(), key=str) == [None, True]
    winner = PROMOTER if results["one"] else DETRACTOR + "# two\n"
    assert active(world) == text_of(world, winner).hash
    assert len(told(world)) == 2


def test_the_same_activated_by_two_is_activated_once(world, other):
    before = active(world)
    assert activate(world.workspace, world, PROMOTER, before) is True
    assert activate(other, world, PROMOTER, before) is False
    assert len(told(world)) == 2


def test_a_decision_says_since_when_its_ruleset_was_active(world):
    first = active(world)
    later = world.now + timedelta(days=1)
    text = text_of(world, PROMOTER)
    world.workspace.rulesets.activate(text, later, "ana", "", first)
    again = text_of(world, DETRACTOR)
    world.workspace.rulesets.activate(again, later + timedelta(days=1), "ana", "", text.hash)
    with world.workspace.store.read() as connection:

        def since(moment: Any) -> Any:
            return activations.active_since(connection, first, moment)

        assert since(world.now - timedelta(days=1)) is None
        assert since(later) == world.now - timedelta(hours=1)
        assert since(later + timedelta(days=2)) == later + timedelta(days=1)


def test_the_history_counts_what_each_ruleset_decided(world):
    world.answer(id="1", score=2)
    write(world, PROMOTER)
    follow(world)
    world.answer(id="2", score=2)
    world.answer(id="3", score=9)
    with world.workspace.store.read() as connection:
        assert [row.decisions for row in activations.newest(connection)] == [2, 1]
        assert len(activations.newest(connection, 1)) == 1


def test_chores_notice_a_ruleset_that_cannot_be_used_here(world):
    from connector.engine.chores import do_chores

    broken = RulesetText({"rules.yaml": BROKEN})
    world.workspace.store.write(
        lambda c: activations.activate(c, broken.hash, broken.files, world.now, "ana", "")
    )
    do_chores(world.workspace, world.now)
    assert open_alarms(world) == [("rules", "active")]
    assert activate(world.workspace, world, PROMOTER, broken.hash)
    assert open_alarms(world) == []


@pytest.mark.parametrize("ill", ["broken", "not its text"])
def test_no_alarm_is_left_about_a_ruleset_that_a_person_mended_meanwhile(
    world, other, monkeypatch, caplog, ill
):
    """It was looked at before, and the alarm is raised after; nothing else would ever end it."""
    store, good = world.workspace.store, text_of(world, PROMOTER)
    bad = RulesetText({"rules.yaml": BROKEN}) if ill == "broken" else good
    files = {"rules.yaml": BROKEN}
    store.write(lambda c: activations.activate(c, bad.hash, files, world.now, "ana", ""))
    write = store.write

    def meanwhile(work: Any) -> Any:
        activate(other, world, PROMOTER, bad.hash)
        return write(work)

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", meanwhile)
        assert world.workspace.rulesets.is_usable(world.now)
    assert open_alarms(world) == []
    assert "nothing is decided" not in caplog.text


def test_a_person_who_mends_it_while_the_alarm_is_raised_ends_the_alarm(world, other, monkeypatch):
    bad = RulesetText({"rules.yaml": BROKEN})
    world.workspace.store.write(
        lambda c: activations.activate(c, bad.hash, bad.files, world.now, "ana", "")
    )
    raise_alarm, mending = alarms.raise_alarm, []

    def meanwhile(*given: Any) -> Any:
        job = (other, world, PROMOTER, bad.hash)
        mending.append(threading.Thread(target=activate, args=job))
        mending[0].start()
        mending[0].join(0.5)
        return raise_alarm(*given)

    with monkeypatch.context() as patched:
        patched.setattr(alarms, "raise_alarm", meanwhile)
        world.workspace.rulesets.is_usable(world.now)
    mending[0].join(20)
    assert open_alarms(world) == []


def test_a_worker_that_cannot_use_the_active_ruleset_says_so_in_one_line(world, caplog):
    broken = RulesetText({"rules.yaml": BROKEN})
    world.workspace.store.write(
        lambda c: activations.activate(c, broken.hash, broken.files, world.now, "ana", "")
    )
    world.post(id="1", score=9)
    start(world, follow=False)
    stages = Stages(world.workspace, lambda _: None, 1, lambda: world.now)
    stages.go(DECIDE)
    assert "decide: rules.yaml:1:24: unknown field 'segmnt'" in caplog.text
    assert "Traceback" not in caplog.text
    assert open_alarms(world) == [("rules", "active")]

    assert activate(world.workspace, world, PROMOTER, broken.hash)
    stages.go(DECIDE)
    stages.close()
    assert world.made() == [("zendesk.ticket", "waiting")]


def test_the_active_ruleset_of_an_older_version_begins_the_history(store, now):
    from alembic import command

    from connector.store import schema

    text = RulesetText({"rules.yaml": DETRACTOR})
    kept = {"hash": text.hash, "files": dict(text.files), "stored_at": now}

    def back_and_forth(connection: Any) -> None:
        tables.activations.drop(connection)
        connection.execute(insert(tables.rulesets).values(kept))
        row = {"name": answers.ACTIVE_RULESET, "value": text.hash}
        connection.execute(insert(tables.settings).values(row))
        config = schema._config(connection)
        command.stamp(config, "0002")
        command.upgrade(config, "0003")

    store.write(back_and_forth)
    with store.read() as connection:
        [row] = connection.execute(select(tables.activations)).all()
    assert (row.hash, row.at, row.by) == (text.hash, now, "")


def test_topics_are_taken_up_and_a_mistake_in_them_changes_nothing(world):
    topics = world.workspace.settings.rules.parent / "topics.yaml"
    before = active(world)
    topics.write_text("topics: {delivery: {en: [late]}}")
    assert follow(world)
    good = active(world)
    assert good != before

    topics.write_text("topics: {delivery: {xx: [late]}}")
    assert not follow(world)
    assert active(world) == good

    world.answer(id="1", score=9, comment="Later than late")
    with world.workspace.store.read() as connection:
        verdict = connection.execute(select(tables.decisions.c.verdict)).scalar_one()
    assert verdict["topics"] == ["delivery"]
