"""What shows when the rules are tried."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.rules.check import check
from connector.rules.model import Ruleset


def told(ruleset: Callable[..., Ruleset], rules: str) -> list[str]:
    return [str(problem) for problem in check(ruleset(rules))]


def one(
    examples: str, more: str = "", when: str = "segment: detractor", then: str = "log: {}"
) -> str:
    return f"""\
rules:
  - id: x
    name: X
    owner: cx@example.com
    when: {{{when}}}
    then: [{{{then}}}]
    {more}
    examples:
      - {examples}
"""


def test_examples_that_are_right_say_nothing(ruleset: Callable[..., Ruleset]) -> None:
    assert told(ruleset, one("{given: {score: 6}, fires: true}")) == []
    assert told(ruleset, one("{given: {score: 7}, fires: false}")) == []


def test_a_failing_example_names_the_condition_that_decided(
    ruleset: Callable[..., Ruleset],
) -> None:
    assert told(ruleset, one("{given: {score: 7}, fires: true}")) == [
        "rules.yaml:9:9: example of 'x' should fire and does not: "
        'segment is "detractor": saw "passive"'
    ]
    assert told(ruleset, one("{given: {comment: hi}, fires: true}")) == [
        "rules.yaml:9:9: example of 'x' should fire and does not: "
        'segment is "detractor": saw nothing'
    ]
    assert told(ruleset, one("{given: {score: 0}, fires: false}")) == [
        "rules.yaml:9:9: example of 'x' should not fire and does: "
        'segment is "detractor": saw "detractor"'
    ]


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("any: [{score: 1}, {score: 2}]", "any: score is 1: saw 3; any: score is 2: saw 3"),
        ("none: [{score: 3}, {score: 2}]", "none: score is 3: saw 3"),
        ("score: 3, any: [{all: [{score: 3}, {language: es}]}]",
         'any/all: language is "es": saw "en"'),
    ],
)  # fmt: skip
def test_the_condition_within_a_group_is_named(
    ruleset: Callable[..., Ruleset], when: str, reason: str
) -> None:
    (message,) = told(ruleset, one("{given: {score: 3}, fires: true}", when=when))
    assert message.endswith(f"should fire and does not: {reason}")


def test_examples_know_surveys_history_and_attributes(ruleset: Callable[..., Ruleset]) -> None:
    when = (
        "survey: partners, segment: passive, history.previous_segment: promoter, brand: x, "
        "customer.vip: true, properties.a: 1, tags: b, source: shop, language: pt"
    )
    given = (
        "{given: {survey: partners, score: 5, history: {previous_score: 8}, brand: x, "
        "customer: {vip: true}, properties: {a: 1}, tags: [b], source: shop, language: pt-BR}, "
        "fires: true}"
    )
    assert told(ruleset, one(given, when=when)) == []


def test_an_example_that_is_never_reached_says_who_stopped_it(
    ruleset: Callable[..., Ruleset],
) -> None:
    first = "  - {id: a, name: A, owner: o, when: {score: 3}, then: [{log: {}}], stop: true}\n"
    rules = one("{given: {score: 3}, fires: true}").replace("rules:\n", "rules:\n" + first)
    assert told(ruleset, rules) == [
        "rules.yaml:10:9: example of 'x' should fire and does not: 'a' ended the reading before"
    ]


@pytest.mark.parametrize("status", ["draft", "shadow"])
def test_examples_of_rules_that_are_not_live_run_too(
    ruleset: Callable[..., Ruleset], status: str
) -> None:
    assert told(ruleset, one("{given: {score: 6}, fires: true}", f"status: {status}")) == []
    assert told(ruleset, one("{given: {score: 7}, fires: true}", f"status: {status}")) != []


def test_an_example_whose_text_cannot_be_filled_in_is_a_warning(
    ruleset: Callable[..., Ruleset],
) -> None:
    then = "slack.message: {channel: c, text: 'Hi {{ customer.name }}'}"
    assert told(ruleset, one("{given: {score: 6}, fires: true}", then=then)) == [
        "rules.yaml:9:9: warning: example of 'x': slack.message: text could not be filled in: "
        "customer.name is empty"
    ]


def test_a_rule_without_name_or_owner_is_a_warning(ruleset: Callable[..., Ruleset]) -> None:
    assert told(ruleset, "rules:\n  - {id: x, when: {score: 1}, then: [{log: {}}]}\n") == [
        "rules.yaml:2:5: warning: 'x' has no name (people see it)",
        "rules.yaml:2:5: warning: 'x' has no owner (who is asked when it misfires)",
    ]


STOPS = """\
rules:
  - {{id: a, name: A, owner: o, when: {{{first}}}, then: [{{log: {{}}}}], {more}}}
  - {{id: b, name: B, owner: o, when: {{{second}}}, then: [{{log: {{}}}}]}}
"""


@pytest.mark.parametrize(
    ("first", "second", "dead"),
    [
        ("", "score: 3", True),
        ("segment: detractor", "segment: detractor, score: 3", True),
        ("segment: [detractor, passive]", "segment: passive", True),
        ("segment: passive", "segment: [detractor, passive]", False),
        ("score: {at_most: 6}", "score: {at_most: 3}", True),
        ("score: {at_most: 3}", "score: {at_most: 6}", False),
        ("score: {at_least: 2}", "score: {between: [2, 3]}", True),
        ("score: {between: [0, 6]}", "score: [1, 6]", True),
        ("score: [1, 6]", "score: {between: [1, 6]}", False),
        ("score: {at_most: 6}", "comment: {mentions: [x]}", False),
        ("comment: {mentions: [x]}", "comment: {mentions: [x]}, score: 1", True),
        ("any: [{score: 1}, {score: 2}]", "any: [{score: 1}, {score: 2}], language: es", True),
        ("score: 1, language: es", "score: 1", False),
    ],
)
def test_a_rule_that_never_gets_its_turn_is_a_warning(
    ruleset: Callable[..., Ruleset], first: str, second: str, dead: bool
) -> None:
    rules = STOPS.format(first=first, second=second, more="stop: true")
    message = (
        "rules.yaml:3:5: warning: 'b' can never fire: 'a' matches first and stops (move it up)"
    )
    assert told(ruleset, rules) == ([message] if dead else [])
    for more in ("stop: false", "stop: true, status: shadow", "stop: true, status: draft"):
        rules = STOPS.format(first=first, second=second, more=more)
        assert told(ruleset, rules) == []
