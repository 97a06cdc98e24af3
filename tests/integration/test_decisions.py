"""From a signed webhook to outbox rows: revisions, cases, history, floods."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from connector.errors import Invalid
from connector.store import tables
from connector.workspace import Workspace, open_workspace


def test_an_unhappy_answer_opens_one_case_and_an_alert(world):
    decided = world.answer(id="1", score=2, comment="I want a refund", email="ana@example.com")

    assert decided.changes == {"new": 1}
    assert decided.sinks == {"desk", "chat"}
    assert world.made() == [("zendesk.ticket", "waiting"), ("slack.message", "waiting")]
    case = world.actions()[0]
    assert case.rule_id == "refund"
    assert case.respond_by == world.now + timedelta(hours=4)


@pytest.mark.parametrize(
    ("survey", "score", "segment"),
    [
        ("nps", 0, "detractor"),
        ("nps", 6, "detractor"),
        ("nps", 7, "passive"),
        ("nps", 8, "passive"),
        ("nps", 9, "promoter"),
        ("nps", 10, "promoter"),
        ("partners", 1, "detractor"),
        ("partners", 4, "detractor"),
        ("partners", 5, "passive"),
        ("partners", 7, "passive"),
        ("partners", 8, "promoter"),
        ("rating", 1, None),
        ("rating", 5, None),
        ("nps", None, None),
    ],
)
def test_the_edges_of_every_scale(world, survey, score, segment):
    world.answer(id="1", survey=survey, score=score)

    assert [(r.score, r.segment) for r in world.responses()] == [(score, segment)]


@pytest.mark.parametrize(("survey", "score"), [("nps", 11), ("nps", -1), ("partners", 0)])
def test_a_score_outside_its_scale_is_quarantined_not_decided(world, survey, score):
    decided = world.answer(id="1", survey=survey, score=score)

    assert decided.changes == {"quarantined": 1}
    assert world.responses() == []


def test_the_same_webhook_twice_is_one_answer(world):
    same = {"id": "1", "score": 2, "at": "2026-11-20T11:59:00Z"}
    world.answer(**same)
    decided = world.answer(**same)

    assert decided.records == 0
    assert world.made() == [("zendesk.ticket", "waiting")]


def test_a_comment_before_the_first_send_replaces_what_would_have_been_sent(world):
    world.answer(id="1", score=2)
    decided = world.answer(id="1", score=2, comment="refund please", revised="2026-11-20T12:01:00Z")

    assert decided.changes == {"revised": 1}
    tickets = world.actions(sink="desk")
    assert [(t.rule_id, t.state, t.amends) for t in tickets] == [("refund", "waiting", None)]


def test_an_older_revision_that_comes_late_changes_nothing(world):
    world.answer(id="1", score=9, revised="2026-11-20T11:50:00Z")
    decided = world.answer(id="1", score=2, revised="2026-11-20T11:40:00Z")

    assert decided.changes == {"stale": 1}
    assert [r.score for r in world.responses()] == [9]


def test_a_score_that_turns_happy_before_the_send_opens_no_case(world):
    world.answer(id="1", score=2, email="ana@example.com")
    world.answer(id="1", score=9, email="ana@example.com", revised="2026-11-20T12:01:00Z")

    assert world.made() == [
        ("zendesk.ticket", "superseded"),
        ("hubspot.task", "waiting"),
        ("email.thank_you", "withheld"),
    ]


def test_a_message_waits_for_a_revision_and_a_case_does_not(world):
    world.answer(id="1", score=9, email="ana@example.com")
    due = {action.kind: action.due_at - world.now for action in world.actions()}

    assert due["hubspot.task"] == timedelta(0)
    assert due["email.thank_you"] == timedelta(minutes=10)


def test_a_customer_with_an_open_case_gets_no_mail(world):
    world.answer(id="1", score=2, email="ana@example.com")
    world.answer(id="2", score=8, email="ANA@example.com ")

    withheld = [a for a in world.actions() if a.kind == "email.thank_you"]
    assert [a.state for a in withheld] == ["withheld"]
    assert "open case" in withheld[0].error


def test_without_an_address_no_mail_is_tried(world):
    world.answer(id="1", score=8)

    assert world.made() == [("email.thank_you", "withheld")]


@pytest.mark.parametrize(
    ("answered", "news"),
    [
        (timedelta(minutes=-59), True),
        (timedelta(minutes=-61), False),  # before the source was added
        (timedelta(days=-8), False),
        (None, False),  # an answer without a time is history
    ],
)
def test_history_is_not_news(world, answered, news):
    at = None if answered is None else (world.now + answered).isoformat()
    world.answer(id="1", score=0, at=at)

    assert [r.history for r in world.responses()] == [not news]
    assert len(world.made()) == int(news)


def test_an_answer_older_than_a_week_makes_nothing_even_where_the_source_is_old(make_world):
    world = make_world(added_before=timedelta(days=30))
    world.answer(id="old", score=0, at=(world.now - timedelta(days=7, minutes=1)).isoformat())
    world.answer(id="young", score=0, at=(world.now - timedelta(days=6)).isoformat())

    assert world.made() == [("zendesk.ticket", "waiting")]


def test_messages_to_customers_need_a_younger_answer_than_cases(make_world):
    world = make_world(added_before=timedelta(days=30))
    three_days_ago = (world.now - timedelta(days=3)).isoformat()
    world.answer(id="1", score=9, email="ana@example.com", at=three_days_ago)

    assert world.made() == [("hubspot.task", "waiting"), ("email.thank_you", "withheld")]


def test_a_flood_is_held_after_the_limit_and_one_alarm_says_so(make_world):
    world = make_world(surge=3)
    for number in range(5):
        world.answer(id=str(number), score=1)

    assert [state for _, state in world.made()] == ["waiting"] * 3 + ["held"] * 2
    with world.workspace.store.read() as connection:
        from connector.store import alarms

        found = [(a.kind, a.subject, a.count) for a in alarms.open_alarms(connection)]
    assert found == [("surge", "app", 2)]


def test_an_unknown_survey_holds_its_answer_and_raises_an_alarm(world):
    decided = world.answer(id="1", survey="who-knows", score=1)

    assert decided.changes == {"held": 1}
    assert world.made() == []


def test_garbage_with_a_valid_signature_is_kept_and_visible(world):
    from connector import intake

    body = b"\xff\xfe this is no JSON"
    status = intake.receive(world.workspace, "app", world.signed(body), body, world.now)

    assert status == 202
    assert world.decide().changes == {"quarantined": 1}


def test_a_wrong_signature_stores_nothing(world):
    from connector import intake
    from connector.store import arrivals

    body = b'{"id": "1", "score": 1}'
    headers = world.signed(body) | {"webhook-signature": "v1,AAAA"}

    assert intake.receive(world.workspace, "app", headers, body, world.now) == 401
    assert intake.receive(world.workspace, "nobody", {}, body, world.now) == 404
    with world.workspace.store.read() as connection:
        assert arrivals.arrival_counts(connection) == {"repeats": 0}


def test_one_broken_record_does_not_stop_the_others(world, monkeypatch):
    from connector import facts

    healthy = facts.gather_facts

    def sometimes(one, *known):
        if one.content.record == "2":
            raise ZeroDivisionError
        return healthy(one, *known)

    monkeypatch.setattr(facts, "gather_facts", sometimes)
    for number in ("1", "2", "3"):
        world.post(id=number, score=1)
    decided = world.decide()

    assert decided.changes == {"new": 2, "quarantined": 1}
    assert len(world.responses()) == 2


def test_history_counts_what_was_decided_before(world):
    world.answer(id="1", score=9, email="ana@example.com")
    world.answer(id="2", score=3, email="ana@example.com")

    from connector.store import answers

    newest = next(r for r in world.responses() if r.score == 3)
    with world.workspace.store.read() as connection:
        facts = answers.decisions_of(connection, newest.id)[-1].facts
    assert facts["history"]["answers"] == 1
    assert facts["history"]["previous_segment"] == "promoter"
    assert facts["history"]["open_cases"] == 1


@pytest.mark.parametrize("comment", ["x" * 100_000, "שלום \u202e 🙂", "nul \x00 byte", "<b>&amp;"])
def test_any_text_survives_the_store(world, comment):
    world.answer(id="1", score=1, comment=comment)

    kept = world.responses()[0].content["comment"]
    assert kept == comment.replace("\x00", "")


def test_an_altered_text_in_the_store_decides_nothing(world):
    """The hash is what was activated and what decisions name; another text may not use it."""
    altered = update(tables.rulesets).values(files={"rules.yaml": "rules: []"})
    world.workspace.store.write(lambda connection: connection.execute(altered))
    settings, now = world.workspace.settings, world.now
    other = type(world)(Workspace(settings, world.workspace.store), now)  # a process of its own
    other.post(id="1", score=3)
    with pytest.raises(Invalid, match="is not that text"):
        other.decide()
    open_workspace(settings, now, follow=True).store.close()  # a restart, with the files in place
    assert other.decide().changes == {"new": 1}


SPEAKS = """
rules:
  - id: words
    when: {comment: {mentions: {es: [factura], en: [invoice]}}}
    then: [{log: {}}]
"""


@pytest.mark.parametrize(("detects", "language"), [(True, "es"), (False, "en")])
def test_the_language_of_a_comment_is_kept_as_a_fact(make_world, detects, language):
    world = make_world(SPEAKS)
    settings = world.workspace.settings
    world.workspace.settings = settings.model_copy(update={"detect_language": detects})
    world.answer(id="1", score=9, comment="Llevo un mes esperando las facturas")

    with world.workspace.store.read() as connection:
        row = connection.execute(select(tables.decisions.c.facts, tables.decisions.c.verdict)).one()
    assert row.facts["language"] == language
    assert row.facts["language_from"] == ("detected" if detects else "survey")
    assert bool(row.verdict["matches"]) is detects
