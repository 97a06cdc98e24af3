"""The history of an answer is what was given before it, in whatever order answers come in."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from connector import deciding, erasure, importing
from connector.domain import response_id
from connector.rules.effects import DECIDED_AGAIN, OPEN_CASE
from connector.store import Store, answers
from connector.store.tables import actions
from connector.workspace import Workspace
from tests.integration.conftest import RULES

ANA = "ana@example.com"
DAYS = timedelta(days=1)
LOOKING_BACK = RULES.replace(
    "rules:\n",
    """rules:
  - id: fell
    when: {history.drop: {at_least: 4, within: 30d}}
    then:
      - zendesk.ticket: {priority: urgent, next_step: "{{ history.drop }} points"}
  - id: again
    when: {history.detractor_answers: {at_least: 2, within: 30d}, segment: detractor}
    then:
      - hubspot.task: {next_step: Call.}
""",
    1,
)


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    return make_world(LOOKING_BACK, added_before=10 * DAYS)


def say(world: Any, id: str, score: int | None, ago: timedelta, **more: Any) -> Any:
    said = {"email": ANA, "at": (world.now - ago).isoformat(), **more}
    return world.answer(id=id, score=score, **said)


def decisions(world: Any, score: int) -> list[Any]:
    """Of the only answer with this score now."""
    (response,) = (one for one in world.responses() if one.score == score)
    with world.workspace.store.read() as connection:
        return list(answers.decisions_of(connection, response.id))


def history(world: Any, score: int) -> dict[str, Any]:
    seen: dict[str, Any] = decisions(world, score)[-1].facts["history"]
    return seen


def made(world: Any) -> list[Any]:
    """Every action with its order, in the order in which they were placed."""
    with world.workspace.store.read() as connection:
        return list(connection.execute(select(actions).order_by(actions.c.id)).all())


def states(world: Any, kind: str) -> list[tuple[str, str]]:
    return [(a.rule_id, a.state) for a in made(world) if a.kind == kind]


def test_what_was_given_later_is_not_in_the_history_of_a_late_answer(world: Any) -> None:
    say(world, "1", 9, 2 * DAYS)
    say(world, "2", 3, 5 * DAYS)
    say(world, "3", 8, 4 * DAYS)

    assert (history(world, 3)["answers"], history(world, 3)["past"]) == (0, [])
    assert [one["score"] for one in history(world, 8)["past"]] == [3]
    assert history(world, 8)["detractor_answers"] == 1
    assert history(world, 9)["answers"] == 2
    assert history(world, 9)["previous_score"] == 8
    assert [one["score"] for one in history(world, 9)["past"]] == [8, 3]
    assert [one["scale_high"] for one in history(world, 9)["past"]] == [10, 10]


def test_of_answers_at_the_same_time_the_smaller_id_is_the_earlier(world: Any) -> None:
    for number, score in enumerate((1, 5, 8, 9)):
        say(world, str(number), score, DAYS)
    counted = [(one.id, history(world, one.score)["answers"]) for one in world.responses()]
    assert sorted(counted) == sorted(zip(sorted(id for id, _ in counted), range(4), strict=True))


def test_an_answer_without_a_time_was_given_when_it_came_in(world: Any) -> None:
    say(world, "1", 9, DAYS)
    world.now += timedelta(hours=1)
    say(world, "2", 7, DAYS, at=None)
    came_in = world.now
    world.now += timedelta(hours=1)
    say(world, "3", 3, timedelta(minutes=1))

    assert history(world, 7)["answers"] == 1
    assert [one["score"] for one in history(world, 3)["past"]] == [7, 9]
    assert history(world, 3)["past"][0]["answered_at"].startswith(f"{came_in:%Y-%m-%dT%H:%M}")
    assert history(world, 3)["previous_at"] is None


def test_a_late_answer_opens_a_case_for_a_later_one(world: Any) -> None:
    say(world, "1", 4, 2 * DAYS, name="Ana")
    assert states(world, "zendesk.ticket") == [("detractor", "waiting")]
    say(world, "2", 9, 5 * DAYS)

    first, second = decisions(world, 4)
    assert (first.revision, second.revision, second.history) == (1, 1, False)
    assert (first.late_answer, second.late_answer) == (None, decisions(world, 9)[0].response_id)
    assert second.number > decisions(world, 9)[0].number
    assert states(world, "zendesk.ticket") == [("fell", "waiting")]
    (ticket,) = (a for a in made(world) if a.kind == "zendesk.ticket")
    assert ticket.order["params"]["next_step"] == "5 points"


def sent(world: Any) -> None:
    """As if everything that waits had been made."""
    made = {"state": "done", "first_sent_at": world.now, "remote_id": "T-1"}
    waiting = actions.c.state == "waiting"
    world.workspace.store.write(lambda c: c.execute(update(actions).where(waiting).values(**made)))


def test_a_case_that_is_made_is_raised_once_and_never_doubled(world: Any) -> None:
    say(world, "1", 4, 2 * DAYS)
    sent(world)
    say(world, "2", 9, 5 * DAYS)
    say(world, "3", 8, 4 * DAYS)

    tickets = [a for a in made(world) if a.kind == "zendesk.ticket"]
    assert [(a.rule_id, a.state, a.amends is not None) for a in tickets] == [
        ("detractor", "done", False),
        ("fell", "waiting", True),
    ]
    assert len({a.key for a in tickets}) == 2
    assert tickets[1].order["params"]["priority"] == "urgent"
    sent(world)
    say(world, "1", 4, 2 * DAYS, comment="and slow")
    raised = [a for a in made(world) if a.amends is not None]
    assert [a.state for a in raised] == ["done", "waiting"], "the revision has a note of its own"


def test_no_message_is_made_because_of_a_late_answer(world: Any) -> None:
    rules = LOOKING_BACK.replace("id: thanks\n    when: {", "id: thanks\n    when: {ANSWERS, ")
    rules = rules.replace("ANSWERS", "history.answers: {at_least: 1}")
    activate(world, rules)
    say(world, "1", 8, DAYS)
    assert states(world, "email.thank_you") == []
    say(world, "2", 7, 2 * DAYS)

    (mail,) = (a for a in made(world) if a.kind == "email.thank_you")
    assert (mail.state, mail.error) == ("withheld", DECIDED_AGAIN)
    say(world, "3", 7, 3 * DAYS, comment="x")
    mails = [(a.state, a.error) for a in made(world) if a.kind == "email.thank_you"]
    assert mails == [("withheld", DECIDED_AGAIN)] * 2, "it stays so, and the other is one too"


def activate(world: Any, rules: str) -> None:
    from connector.workspace import open_workspace

    settings = world.workspace.settings
    settings.rules.write_text(rules)
    open_workspace(settings, world.now, follow=True).store.close()


def test_a_message_that_waits_stays_unless_it_is_not_wanted_any_more(world: Any) -> None:
    say(world, "1", 8, DAYS)
    say(world, "2", 7, 3 * DAYS)
    assert ("thanks", "waiting") in states(world, "email.thank_you")
    assert len(decisions(world, 8)) == 2

    say(world, "3", 2, 4 * DAYS)
    (mail,) = (a for a in made(world) if a.to_customer and a.order["facts"]["score"] == 8)
    assert (mail.state, mail.error) == ("withheld", OPEN_CASE), "a person talks to them first"


def test_a_mail_that_the_rules_do_not_want_any_more_is_taken_back(world: Any) -> None:
    activate(world, RULES.replace("promoter, passive]}", "promoter, passive]}, history.answers: 0"))
    say(world, "1", 8, DAYS)
    assert states(world, "email.thank_you") == [("thanks", "waiting")]
    say(world, "2", None, 3 * DAYS)
    (mail,) = (a for a in made(world) if a.kind == "email.thank_you")
    assert mail.state == "superseded"
    assert "late answer" in mail.error


def test_a_revision_of_an_earlier_answer_changes_what_later_ones_see(world: Any) -> None:
    say(world, "1", 3, 3 * DAYS)
    say(world, "2", 5, DAYS)
    assert "fell" not in {a.rule_id for a in made(world)}
    say(world, "1", 10, 3 * DAYS)

    assert history(world, 5)["previous_score"] == 10
    assert ("fell", "waiting") in states(world, "zendesk.ticket")
    say(world, "1", 10, 3 * DAYS, link="https://example.com/1")
    assert len(decisions(world, 5)) == 2, "nothing that it sees has changed"


def test_a_revision_that_moves_an_answer_is_seen_where_it_was_and_where_it_is(world: Any) -> None:
    say(world, "1", 9, 5 * DAYS)
    say(world, "2", 3, 3 * DAYS)
    say(world, "3", 4, DAYS)
    say(world, "1", 9, 2 * DAYS, comment="now with a better clock")
    assert history(world, 3)["answers"] == 0
    assert [one["score"] for one in history(world, 4)["past"]] == [9, 3]

    say(world, "1", 9, 2 * DAYS, comment="and it was somebody else", email="leo@example.com")
    assert [one["score"] for one in history(world, 4)["past"]] == [3]


def test_what_is_too_old_or_was_decided_as_history_stays_as_it_was_decided(world: Any) -> None:
    say(world, "1", 4, 8 * DAYS)
    say(world, "2", 5, 6.9 * DAYS)
    data = b"Score;Comment;Email;Date\n3;;ana@example.com;2026-11-18T10:00:00\n"
    rows = importing.read_rows(world.workspace, "file", data)
    importing.import_rows(world.workspace, "file", rows, world.now, False, lambda _: None)
    say(world, "4", 9, 9 * DAYS)

    assert {score: len(decisions(world, score)) for score in (3, 4, 5)} == {3: 1, 4: 1, 5: 2}
    world.now += DAYS
    say(world, "5", 8, 9 * DAYS)
    assert len(decisions(world, 5)) == 2, "it is older than a week now"


def test_after_somebody_was_erased_the_others_are_decided_on(world: Any) -> None:
    say(world, "1", 4, DAYS)
    say(world, "2", 6, 2 * DAYS)
    gone = decisions(world, 6)[0].response_id
    store = world.workspace.store
    erasure.erase_response(store, gone, world.now)
    say(world, "3", 9, 3 * DAYS)

    assert [one["score"] for one in history(world, 4)["past"]] == [9]
    with store.read() as connection:
        assert [d.facts for d in answers.decisions_of(connection, gone)] == [{}]


def test_only_the_next_answers_are_decided_again(world: Any) -> None:
    for number in range(22):
        say(world, f"n{number}", number % 3, DAYS - timedelta(minutes=number))
    say(world, "late", 9, 2 * DAYS)
    again = 0
    with world.workspace.store.read() as connection:
        for response in world.responses():
            kept = answers.decisions_of(connection, response.id)
            again += sum(one.late_answer is not None for one in kept)
            assert len(kept[-1].facts["history"]["past"]) <= 20
    assert again == 20


def test_in_order_nothing_is_decided_twice(world: Any) -> None:
    for number in range(4):
        say(world, str(number), number, (9 - number) * timedelta(hours=1))
    assert [len(decisions(world, score)) for score in range(4)] == [1, 1, 1, 1]


def test_explain_says_which_answer_was_late(
    world: Any, connector: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.workspace.settings.directory)
    say(world, "1", 4, 2 * DAYS)
    say(world, "2", 9, 5 * DAYS)
    late, mine = decisions(world, 9)[0].response_id, decisions(world, 4)[0].response_id
    code, out, _ = connector("rules", "explain", mine)
    assert code == 0
    assert f"Decided again because of a late answer: {late}, given 2026-11-15 12:00 UTC" in out
    assert "history.drop within 30d is at least 4: saw 5" in out
    assert json.loads(connector("rules", "explain", mine, "--json")[1])["late_answer"] == late
    assert "Decided again" not in connector("rules", "explain", late)[1]


# -- two deciders, any order -----------------------------------------------------------------------

GIVEN = [
    {"id": "a", "score": 9, "ago": 6, "revised": 1},
    {"id": "b", "score": 3, "ago": 5, "revised": 1},
    {"id": "b", "score": 8, "ago": 5, "revised": 2, "comment": "solved"},
    {"id": "c", "score": 2, "ago": 4, "revised": 1},
    {"id": "d", "score": 6, "ago": 3, "revised": 1},
    {"id": "d", "score": 4, "ago": 3, "revised": 2, "comment": "a refund, please"},
    {"id": "e", "score": 5, "ago": 3, "revised": 1},
    {"id": "f", "score": 10, "ago": 1, "revised": 1},
]
RECORDS = {response_id("app", str(one["id"])): str(one["id"]) for one in GIVEN}


@pytest.fixture
def other(world: Any) -> Iterator[Workspace]:
    store = Store(world.workspace.store.url)
    yield Workspace(world.workspace.settings, store)
    store.close()


def final(world: Any) -> dict[str, Any]:
    """Score, what was seen of the past, and the cases that are wanted, by record."""
    found: dict[str, Any] = {}
    rows = made(world)
    with world.workspace.store.read() as connection:
        for response in world.responses():
            last = answers.decisions_of(connection, response.id)[-1]
            seen = {k: v for k, v in last.facts["history"].items() if k != "open_cases"}
            wanted = [
                (row.kind, row.rule_id, row.order["params"])
                for row in rows
                if row.response_id == response.id
                and row.opens_case
                and row.state not in ("superseded", "withheld")
            ]
            matched = [one["rule_id"] for one in last.verdict["matches"]]
            found[RECORDS[response.id]] = (
                response.segment,
                seen,
                sorted(wanted, key=repr),
                matched,
            )
    return found


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_two_deciders_come_to_the_same(
    world: Any, other: Workspace, seed: int
) -> None:
    order = [dict(one) for one in GIVEN]
    random.Random(seed).shuffle(order)
    for one in order:
        at = (world.now - one.pop("ago") * DAYS).isoformat()
        revised = f"2026-11-20T11:0{one.pop('revised')}:00Z"
        assert world.post(**one, email=ANA, at=at, revised=revised) == 202

    failed: list[BaseException] = []

    def work(workspace: Workspace, limit: int) -> None:
        try:
            while deciding.decide_batch(workspace, world.now, limit=limit).records:
                pass
        except BaseException as error:
            failed.append(error)
            raise

    threads = [
        threading.Thread(target=work, args=pair)
        for pair in ((world.workspace, 1 + seed % 3), (other, 2))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    while world.decide().records:
        pass

    seen = final(world)
    past = {record: [p["score"] for p in told[1]["past"]] for record, told in seen.items()}
    ids = sorted(RECORDS.items())
    first, second = (record for _, record in ids if record in ("d", "e"))
    scores = {"d": 4, "e": 5}
    assert past == {
        "a": [],
        "b": [9],
        "c": [8, 9],
        first: [2, 8, 9],
        second: [scores[first], 2, 8, 9],
        "f": [scores[second], scores[first], 2, 8, 9],
    }
    fell = ("zendesk.ticket", "fell")
    assert {record: [one[:2] for one in told[2]] for record, told in seen.items()} == {
        "a": [("hubspot.task", "promoter")],
        "b": [],
        "c": [fell],
        first: [fell],
        second: [("hubspot.task", "again"), fell],
        "f": [("hubspot.task", "promoter")],
    }
    (drop,) = (one[2]["next_step"] for one in seen[second][2] if one[1] == "fell")
    assert drop == f"{9 - scores[second]} points"
