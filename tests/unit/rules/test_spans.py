"""Conditions about the customer's past, within a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.domain import MOST_PAST, Facts, History, PastAnswer
from connector.rules.compare import compare
from connector.rules.decide import decide
from connector.rules.decision_table import decision_table
from connector.rules.explain import explain
from connector.rules.index import Index
from connector.rules.match import View
from connector.rules.model import Loaded, Ruleset, RulesetText
from connector.rules.past import light_facts, whole_facts
from connector.rules.spans import SPANNED, plain, span_of, spanned
from connector.text import parse_duration

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def before(ago: timedelta, score: int | None = 9, **other: Any) -> PastAnswer:
    told: dict[str, Any] = {"scale_low": 0, "scale_high": 10, "segment": None, **other}
    return PastAnswer(answered_at=AT - ago, score=score, **told)


def answer(*past: PastAnswer, **other: Any) -> Facts:
    told: dict[str, Any] = {"score": 3, "segment": "detractor", "answered_at": AT, **other}
    history = History(answers=len(past), past=past)
    return Facts(response_id="r", source="app", survey="nps", history=history, **told)


def seen(field: str, facts: Facts) -> Any:
    return View(facts).value(field)


@pytest.mark.parametrize(
    ("ago", "counted"),
    [(timedelta(0), 1), (90 * DAY, 1), (90 * DAY + SECOND, 0), (90 * DAY - SECOND, 1)],
)
def test_exactly_so_long_ago_is_still_within(ago: timedelta, counted: int) -> None:
    facts = answer(before(ago, 9, segment="detractor"))
    assert seen("history.answers within 90d", facts) == counted
    assert seen("history.detractor_answers within 90d", facts) == counted
    assert seen("history.previous_score within 90d", facts) == (9 if counted else None)
    assert seen("history.previous_segment within 90d", facts) == ("detractor" if counted else None)
    assert seen("history.drop within 90d", facts) == (6 if counted else None)


def test_a_drop_is_counted_from_the_highest_score_on_the_same_scale() -> None:
    facts = answer(
        before(DAY, 5),
        before(2 * DAY, None),
        before(3 * DAY, 10, scale_low=1),
        before(4 * DAY, 10, scale_low=None, scale_high=None),
        before(30 * DAY, 7),
        before(31 * DAY, 9),
    )
    assert seen("history.drop within 30d", facts) == 4
    assert seen("history.drop", facts) == 6
    assert seen("history.drop within 1d", facts) == 2
    assert seen("history.drop within 23h", facts) is None
    assert seen("history.drop", answer(before(DAY, 10, scale_low=1))) is None
    assert seen("history.drop", answer()) is None
    assert seen("history.drop", answer(before(DAY), score=None)) is None


@pytest.mark.parametrize(("score", "fell"), [(9, 0), (10, 0), (8, 1), (0, 9)])
def test_a_score_that_rose_has_fallen_by_0(score: int, fell: int) -> None:
    assert seen("history.drop within 2d", answer(before(DAY, 9), score=score)) == fell


def test_the_answer_before_is_the_newest_also_without_a_score() -> None:
    facts = answer(before(DAY, None), before(2 * DAY, 9, segment="promoter"))
    assert seen("history.previous_score within 90d", facts) is None
    assert seen("history.previous_segment within 90d", facts) is None


@pytest.mark.parametrize(
    ("ago", "days"),
    [(timedelta(0), 0), (DAY - SECOND, 0), (DAY, 1), (180 * DAY, 180), (-DAY, 0)],
)
def test_silence_is_told_in_whole_days(ago: timedelta, days: int) -> None:
    assert seen("history.days_since_answer", answer(before(ago))) == days
    assert seen("history.days_since_answer", answer()) is None


def test_without_a_time_of_its_own_an_answer_counts_from_when_it_was_decided() -> None:
    decided = answer(before(DAY), answered_at=None, decided_at=AT + DAY)
    assert seen("history.answers within 1d", decided) == 0
    assert seen("history.answers within 2d", decided) == 1
    assert seen("history.days_since_answer", decided) == 2
    given = answer(before(DAY), decided_at=AT + 9 * DAY)
    assert seen("history.answers within 1d", given) == 1, "its own time goes first"
    never = answer(before(DAY), answered_at=None)
    assert seen("history.answers within 9d", never) == 0
    assert seen("history.days_since_answer", never) is None


def test_facts_that_were_kept_before_there_was_a_past_decide_as_they_did() -> None:
    kept = answer().model_dump(mode="json")
    del kept["decided_at"], kept["history"]["past"]
    for facts in (Facts.model_validate(kept), light_facts(json.loads(json.dumps(kept)))):
        assert seen("history.answers within 90d", facts) == 0
        assert seen("history.drop", facts) is None


def test_light_facts_see_the_same_past() -> None:
    facts = answer(before(DAY, 9, segment="promoter"), before(90 * DAY), decided_at=AT)
    light = light_facts(facts.model_dump(mode="json"))
    for field in (*SPANNED, *(spanned(one, 2 * DAY) for one in SPANNED)):
        assert seen(field, light) == seen(field, facts)
    assert seen("history.days_since_answer", light) == 1
    assert whole_facts(light) == facts
    assert whole_facts(light_facts(facts.model_dump(mode="json"))) == facts


@pytest.mark.parametrize("written", ["90d", "12h", "30m", "45s", "1h 30m", "2w", "100000000d"])
def test_a_time_has_one_name_however_it_is_written(written: str) -> None:
    span = parse_duration(written)
    assert isinstance(span, timedelta)
    name = spanned("history.drop", span)
    assert (plain(name), span_of(name)) == ("history.drop", span)
    assert seen(name, answer(before(DAY))) in (6, None)
    assert spanned("history.drop", timedelta(hours=48)) == "history.drop within 2d"


def test_a_property_may_be_called_as_it_likes() -> None:
    facts = answer(properties={"drop within 90d": "x"})
    assert plain("properties.drop within 90d") == "properties.drop within 90d"
    assert seen("properties.drop within 90d", facts) == "x"


RULES = """
    rules:
      - id: third
        name: Third detractor answer in a year
        owner: cx@example.com
        when:
          segment: detractor
          history.detractor_answers: {at_least: 2, within: 365d}
        then: [{log: {}}]
        examples:
          - given: {score: 3, history: {past: [{score: 4, days_ago: 365}, {score: 6, days_ago: 1}]}}
            fires: true
          - given: {score: 3, history: {past: [{score: 4, days_ago: 366}, {score: 6, days_ago: 1}]}}
            fires: false
      - id: fell
        name: Fell
        owner: cx@example.com
        when: {history.drop: {at_least: 4, within: 4320h}}
        then:
          - zendesk.ticket: {subject: "Down by {{ history.drop }}"}
        examples:
          - given: {score: 3, history: {past: [{score: 9, days_ago: 30}]}}
            fires: true
          - given: {score: 3, history: {past: [{score: 9, days_ago: 30, survey: partners}]}}
            fires: false
"""


def test_the_loaded_rule_says_what_it_saw(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    loaded = ruleset(RULES)
    given = facts(score=3, history={"past": [{"score": 9, "days_ago": 30}]})
    third, fell = explain(loaded, given)
    assert not third.fired
    assert [str(one) for one in fell.when.members] == [
        "history.drop within 180d is at least 4: saw 6"
    ]
    (intent,) = decide(loaded, given).intents
    assert intent.params["subject"] == "Down by 6"
    assert not intent.problem


def test_examples_with_a_past_are_tried_and_nothing_is_found_wrong(
    linted: Callable[..., list[str]],
) -> None:
    rules = RULES + "\n    default:\n      then: [{log: {}}]\n"
    assert [one for one in linted(rules) if "note: no rule covers" not in one] == []
    wrong = RULES.replace("days_ago: 365}", "days_ago: 365.01}")
    assert [one for one in linted(wrong) if "example" in one] == [
        "rules.yaml:10:9: example of 'third' should fire and does not: "
        "history.detractor_answers within 365d is at least 2: saw 1"
    ]


def test_a_table_and_a_diff_name_the_time(ruleset: Callable[..., Ruleset]) -> None:
    table = decision_table(ruleset(RULES))
    assert "history.drop within 180d" in table.columns
    assert "history.detractor_answers within 365d" in table.columns

    def changed(old: str, new: str) -> tuple[str, ...]:
        texts = [
            RulesetText({"rules.yaml": f"rules:\n- {{id: x, when: {{{when}}}, then: [log: {{}}]}}"})
            for when in (old, new)
        ]
        return tuple(line for change in compare(*texts) for line in change.lines)

    assert changed(
        "history.drop: {at_least: 4, within: 90d}", "history.drop: {at_least: 4, within: 180d}"
    ) == ("when: history.drop within 90d is at least 4 -> history.drop within 180d is at least 4",)
    assert changed(
        "history.drop: {at_least: 4, within: 90d}", "history.drop: {at_least: 5, within: 2160h}"
    ) == ("when: history.drop within 90d is at least 4 -> history.drop within 90d is at least 5",)
    assert changed(
        "history.previous_segment: {in: [promoter], within: 1d}",
        "history.previous_segment: {in: [promoter, passive], within: 2d}",
    ) == (
        'when: history.previous_segment within 1d is one of "promoter" -> '
        'history.previous_segment within 2d is one of "promoter", "passive"',
    )
    assert changed("history.drop: {within: 9x}", "history.drop: {at_least: 1, within: [9]}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("history.answers: {within: 90d}", "4:26: history.answers: 'within' stands alone "
         "(write what it must be beside it: {at_least: 2, within: 90d})"),
        ("history.open_cases: {at_least: 1, within: 90d}", "4:42: history.open_cases: does not "
         "take 'within' (allowed for history.answers, history.detractor_answers, "
         "history.previous_score, history.previous_segment, history.drop)"),
        ("score: {at_most: 3, within: 90d}", "4:28: score: does not take 'within' (allowed for "
         "history.answers, history.detractor_answers, history.previous_score, "
         "history.previous_segment, history.drop)"),
        ("history.drop: {at_least: 4, within: soon}", "4:44: history.drop: within: write a "
         "duration such as 90s, 30m, 4h or 7d"),
        ("history.drop: {at_least: 4, within: 90}", "4:44: history.drop: within: write a "
         "duration such as 90s, 30m, 4h or 7d"),
        ("history.drop: {at_least: 4, within: 0d}", "4:44: history.drop: within: must be longer "
         "than 0 (write a time such as 90d)"),
        ("history.drop: {at_least: 4, withn: 9d}", "4:36: unknown operator 'withn' "
         "(did you mean 'within'?)"),
        ("history.answers: {at_least: 21, within: 9d}", "4:36: history.answers: at_least: is "
         "never so many within a time (the newest 20 earlier answers are counted)"),
        ("history.drop: {at_least: -1, within: 9d}", "4:33: history.drop: at_least: must be at "
         "least 0, not -1"),
        ("history.dorp: 4", "4:8: unknown field 'history.dorp' (did you mean 'history.drop'?)"),
        ("all: [{history.answers within 9d: 1}]", "4:15: unknown field 'history.answers within "
         "9d' (did you mean 'history.answers'?)"),
    ],
)  # fmt: skip
def test_a_wrong_time_is_told_at_its_place(
    load_rules: Callable[..., Loaded], line: str, message: str
) -> None:
    rules = f"rules:\n  - id: x\n    when: {{\n       {line}}}\n    then: [{{log: {{}}}}]\n"
    assert [str(one) for one in load_rules(rules).problems] == [f"rules.yaml:{message}"]


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ("past: [{score: 11, days_ago: 1}]", "score: 11 is not on the scale of relationship "
         "(scores go from 0 to 10)"),
        ("past: [{score: 0, survey: partners, days_ago: 1}]", "score: 0 is not on the scale of "
         "partners (scores go from 1 to 10)"),
        ("past: [{survey: partner, days_ago: 1}]", "survey: 'partner' is not allowed "
         "(did you mean 'partners'?)"),
        ("answers: 3, past: [{score: 1, days_ago: 1}]", "history: answers follows from 'past' "
         "(leave one of them out)"),
        ("past: [{score: 1}]", "'days_ago' is missing"),
    ],
)  # fmt: skip
def test_a_past_that_cannot_be_is_told(
    load_rules: Callable[..., Loaded], history: str, message: str
) -> None:
    rules = (
        "rules:\n  - id: x\n    when: {score: 1}\n    then: [{log: {}}]\n"
        f"    examples: [{{given: {{score: 1, history: {{{history}}}}}, fires: true}}]\n"
    )
    (problem,) = load_rules(rules).problems
    assert str(problem).partition(": ")[2] == message


def test_a_given_past_makes_the_rest_of_the_history(facts: Callable[..., Facts]) -> None:
    past = [{"days_ago": 40, "score": 3}, {"days_ago": 2}, {"days_ago": 30, "score": 9}]
    history = facts(score=5, history={"past": past, "open_cases": 1}).history
    assert (history.answers, history.detractor_answers, history.open_cases) == (3, 1, 1)
    assert (history.previous_score, history.previous_segment) == (None, None)
    assert [one.score for one in history.past] == [None, 9, 3]
    many = facts(history={"past": [{"days_ago": n} for n in range(MOST_PAST + 5)]}).history
    assert (many.answers, len(many.past)) == (MOST_PAST + 5, MOST_PAST)


@pytest.mark.parametrize(
    ("when", "culprit"),
    [
        ("history.answers: {at_least: 3, at_most: 1, within: 90d}",
         "history.answers within 90d is at least 3 and history.answers within 90d is at most 1"),
        ("history.drop: {at_least: 11, within: 90d}", "history.drop within 90d is at least 11"),
        ("segment: promoter, history.drop: {at_least: 4, within: 90d}",
         'segment is "promoter" and history.drop within 90d is at least 4'),
        ("history.days_since_answer: {at_least: 9, at_most: 3}",
         "history.days_since_answer is at least 9 and history.days_since_answer is at most 3"),
    ],
)  # fmt: skip
def test_what_no_past_satisfies_is_found(
    linted: Callable[..., list[str]], when: str, culprit: str
) -> None:
    found = [one for one in linted(one_rule(when)) if "can never fire" in one]
    assert [one.partition("no answer fits ")[2].partition(" (")[0] for one in found] == [culprit]


@pytest.mark.parametrize(
    "when",
    [
        "history.answers: {is: 0, within: 30d}, history.detractor_answers: {at_least: 3}",
        "history.answers: {at_least: 2, within: 90d}, history.drop: {exists: false}",
        "history.answers: {is: 1, within: 30d}, all: [{history.answers: {is: 5, within: 90d}}]",
        "history.drop: {at_least: 4, within: 30d}, all: [{history.drop: {at_most: 4}}]",
        "history.previous_segment: {is: promoter, within: 30d}, history.days_since_answer: 29",
        "segment: passive, history.drop: 3, history.answers: {at_least: 20, within: 1d}",
    ],
)
def test_what_a_past_can_satisfy_is_not_called_impossible(
    linted: Callable[..., list[str]], when: str
) -> None:
    assert [one for one in linted(one_rule(when)) if "never" in one] == []


def one_rule(when: str) -> str:
    return (
        "rules:\n  - id: x\n    name: x y\n    owner: a@example.com\n"
        f"    when: {{{when}}}\n    then: [{{log: {{}}}}]\ndefault: {{then: [{{log: {{}}}}]}}\n"
    )


def test_two_rules_for_one_case_are_shown_with_a_past(linted: Callable[..., list[str]]) -> None:
    found = linted("""
        rules:
          - id: fell
            name: Fell
            owner: cx@example.com
            when: {history.drop: {at_least: 4, within: 90d}}
            then: [{zendesk.ticket: {group: A}}]
          - id: often
            name: Often
            owner: cx@example.com
            when: {history.answers: {at_least: 3, within: 30d}}
            then: [{zendesk.ticket: {group: B}}]
        default: {then: [{log: {}}]}
    """)
    assert (
        "for example {score: 0, history: {past: [{score: 10, days_ago: 1}, "
        "{score: 10, days_ago: 1}, {score: 10, days_ago: 1}]}}"
    ) in found[0], found


def test_the_past_is_not_looked_at_where_no_rule_is_left_that_asks(
    ruleset: Callable[..., Ruleset], monkeypatch: pytest.MonkeyPatch
) -> None:
    index: Index = ruleset("""
        rules:
          - id: x
            when: {segment: promoter, history.drop: {at_least: 1, within: 9d}}
            then: [{log: {}}]
    """).index
    assert index.matching(answer(before(DAY))) == []

    def looked(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("connector.rules.spans._recent", looked)
    assert index.matching(answer(before(DAY))) == []
    with pytest.raises(AssertionError):
        index.matching(answer(before(DAY), segment="promoter"))
