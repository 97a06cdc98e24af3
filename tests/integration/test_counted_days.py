"""Cases counted by day: the same numbers as the cases themselves, whatever happens to these."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, event, func, insert, select, text, update
from sqlalchemy.sql import visitors

from connector import recounting
from connector.engine.chores import do_chores
from connector.recounting import recount, recount_all
from connector.store import case_days, looping, schema
from connector.store.cases import Change, change
from connector.store.counting import NOTHING, By, Period
from connector.store.looping import Wait
from connector.store.tables import case_changes, cases
from connector.store.tables import case_days as days
from tests.integration.loop_world import DAY, HOUR, Cases

GROUPS = ("survey", "team", "owner", "rule_id", "source", "segment")
BY = (NOTHING, *(By("case", (name,)) for name in GROUPS), By("fact", ("customer", "plan")))
NOTES = select(func.count()).select_from(case_changes)


@pytest.fixture
def looked(world):
    world.cases = Cases(world)
    world.store = world.workspace.store
    return world


def told(world, survey=None, begin=40.3, end=0.0):
    """All that is told of these days; whole days as they were counted, where they were."""
    period = Period(world.now - begin * DAY, world.now - end * DAY)
    found = {}
    with world.store.read(snapshot=True) as connection:
        loop = looping.Cases(connection, period, world.now, survey)
        for by in BY:
            measured = Counter()
            for one in loop.measured(by):
                for name, number in zip(one.names(), one.numbers, strict=True):
                    measured[one.group, one.day, name] += number
            found[by] = (+measured, Counter(loop.waits(by)), Counter(loop.working_waits(by)))
        found["endings"] = Counter(loop.endings())
    return found


def ended(world, **asked):
    return sum(one.cases for one in told(world, **asked)["endings"])


def one_by_one(world, monkeypatch, **asked):
    with monkeypatch.context() as patch:
        patch.setattr(looping, "_MOST_SPANS", -1)
        return told(world, **asked)


def random_change(rng, world):
    """As adapters, people and erasure change cases; whatever is counted of them may differ."""
    now = world.now
    case = rng.randint(1_001, world.cases.number)
    touched = now - rng.random() * 30 * DAY
    values = rng.choice(
        (
            {"state": "contacted", "contacted_at": touched, "working_seconds": rng.random() * 1e5},
            {"state": "closed", "closed_at": now, "cause": rng.choice(("late", "", None, "'"))},
            {"state": "closed", "closed_at": touched, "action_taken": "called\nback"},
            {"state": "gone"},
            {"state": "open", "closed_at": None, "reopened": rng.randint(1, 3)},
            {"owner": rng.choice(("bo", None, "")), "team": rng.choice(("Care", "Nord", None))},
            {"respond_by": rng.choice((None, now - HOUR, now + 2 * DAY))},
            {"customer_id": None},
        )
    )
    world.store.write(lambda c: change(c, [Change(case, values, [])], now))


def random_step(rng, world):
    step = rng.random()
    if step < 0.25:
        world.cases.add(
            rng.random() * 42,
            touched=rng.choice((None, rng.random() * 300)),
            closed=rng.choice((None, rng.random() * 900)),
            promised=rng.choice((None, 1, 24, 200)),
            survey=rng.choice(("nps", "rating")),
            source=rng.choice(("app", "web")),
            segment=rng.choice(("detractor", "promoter", None)),
        )
    elif step < 0.75:
        random_change(rng, world)
    elif step < 0.8:
        gone = rng.randint(1_001, world.cases.number)
        world.store.write(lambda c: c.execute(delete(cases).where(cases.c.action_id == gone)))
    elif step < 0.85:
        world.now += rng.random() * DAY
    else:
        recount(world.store, world.now, rounds=rng.choice((1, 1, 20)))


@pytest.mark.parametrize("seed", range(2))
def test_after_any_history_days_tell_what_their_cases_do(looked, monkeypatch, seed):
    monkeypatch.setattr(recounting, "_DAYS_TOGETHER", 7)
    rng = random.Random(seed)
    looked.cases.add(times=3)
    for _ in range(7):
        for _ in range(rng.randint(1, 25)):
            random_step(rng, looked)
        asked = rng.choice(({}, {"survey": "nps"}, {"begin": 33.0, "end": 7.7}))
        assert told(looked, **asked) == one_by_one(looked, monkeypatch, **asked)
    recount(looked.store, looked.now)
    assert told(looked) == one_by_one(looked, monkeypatch)


def test_the_hours_at_both_ends_are_counted_too(looked):
    """It is noon: the time begins and ends within a day."""
    for days_ago in (10.1, 9.9, 9.4, 5, 1.6, 0.6, 0.4):
        looked.cases.add(days_ago, closed=1)
    for _ in range(2):
        assert ended(looked, begin=10.0, end=0.5) == 5
        assert ended(looked, begin=9.8, end=9.0) == 1
        assert ended(looked, begin=9.45, end=9.35) == 1
        assert ended(looked, begin=9.3, end=9.2) == 0
        recount(looked.store, looked.now)


def test_waits_go_on_while_nothing_changes(looked):
    """One was closed without a touch that anybody saw: of that the working clock knows nothing."""
    looked.cases.add(0.9, promised=1)
    looked.cases.add(10, closed=30)
    recount(looked.store, looked.now)
    closed = Wait(None, 30 * 3_600, True, 1)
    for more, whole in ((timedelta(0), 77_760), (1.51 * HOUR, 83_160)):
        looked.now += more
        _, waits, working = told(looked)[NOTHING]
        assert waits == Counter([Wait(None, whole, False, 1), closed])
        assert working == Counter([Wait(None, None, False, 1)])


def test_what_is_counted_is_read_and_not_counted_again(looked, monkeypatch):
    looked.cases.add(10, touched=3, times=2)
    assert recount(looked.store, looked.now) == 1
    assert recount(looked.store, looked.now) == 0
    before = told(looked)
    looked.store.write(lambda c: c.execute(update(days).values(waits="[]")))
    assert told(looked)[NOTHING][1] == Counter()
    assert told(looked)[NOTHING][0] == before[NOTHING][0]


def test_a_change_while_days_are_counted_is_not_lost(looked, monkeypatch):
    looked.cases.add(10, times=2)
    with looked.store.read() as connection:
        counted = case_days.count(connection, looked.now.date(), 30)
    world_change = Change(1_001, {"state": "closed", "closed_at": looked.now}, [])
    looked.store.write(lambda c: change(c, [world_change], looked.now))
    assert looked.store.write(lambda c: case_days.keep(c, counted)) == 0
    assert told(looked) == one_by_one(looked, monkeypatch)
    assert recount(looked.store, looked.now) == 1
    assert told(looked) == one_by_one(looked, monkeypatch)
    assert ended(looked) == 1


def test_of_two_who_count_the_same_day_the_slower_one_keeps_nothing(looked, monkeypatch):
    """Also where everything was counted and noted anew meanwhile: no note has the id of another."""
    looked.cases.add(10)
    with looked.store.read() as connection:
        slow = case_days.count(connection, looked.now.date(), 30)
    assert recount(looked.store, looked.now) == 1
    closed = Change(1_001, {"state": "closed", "closed_at": looked.now}, [])
    looked.store.write(lambda c: change(c, [closed], looked.now))
    assert not looked.store.write(lambda c: case_days.keep(c, slow))
    assert recount(looked.store, looked.now) == 1
    assert ended(looked) == 1


def test_a_change_that_is_taken_back_leaves_what_was_counted(looked):
    looked.cases.add(10)
    recount(looked.store, looked.now)

    def work(connection):
        connection.execute(update(cases).values(state="gone"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        looked.store.write(work)
    assert recount(looked.store, looked.now) == 0


def columns_read(world):
    """Of `cases`, by anything that is counted; those that the database reckons as what they are
    reckoned from."""
    found = set()

    def read(_connection, statement, *_):
        for part in visitors.iterate(statement):
            if getattr(part, "table", None) is not None and hasattr(part, "name"):
                found.add((getattr(part.table, "name", ""), part.name))

    event.listen(world.store.engine, "before_execute", read)
    told(world)
    event.remove(world.store.engine, "before_execute", read)
    names = {name for table, name in found if table == "cases"}
    assert {"state", "touched_after", "respond_by"} < names
    of_seconds = {"touched_after": ("contacted_at", "closed_at"), "closed_after": ("closed_at",)}
    for name, these in of_seconds.items():
        names.discard(name)
        names.update(these)
    return names - {"response_id"}  # leads to the facts, by which nothing is kept


def test_every_column_that_is_counted_is_watched(looked):
    looked.cases.add(10)
    values = {"answered_at": looked.now - 2 * DAY, "reopened": 2, "working_seconds": 3.0}
    values |= {f"{name}_at": looked.now for name in ("contacted", "closed")}
    values["respond_by"] = looked.now
    for name in sorted(columns_read(looked)):
        recount(looked.store, looked.now)
        value = values.get(name, "other")
        looked.store.write(lambda c, n=name, v=value: c.execute(update(cases).values({n: v})))
        assert recount(looked.store, looked.now), name
    looked.store.write(lambda c: c.execute(update(cases).values(answered_at=looked.now - DAY)))
    assert recount(looked.store, looked.now) == 2  # where it was, and where it is
    looked.store.write(lambda c: c.execute(update(cases).values(told_at=looked.now)))
    assert recount(looked.store, looked.now) == 0  # every round of news changes it


def test_many_scattered_changes_are_read_at_once(looked, monkeypatch):
    for number in range(30):
        looked.cases.add(number + 0.1)
    recount(looked.store, looked.now)
    odd = cases.c.action_id % 2 == 1
    looked.store.write(lambda c: c.execute(update(cases).where(odd).values(owner="bo")))
    before = one_by_one(looked, monkeypatch)
    assert told(looked) == before
    monkeypatch.setattr(looping, "_MOST_SPANS", 10)
    assert told(looked) == before


def test_what_is_not_due_yet_is_counted_case_by_case_until_it_is(looked, monkeypatch):
    looked.cases.add(3, promised=10 * 24)
    recount(looked.store, looked.now)
    assert told(looked)[NOTHING][0][None, "2026-11-17", "due"] == 0
    looked.now += 7 * DAY + timedelta(seconds=1)
    assert told(looked) == one_by_one(looked, monkeypatch)
    assert told(looked)[NOTHING][0][None, "2026-11-17", "overdue"] == 1


def test_a_day_that_changes_all_the_time_keeps_nobody_at_it(looked, monkeypatch):
    keep, again = case_days.keep, insert(case_changes).values(day="2026-11-10")
    monkeypatch.setattr(
        case_days, "keep", lambda c, counted: (keep(c, counted), c.execute(again))[0]
    )
    looked.cases.add(10)
    assert recount(looked.store, looked.now, rounds=50) == 1


def test_what_is_not_kept_by_day_is_known():
    assert case_days.dimension_of(By("case", ("sink",))) is None
    assert case_days.dimension_of(By("fact", ("survey",))) is None
    assert case_days.dimension_of(By("case", ("survey",))) == case_days.OF_ALL


def test_who_reads_sees_one_moment(looked):
    """Also where days are counted anew, or not kept any more, between two of its questions."""
    looked.cases.add(10, times=2)
    recount(looked.store, looked.now)
    period = Period(looked.now - 40 * DAY, looked.now)
    with looked.store.read(snapshot=True) as connection:
        asked = looping.Cases(connection, period, looked.now)
        looked.cases.add(1.2, promised=100)
        recount(looked.store, looked.now)
        looked.store.write(case_days.count_again)
        assert sum(one.cases for one in asked.measured(NOTHING)) == 2
        assert sum(one.cases for one in asked.waits(NOTHING)) == 2


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_who_would_read_several_moments_is_refused(looked):
    period = Period(looked.now - DAY, looked.now)
    with looked.store.read() as connection, pytest.raises(RuntimeError, match="one snapshot"):
        looping.Cases(connection, period, looked.now)


def test_days_that_are_still_to_come_and_very_old_ones_stop_nothing(looked, monkeypatch):
    looked.cases.add(10)
    for year in (9999, 2070, 1901):
        looked.cases.add(at=datetime(year, 12, 30, 12, tzinfo=UTC))
    looked.cases.add(0)
    assert recount(looked.store, looked.now) == 1
    asked = {"begin": 365 * 200.0, "end": -365 * 100.0}
    assert told(looked, **asked) == one_by_one(looked, monkeypatch, **asked)
    assert sum(one.cases for one in told(looked, **asked)[NOTHING][1]) == 4


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_change_by_hand_is_noted_whatever_the_search_path(looked):
    looked.cases.add(10)
    recount(looked.store, looked.now)

    for said in (
        "UPDATE public.cases SET owner = 'bo'",
        "DELETE FROM public.cases",
        "INSERT INTO public.cases (action_id, response_id, source, survey, rule_id, sink,"
        " remote_id, state, opened_at, answered_at)"
        " SELECT 1001, id, 'app', 'nps', 'r', 'desk', '1', 'open',"
        " received_at, received_at FROM public.responses",
    ):

        def by_hand(connection, said=said):
            connection.execute(text("SET LOCAL search_path = ''"))
            connection.execute(text(said))

        looked.store.write(by_hand)
        assert recount(looked.store, looked.now) == 1, said


def test_all_that_waits_is_counted_and_nothing_twice(looked, monkeypatch):
    monkeypatch.setattr(recounting, "_DAYS_TOGETHER", 2)
    for day in range(7):
        looked.cases.add(day + 1)
    keep, again = case_days.keep, insert(case_changes).values(day="2026-11-10")
    monkeypatch.setattr(
        case_days, "keep", lambda c, counted: (keep(c, counted), c.execute(again))[0]
    )
    assert recount_all(looked.store, looked.now) == 8


def test_the_chores_count_them_some_at_a_time(looked):
    for day in range(recounting._ROUNDS * recounting._DAYS_TOGETHER + 20):
        looked.cases.add(day + 1)
    do_chores(looked.workspace, looked.now)
    with looked.store.read() as connection:
        assert connection.scalar(NOTES) == 20
    do_chores(looked.workspace, looked.now)
    with looked.store.read() as connection:
        assert connection.scalar(NOTES) == 0


def test_cases_of_an_older_version_are_counted(looked, monkeypatch):
    from alembic import command

    looked.cases.add(10, touched=3, times=2)
    looked.cases.add(5)
    names = ("opened", "changed", "removed")

    def back_and_forth(connection):
        for name in names:
            said = f"FUNCTION note_{name} CASCADE"
            said = f"TRIGGER note_{name}" if looked.store.is_sqlite else said
            connection.execute(text(f"DROP {said}"))
        days.drop(connection)
        case_changes.drop(connection)
        config = schema._config(connection)
        command.stamp(config, "0012")
        command.upgrade(config, "0013")

    looked.store.write(back_and_forth)
    assert told(looked) == one_by_one(looked, monkeypatch)
    assert recount(looked.store, looked.now) == 2
    assert told(looked) == one_by_one(looked, monkeypatch)


def test_rebuilding_counts_every_day_anew(looked, monkeypatch, connector):
    looked.cases.add(10, touched=3)
    recount(looked.store, looked.now)
    wrong = {"dimension": "", "day": "2026-11-01", "due_by": None}
    wrong |= dict.fromkeys(("figures", "waits", "working_waits", "endings"), "[]")
    looked.store.write(lambda c: c.execute(update(days).values(figures="[]")))
    looked.store.write(lambda c: c.execute(insert(days).values(wrong)))
    assert told(looked) != one_by_one(looked, monkeypatch)
    monkeypatch.chdir(looked.workspace.settings.directory)
    assert connector("rebuild-readings")[0] == 0
    assert told(looked) == one_by_one(looked, monkeypatch)
    with looked.store.read() as connection:
        assert connection.scalars(select(days.c.day).distinct()).all() == ["2026-11-10"]
        assert connection.scalar(NOTES) == 0
