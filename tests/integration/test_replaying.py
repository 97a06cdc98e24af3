"""The past under the rules that decided it comes out as it was; under others, as it would have."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from connector import replaying
from connector.cli.rules.replays import accounts_of
from connector.domain import response_id
from connector.replaying import Question
from connector.rules.backtest import Compared
from connector.rules.effects import DECIDED_AGAIN
from connector.rules.load import load
from connector.rules.model import Ruleset, RulesetText
from connector.store import tables
from connector.store.readonly import ReadOnlyStore
from connector.store.replaying import Window, span_of

RULES = """
pools:
  iberia: [ana@example.com, bo@example.com]
  rest: [cy@example.com, di@example.com, eva@example.com]
routing:
  - {when: {score: {at_most: 2}}, pool: iberia}
  - {when: {customer.name: {exists: true}}, owner: "{{ customer.name }}"}
  - {when: {}, pool: rest}
rules:
  - id: silent
    cap: 2 per customer per 5d
    when: {history.days_since_contact: {at_least: 1}}
    then:
      - slack.message: {channel: "#silent", text: "{{ history.days_since_contact }} days"}
  - id: spared
    holdout: 40%
    when: {segment: passive}
    then:
      - slack.message: {channel: "#passive", text: "NPS {{ score }}"}
  - id: again
    when: {segment: detractor, history.open_cases: {at_least: 1}}
    then:
      - slack.message: {channel: "#again", text: "NPS {{ score }}"}
  - id: refund
    when: {segment: detractor, comment: {mentions: refund}}
    then:
      - zendesk.ticket: {priority: urgent, group: Retention}
      - hubspot.task: {}
    stop: true
  - id: fallen
    when: {segment: detractor, history.previous_segment: promoter}
    then:
      - zendesk.ticket: {group: Care}
  - id: twice
    when: {history.detractor_answers: {at_least: 2}}
    then:
      - slack.message: {channel: "#nps", text: "again"}
  - id: watcher
    status: shadow
    when: {segment: detractor}
    then: [{zendesk.ticket: {}}]
  - id: detractor
    when: {segment: detractor, score: {at_most: 4}}
    then:
      - zendesk.ticket: {}
  - id: thanks
    cap: 1 per customer per 2d
    when: {segment: {in: [promoter, passive]}}
    then:
      - email.thank_you: {template: thank_you}
default:
  then: [{slack.message: {channel: "#rest", text: "nothing matched"}}]
"""
PEOPLE = [f"p{number}@example.com" for number in range(7)]
BACK = "history.drop: {at_least: 4, within: 30d}"
ORDERLY = "olga@example.com"  # answers once at a time and never changes her mind


def ruleset(world, rules: str) -> Ruleset:
    files = {**world.workspace.rulesets.in_files().files, "rules.yaml": rules}
    loaded = load(RulesetText(files), world.workspace.vocabulary)
    assert loaded.ruleset, loaded.problems
    return loaded.ruleset


def question(world, rules: str = RULES, **more: Any) -> Question:
    settings = world.workspace.settings
    return Question(
        active=ruleset(world, RULES),
        candidate=ruleset(world, rules),
        window=Window(world.now - timedelta(days=400), world.now + timedelta(days=400)),
        within=settings.act_on_customers_within,
        accounts=accounts_of(settings),
        **more,
    )


def comparisons(world, asked: Question) -> list[Compared]:
    store = ReadOnlyStore(world.workspace.store.url)
    try:
        with store.read() as connection:
            span = span_of(connection, asked.window)
            assert span
            return list(replaying.comparisons(connection, asked, span))
    finally:
        store.close()


def live_through(world, seed: int, answers: int) -> None:
    """Weeks of answers: revised, late, anonymous, told who it was later, too old, sent, closed."""
    chance = random.Random(seed)
    known: list[dict[str, Any]] = []
    refusable: set[str] = set()
    for number in range(answers):
        world.now += timedelta(minutes=chance.choice((1, 20, 600)))
        send_some(world, chance, refusable)  # what was due by then went out in time
        if known and chance.random() < 0.35:
            said = chance.choice(known)
            said |= {"score": chance.randint(0, 10), "revised": world.now.isoformat()}
            if chance.random() < 0.5:
                said["comment"] = chance.choice(("a refund!", "thanks", "slow"))
            if chance.random() < 0.3:
                said.setdefault("email", chance.choice(PEOPLE))
        else:
            ago = timedelta(minutes=chance.choice((1, 1, 1, 60, 3 * 24 * 60, 9 * 24 * 60)))
            said = {"id": f"{seed}-{number}", "score": chance.randint(0, 10)}
            said |= {"at": (world.now - ago).isoformat()}
            if chance.random() < 0.8:
                said |= {"email": chance.choice(PEOPLE), "name": "Ana"}
            if chance.random() < 0.4:
                said["comment"] = "I want a refund"
            if number % 5 == 0:
                said |= {"email": ORDERLY, "at": world.now.isoformat()}
                refusable.add(response_id("app", said["id"]))
            else:
                known.append(said)
        world.post(**said)
        world.decide()
        send_some(world, chance, refusable)


def send_some(world, chance: random.Random, refusable: set[str]) -> None:
    """As a courier and an agent would, a second later: sent, perhaps late, refused, closed. Refused
    is only what is never decided again: what that would make of the row, the row does not tell."""
    world.now += timedelta(seconds=1)
    actions, fates = tables.actions.c, []
    due = (actions.state == "waiting") & (actions.due_at <= world.now) & actions.amends.is_(None)
    for action in rows_of(world, due):
        if action.response_id in refusable and action.opens_case and chance.random() < 0.4:
            fates.append((action.id, {"state": "parked", "finished_at": world.now}))
        elif not action.opens_case or chance.random() < 0.6:
            sent = {"state": "done", "first_sent_at": world.now, "remote_id": "7"}
            fates.append((action.id, sent))
    change(world, fates)
    is_open = (actions.state == "done") & actions.opens_case & actions.closed_at.is_(None)
    closed = [case.id for case in rows_of(world, is_open) if chance.random() < 0.1]
    change(world, [(id, {"closed_at": world.now}) for id in closed])


def rows_of(world, chosen: Any) -> Any:
    with world.workspace.store.read() as connection:
        asked = select(tables.actions).where(chosen).order_by(tables.actions.c.id.desc())
        return connection.execute(asked).all()


def change(world, fates: list[tuple[int, dict[str, Any]]]) -> None:
    def work(connection: Connection) -> None:
        for action, values in fates:
            mine = tables.actions.c.id == action
            connection.execute(update(tables.actions).where(mine).values(**values))

    if fates:
        world.workspace.store.write(work)


def told(effects: Any) -> set[tuple[str, ...]]:
    said = (one if isinstance(one, dict) else one.model_dump(mode="json") for one in effects)
    return {(one["kind"], one["rule_id"], one["at"]) for one in said}


@pytest.mark.parametrize("seed", range(4))
def test_under_the_rules_that_decided_it_the_past_comes_out_as_it_was(make_world, seed):
    world = make_world(RULES, added_before=timedelta(days=30))
    live_through(world, seed, answers=120)
    with world.workspace.store.read() as connection:
        rows = connection.execute(select(tables.decisions)).all()
    kept = {row.number: row for row in rows}
    found = comparisons(world, question(world))

    assert len(found) == len(kept)
    last: dict[str, Compared] = {}
    for one in found:
        was = kept[one.past.number]
        matches = tuple(match["rule_id"] for match in was.verdict["matches"])
        spared = [m["rule_id"] for m in was.verdict["matches"] if m["status"] == "held_out"]
        assert list(one.active.held_out) == spared
        history = was.facts["history"]
        assert one.past.facts.history.days_since_contact == history["days_since_contact"]
        since = (was.decided_at - timedelta(days=5)).isoformat()  # as far as a cap looks back
        counted = told(e for e in history["effects"] if not e["case"] and e["at"] > since)
        assert counted <= told(one.past.facts.history.effects)
        assert one.past.facts.history.open_cases == was.facts["history"]["open_cases"]
        assert one.active.fired == one.candidate.fired == matches
        last[one.past.response] = one
    outcomes: Counter[Any] = Counter()
    for one in last.values():
        for outcome in (one.active, one.candidate):
            made = {
                (e.asked.action.kind, e.asked.rule_id, e.withheld) for e in outcome.effects.values()
            }
            assert made == really_made(world, one.past.response)
            outcomes.update(made)
    assert {kind for kind, *_ in outcomes} >= {"zendesk.ticket", "email.thank_you", "slack.message"}
    assert {why for *_, why in outcomes if why}, "no mail was withheld: the test proves little"
    assert any(row.late_answer for row in rows), "no answer was late: the test proves little"


def test_an_answer_that_was_decided_again_counts_once_with_what_was_known_in_the_end(make_world):
    world = make_world(RULES, added_before=timedelta(days=30))
    for number, (score, days) in enumerate(((5, 1), (8, 1.5), (9, 2))):
        given = (world.now - timedelta(days=days)).isoformat()
        world.answer(id=str(number), score=score, email="ana@example.com", at=given)
    looking_back = RULES.replace("history.previous_segment: promoter", BACK)
    assert looking_back != RULES
    tally = replaying.replay(world.workspace.store.url, question(world, looking_back)).tally

    assert (tally.decisions, tally.answers) == (6, 3)
    assert tally.rules["fallen", "answers"] == [0, 1]
    assert tally.rules["fallen", "zendesk.ticket"] == [0, 1]
    mails = [one.state for one in world.actions() if one.kind == "email.thank_you"]
    sent = len(mails) - mails.count("withheld")
    assert sent
    assert tally.rules["thanks", "email.thank_you"] == [sent, sent], "none twice, none too many"
    assert {(one.change, one.kind) for one in tally.differences} == {
        ("appears", "zendesk.ticket"),
        ("disappears", "slack.message"),  # of `default`
    }


def test_a_message_that_only_a_late_answer_brings_is_not_made_in_a_replay_either(make_world):
    rules = RULES.replace("[promoter, passive]}", "[promoter, passive]}, history.answers: 1")
    world = make_world(rules, added_before=timedelta(days=30))
    for number, days in enumerate((1, 1.5)):
        given = (world.now - timedelta(days=days)).isoformat()
        world.answer(id=str(number), score=8, email="ana@example.com", at=given)
    found = comparisons(world, replace(question(world, rules), active=ruleset(world, rules)))

    assert [(one.past.again, one.past.is_last) for one in found] == [
        (False, False), (False, True), (True, True),
    ]  # fmt: skip
    mails = [e.withheld for e in found[-1].active.effects.values() if e.asked.action.to_customer]
    assert mails == [DECIDED_AGAIN]


def test_what_stood_before_the_time_that_is_replayed_counts(make_world):
    world = make_world(RULES, added_before=timedelta(days=30))
    live_through(world, 5, answers=120)
    middle = world.now - timedelta(days=8)
    later = replace(question(world), window=Window(middle, world.now))
    with world.workspace.store.read() as connection:
        rows = connection.execute(select(tables.decisions)).all()
    kept = {row.number: row for row in rows if row.decided_at >= middle}
    found = comparisons(world, later)

    assert 20 < len(found) == len(kept) < len(rows)
    for one in found:
        open_cases = kept[one.past.number].facts["history"]["open_cases"]
        assert one.past.facts.history.open_cases == open_cases
    assert any(row.facts["history"]["open_cases"] for row in kept.values())
    assert any(e.stood for one in found for e in one.active.effects.values())


def really_made(world, response: str) -> set[tuple[str, str, str]]:
    return {
        (row.kind, row.rule_id, (row.error or "") if row.state == "withheld" else "")
        for row in world.actions(response=response)
        if row.amends is None and row.state != "superseded"
    }
