"""Readings and tallies: the same numbers as the answers themselves, whatever happens to these."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import delete, event, func, select, text

from connector import deciding, erasure, projecting
from connector.engine.embedded import Embedded
from connector.engine.stages import Stages
from connector.engine.wakeups import DECIDE, PROJECT, Wakeup, schedule
from connector.reports.grouping import groups_of
from connector.store import Store, counting, people, readings, searching, tallies
from connector.store.counting import By, Period
from connector.store.tables import decisions
from connector.store.tables import readings as rows
from connector.store.tables import responses as answers
from connector.workspace import Workspace

DAY = timedelta(days=1)
TOPICS = {
    "survey": By(),
    "source": By("source"),
    "language": By("fact", ("language",)),
    "brand": By("fact", ("brand",)),
    "rule": By("rules"),
    "customer.plan": By("fact", ("customer", "plan")),
}
on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


def project(world, workspace: Workspace | None = None) -> int:
    done = 0
    while count := projecting.project(workspace or world.workspace):
        done += count
    return done


def counted(world) -> dict[str, Counter]:
    """By dimension, (survey, group, score, segment) -> answers, from the answers themselves."""
    begin, end = world.now - 400 * DAY, world.now + 2 * DAY
    found = {}
    with world.workspace.store.read() as connection:
        for name, by in TOPICS.items():
            found[name] = Counter()
            for row in counting.scores(connection, Period(begin, end), by):
                groups = groups_of(name, row.group) if name != "survey" else (None,)
                for group in groups:
                    found[name][row.survey, group, row.score, row.segment] += row.answers
    return found


def tallied(world) -> dict[str, Counter]:
    """The same from the tallies."""
    begin, end = ((world.now + n * DAY).date() for n in (-400, 2))
    with world.workspace.store.read() as connection:
        return {
            name: Counter(
                {
                    (one.survey, one.group, one.score, one.segment): one.answers
                    for one in tallies.scores(connection, begin, end, name)
                }
            )
            for name in TOPICS
        }


def found(world, *wanted: str) -> list[str]:
    """Responses that have these tokens, the newest first."""
    with world.workspace.store.read() as connection:
        ids = searching.find(connection, wanted, 100)
        named = {row.id: row.response_id for row in connection.execute(select(rows))}
    return [named[id] for id in ids]


def plan(world, email: str, value: str) -> None:
    def work(connection):
        key = people.customer_keys.c.value == email
        customer = connection.scalar(select(people.customer_keys.c.customer_id).where(key))
        if customer is not None:
            people.put_attributes(connection, customer, {"plan": value}, None)

    world.workspace.store.write(work)


@pytest.mark.parametrize("seed", range(4))
def test_tallies_say_what_the_answers_say_after_any_history(world, seed):
    """Revisions, late answers, other plans, erasures; projected now and then."""
    chance = random.Random(seed)
    emails = [f"p{n}@example.com" for n in range(5)]
    for step in range(40):
        number = chance.randrange(15)
        world.answer(
            id=str(number),
            survey=chance.choice(["nps", "partners", "rating"]),
            score=chance.choice([1, 2, 3, 4, 5]),
            comment=chance.choice(["", "refund please", "Muy lento", f"step {step}"]),
            email=emails[number % 5] if number % 3 else None,
            at=(world.now - timedelta(hours=chance.randrange(1, 90))).isoformat(),
            revised=(world.now + timedelta(seconds=step)).isoformat(),
        )
        if chance.random() < 0.2:
            plan(world, chance.choice(emails), chance.choice(["pro", "basic", ""]))
        if chance.random() < 0.3:
            projecting.project(world.workspace, limit=chance.choice([1, 3, 200]))
        if chance.random() < 0.05:
            erasure.erase_email(world.workspace.store, chance.choice(emails), world.now)
        if chance.random() < 0.05:
            erasure.erase_response(
                world.workspace.store, chance.choice(world.responses()).id, world.now
            )
    project(world)
    assert tallied(world) == counted(world)
    assert sum(counted(world)["survey"].values()) > 5
    projecting.rebuild(world.workspace)
    assert tallied(world)["survey"] == Counter()
    project(world)
    assert tallied(world) == counted(world)


def test_whole_weeks_and_the_days_around_them_are_the_same_answers(world):
    """Whatever day a time begins and ends on, also where it holds no whole week."""
    given = [(world.now - n * DAY).replace(hour=(0, 23)[n % 2]) for n in range(40)]
    for n, at in enumerate(given):
        world.answer(id=str(n), score=3, at=at.isoformat())
    world.answer(id="3", score=5, at=given[20].isoformat(), revised=world.now.isoformat())
    given[3] = given[20]
    project(world)
    with world.workspace.store.read() as connection:
        for first, last in itertools.product(range(22, 13, -1), range(16, -2, -1)):
            since, until = ((world.now - n * DAY).date() for n in (first, last))
            found = tallies.scores(connection, since, until)
            expected = sum(since <= at.date() < until for at in given)
            assert sum(one.answers for one in found) == expected, (since, until)


@pytest.mark.parametrize("times", ["day", "week"])
def test_each_day_or_week_has_its_own_answers(world, times):
    given = [(world.now - n * DAY).replace(hour=(0, 23)[n % 2]) for n in range(40)]
    for n, at in enumerate(given):
        world.answer(id=str(n), score=3, at=at.isoformat())
    project(world)
    back = {"day": lambda day: 0, "week": date.weekday}[times]
    for begin, end in ((33, -1), (20, 3), (12, 11), (5, 2)):
        since, until = ((world.now - n * DAY).date() for n in (begin, end))
        expected = Counter(
            (at.date() - back(at) * DAY).isoformat() for at in given if since <= at.date() < until
        )
        with world.workspace.store.read() as connection:
            found = tallies.scores(connection, since, until, times=times)
        assert {one.group: one.answers for one in found} == expected


def test_of_one_survey_nothing_else_is_counted(world):
    for n in range(20):
        survey = ("nps", "partners")[n % 4 == 0]
        world.answer(id=str(n), survey=survey, score=3, at=(world.now - n * DAY).isoformat())
    project(world)
    until = (world.now + DAY).date()
    with world.workspace.store.read() as connection:
        found = tallies.scores(connection, until - 21 * DAY, until, survey="partners")
    assert {(one.survey, one.answers) for one in found} == {("partners", 5)}


def test_what_can_be_chosen_is_known_and_was_said_in_that_week_or_later(world):
    monday = (world.now - timedelta(days=world.now.weekday(), weeks=2)).date()
    for n, days in enumerate((-1, 0, 5)):  # the Sunday before, and the first and a later day
        at = datetime.combine(monday + days * DAY, world.now.timetz())
        email = f"p{n}@example.com"
        world.answer(id=f"{n} before", score=9, email=email, at=at.isoformat())
        plan(world, email, ("old", "first", "later")[n])
        world.answer(id=str(n), score=9, email=email, at=at.isoformat())
    world.answer(id="nobody", score=9, at=world.now.isoformat())
    project(world)
    with world.workspace.store.read() as connection:
        found = tallies.values(connection, "customer.plan", monday + 3 * DAY, 10)
    assert found == ["first", "later"]


def test_what_an_older_version_counted_by_day_only_is_counted_anew(world):
    for n in range(20):
        world.answer(id=str(n), score=3, at=(world.now - n * DAY).isoformat())
    project(world)

    def as_it_was(connection):
        weeks = tallies.tallies.c.dimension.startswith("week:")
        connection.execute(delete(tallies.tallies).where(weeks))
        readings.advance(connection, dimensions=projecting.dimensions_of({}))

    world.workspace.store.write(as_it_was)
    assert tallied(world)["survey"] != counted(world)["survey"]
    world.answer(id="3", score=5, revised=world.now.isoformat(), at=world.now.isoformat())
    project(world)
    assert tallied(world)["survey"] == counted(world)["survey"]


def test_what_is_projected_twice_counts_once(world):
    world.answer(id="1", score=3, comment="slow", email="ana@example.com")
    assert project(world) == 1
    assert project(world) == 0
    with world.workspace.store.read() as connection:
        here = readings.position(connection)
    world.workspace.store.write(
        lambda c: (readings.hold(c), readings.advance(c, number=0, seen_number=0))
    )
    assert project(world) == 0, "it is there already"
    assert tallied(world) == counted(world)
    assert here.reached == 1


@on_postgresql
def test_a_decision_that_is_committed_after_a_later_one_is_not_missed(world):
    """Numbers are given out in order, and become visible in any."""
    other = Workspace(world.workspace.settings, Store(world.workspace.store.url))
    try:
        world.post(id="1", score=3, comment="first", email="ana@example.com")
        with other.store.engine.connect() as slow, slow.begin():
            deciding.decide_in(slow, other, world.now, 1)
            number = slow.scalar(select(func.max(decisions.c.number)))
            slow.execute(text("SET LOCAL lock_timeout = '5s'"))
            world.workspace.store.write(lambda c: copied(c, world, number + 1))
            for _ in range(3):
                project(world)
            assert [one.score for one in _rows(world)] == [9]
        for _ in range(3):
            project(world)
    finally:
        other.store.close()
    assert sorted(one.score for one in _rows(world)) == [3, 9]
    with world.workspace.store.read() as connection:
        here = readings.position(connection)
    assert here.number == here.reached == number + 1, "and nothing is looked at again for ever"


def copied(connection, world, number: int) -> None:
    """An answer and its decision, as another process decides them meanwhile."""
    from connector.store.tables import rulesets

    told = {"response_id": "late", "source": "app", "survey": "nps", "score": 9}
    connection.execute(
        answers.insert().values(
            id="late",
            source="app",
            survey="nps",
            score=9,
            segment="promoter",
            revision=1,
            content={},
            content_hash="x",
            answered_at=world.now,
            received_at=world.now,
            history=False,
        )
    )
    connection.execute(
        text("SELECT setval(pg_get_serial_sequence('decisions', 'number'), :n)"), {"n": number}
    )
    connection.execute(
        decisions.insert().values(
            number=number,
            response_id="late",
            revision=1,
            ruleset=connection.scalar(select(rulesets.c.hash)),
            engine="1",
            history=False,
            facts=told,
            verdict={"matches": []},
            decided_at=world.now,
        )
    )


def _rows(world):
    with world.workspace.store.read() as connection:
        return connection.execute(select(rows).order_by(rows.c.id.desc())).all()


def test_two_processes_that_project_at_once_count_every_answer_once(world):
    for number in range(60):
        world.post(id=str(number), score=number % 6, comment="hello there", email=f"p{number}@x.io")
    while world.decide().records:
        pass
    failed: list[BaseException] = []

    def work() -> None:
        store = Store(world.workspace.store.url)
        try:
            mine = Workspace(world.workspace.settings, store)
            for _ in range(30):
                projecting.project(mine, limit=7)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    project(world)
    assert tallied(world) == counted(world)
    assert len(_rows(world)) == len(found(world, "hello")) == 60
    assert len({one.seq for one in _rows(world)}) == 60


@on_postgresql
def test_who_waits_for_the_row_has_it_also_where_another_makes_it_meanwhile(world):
    store, asked = world.workspace.store, []

    def meanwhile(*_) -> None:
        asked.append(1)
        if len(asked) == 2:  # nobody had it when the first question was answered
            with contextlib.closing(Store(store.url)) as other:
                other.write(readings.hold)

    event.listen(store.engine, "before_cursor_execute", meanwhile)
    assert store.write(readings.hold) is not None
    assert len(asked) > 2


def test_who_is_erased_is_in_no_reading_and_found_by_nothing(world):
    world.answer(
        id="1", score=3, comment="Qué desastre", email="ana@example.com", name="Ana Quijote"
    )
    plan(world, "ana@example.com", "enterprise")
    world.answer(
        id="1", score=2, comment="Qué desastre", email="ana@example.com", name="Ana Quijote"
    )
    project(world)
    [response] = found(world, "desastre", ":nquijote")
    erasure.erase_email(world.workspace.store, "ana@example.com", world.now)
    assert found(world, "desastre") == found(world, ":nquijote") == found(world, ":nana*") == []
    [row] = _rows(world)
    assert row.response_id == response
    assert (row.customer_id, row.language, row.has_comment) == (None, None, False)
    assert "enterprise" not in repr(row)
    with world.workspace.store.read() as connection:
        left = [tuple(one) for one in connection.execute(select(tallies.tallies))]
        kept = list(connection.scalars(text("SELECT words FROM reading_search")))
        values = [tuple(one) for one in connection.execute(select(tallies.tally_values))]
    assert "enterprise" not in repr(left)
    assert values == [], "nobody speaks this language or has this plan any more"
    assert kept == []
    assert tallied(world) == counted(world)


def test_who_is_erased_while_their_answer_is_being_projected_does_not_come_back(world):
    world.answer(id="1", score=3, comment="slow", email="ana@example.com")
    dimensions = projecting.dimensions_of({})
    store = world.workspace.store
    store.write(lambda c: projecting._begin(c, dimensions))
    with store.read() as connection:
        prepared = projecting._prepare(connection, dimensions, 10)
    erasure.erase_email(store, "ana@example.com", world.now)
    store.write(lambda c: projecting._put(c, prepared))
    assert found(world, "slow") == []
    assert "ana" not in repr(_rows(world))
    assert tallied(world)["survey"] == counted(world)["survey"]


def test_words_are_found_without_accents_and_by_their_beginning_and_no_syntax_is_read(world):
    world.answer(id="1", score=3, comment="La devolución tardó; ¡PÉSIMO!")
    world.answer(id="2", score=3, comment="refunded 退款很慢")
    project(world)
    assert len(found(world, "devolucion")) == 1
    assert len(found(world, "pesimo")) == 1
    assert len(found(world, searching.beginning("refun"))) == 1
    assert len(found(world, *searching.asked_words("退款"))) == 1
    for typed in ('" OR 1=1', "devolucion' | 'refund", "NEAR(a b)", "words:x", "a* -b", "\\", ":*"):
        asked = searching.asked_words(typed)
        assert all(word.isalnum() for word in asked)
        assert not asked or found(world, *asked) == []


def test_an_attribute_that_is_declared_later_is_counted_for_all_answers(world):
    world.answer(id="1", score=3, email="ana@example.com")
    plan(world, "ana@example.com", "pro")
    project(world)
    settings = world.workspace.settings
    attributes = {**settings.customer_attributes, "tier": "text"}
    more = settings.model_copy(update={"customer_attributes": attributes})
    later = Workspace(more, world.workspace.store)
    assert project(world, later) == 1
    with world.workspace.store.read() as connection:
        [one] = tallies.scores(connection, date(2000, 1, 1), date(2100, 1, 1), "customer.tier")
    assert (one.group, one.answers) == (None, 1)
    assert tallied(world) == counted(world)


def test_who_counts_by_other_dimensions_puts_nothing_in_once_another_has_begun(world, monkeypatch):
    """A worker that still has the old connector.yaml is overtaken in the middle of its round."""
    world.answer(id="1", score=3, email="ana@example.com")
    settings = world.workspace.settings
    attributes = {**settings.customer_attributes, "tier": "text"}
    more = settings.model_copy(update={"customer_attributes": attributes})
    store = world.workspace.store
    store.write(lambda c: projecting._begin(c, projecting._dimensions(world.workspace)))
    prepare = projecting._prepare
    with contextlib.closing(Store(store.url)) as second:
        later = Workspace(more, second)

        def overtaken(*asked):
            second.write(lambda c: projecting._begin(c, projecting._dimensions(later)))
            return prepare(*asked)

        with monkeypatch.context() as patched:
            patched.setattr(projecting, "_prepare", overtaken)
            assert projecting.project(world.workspace) == 0
        assert project(world, later) == 1, "the old one has stopped"
        with second.read() as connection:
            [one] = tallies.scores(connection, date(2000, 1, 1), date(2100, 1, 1), "customer.tier")
    assert (one.group, one.answers) == (None, 1)


def test_values_that_have_no_end_are_counted_together_beyond_the_first_ones(world, monkeypatch):
    monkeypatch.setattr(tallies, "MOST_VALUES", 2)
    for number in range(5):
        email = f"p{number}@example.com"
        world.answer(id=str(number), score=3, email=email)
        plan(world, email, f"plan {number}")
        world.answer(id=str(number), score=4, email=email)
    project(world)
    plans = Counter({group: n for (_, group, _, _), n in tallied(world)["customer.plan"].items()})
    assert plans == {"plan 0": 1, "plan 1": 1, tallies.OTHER: 3}


def test_a_reader_is_told_how_far_behind_the_readings_are(world):
    store = world.workspace.store
    for number in range(3):
        world.answer(id=str(number), score=3)
    with store.read() as connection:
        assert readings.behind(connection) == (3, None)
    projecting.project(world.workspace, limit=2)
    with store.read() as connection:
        assert readings.behind(connection) == (1, world.now)
    project(world)
    with store.read() as connection:
        assert readings.behind(connection) == (0, world.now)


def test_the_readings_are_made_anew_by_command(world, connector, monkeypatch):
    world.answer(id="1", score=3, comment="slow")
    project(world)
    world.workspace.store.write(lambda c: c.exec_driver_sql("UPDATE tallies SET n = n + 7"))
    assert tallied(world) != counted(world)
    monkeypatch.chdir(world.workspace.settings.directory)
    code, out, _ = connector("rebuild-readings")
    assert (code, out) == (0, "1 answer read.\n")
    assert tallied(world) == counted(world)
    assert len(found(world, "slow")) == 1


def test_a_running_engine_projects_what_it_decides(world):
    engine = Embedded(world.workspace)
    engine.start()
    try:
        world.now = datetime.now(UTC)
        world.post(id="1", score=3, comment="slow")
        engine.arrived()
        deadline = time.monotonic() + 60
        while not found(world, "slow"):
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.02)
    finally:
        engine.stop()


def test_a_worker_that_decides_wakes_whoever_projects(world):
    rung: list[Wakeup] = []
    stages = Stages(world.workspace, rung.append, 1, lambda: world.now)
    try:
        world.post(id="1", score=3, comment="slow")
        stages.go(DECIDE)
        assert PROJECT in rung
        stages.go(PROJECT)
    finally:
        stages.close()
    assert len(found(world, "slow")) == 1
    assert PROJECT in schedule(world.workspace.settings)
