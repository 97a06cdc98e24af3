"""What shows when the rules are tried."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Linted = Callable[..., list[str]]


def told(linted: Linted, rules: str) -> list[str]:
    """What is said about the rules themselves; gaps have tests of their own."""
    return [said for said in linted(rules) if "no rule covers" not in said]


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


def test_examples_that_are_right_say_nothing(linted: Linted) -> None:
    assert told(linted, one("{given: {score: 6}, fires: true}")) == []
    assert told(linted, one("{given: {score: 7}, fires: false}")) == []


def test_a_failing_example_names_the_condition_that_decided(
    linted: Linted,
) -> None:
    assert told(linted, one("{given: {score: 7}, fires: true}")) == [
        "rules.yaml:9:9: example of 'x' should fire and does not: "
        'segment is "detractor": saw "passive"'
    ]
    assert told(linted, one("{given: {comment: hi}, fires: true}")) == [
        "rules.yaml:9:9: example of 'x' should fire and does not: "
        'segment is "detractor": saw nothing'
    ]
    assert told(linted, one("{given: {score: 0}, fires: false}")) == [
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
def test_the_condition_within_a_group_is_named(linted: Linted, when: str, reason: str) -> None:
    (message,) = told(linted, one("{given: {score: 3}, fires: true}", when=when))
    assert message.endswith(f"should fire and does not: {reason}")


def test_examples_know_surveys_history_and_attributes(linted: Linted) -> None:
    when = (
        "survey: partners, segment: passive, history.previous_segment: promoter, brand: x, "
        "customer.vip: true, properties.a: 1, tags: b, source: shop, language: pt"
    )
    given = (
        "{given: {survey: partners, score: 5, history: {previous_score: 8}, brand: x, "
        "customer: {vip: true}, properties: {a: 1}, tags: [b], source: shop, language: pt-BR}, "
        "fires: true}"
    )
    assert told(linted, one(given, when=when)) == []


def test_an_example_that_is_never_reached_says_who_stopped_it(
    linted: Linted,
) -> None:
    first = "  - {id: a, name: A, owner: o, when: {score: 3}, then: [{log: {}}], stop: true}\n"
    rules = one("{given: {score: 3}, fires: true}").replace("rules:\n", "rules:\n" + first)
    assert told(linted, rules) == [
        "rules.yaml:10:9: example of 'x' should fire and does not: 'a' ended the reading before"
    ]


@pytest.mark.parametrize("status", ["draft", "shadow"])
def test_examples_of_rules_that_are_not_live_run_too(linted: Linted, status: str) -> None:
    assert told(linted, one("{given: {score: 6}, fires: true}", f"status: {status}")) == []
    assert told(linted, one("{given: {score: 7}, fires: true}", f"status: {status}")) != []


def test_an_example_whose_text_cannot_be_filled_in_is_a_warning(
    linted: Linted,
) -> None:
    then = "slack.message: {channel: c, text: 'Hi {{ customer.name }}'}"
    assert told(linted, one("{given: {score: 6}, fires: true}", then=then))[1:] == [
        "rules.yaml:9:9: warning: example of 'x': slack.message: text could not be filled in: "
        "customer.name is empty"
    ]


def test_a_rule_without_name_or_owner_is_a_warning(linted: Linted) -> None:
    assert told(linted, "rules:\n  - {id: x, when: {score: 1}, then: [{log: {}}]}\n") == [
        "rules.yaml:2:5: warning: 'x' has no name (people see it)",
        "rules.yaml:2:5: warning: 'x' has no owner (who is asked when it misfires)",
    ]


def test_rules_below_an_unclear_stop_are_not_tried(linted: Linted) -> None:
    rules = one("{given: {score: 6}, fires: false}")
    first = "  - {id: a, when: {scroe: 1}, then: [{log: {}}], stop: true}\n"
    assert told(linted, rules.replace("rules:\n", "rules:\n" + first)) == [
        "rules.yaml:2:20: unknown field 'scroe' (did you mean 'score'?)"
    ]
    (_, tried) = told(
        linted, rules.replace("rules:\n", "rules:\n" + first.replace("true", "false"))
    )
    assert "example of 'x' should not fire and does" in tried


def test_a_rule_whose_mail_cannot_be_read_is_not_tried(linted: Linted) -> None:
    rules = one("{given: {score: 6}, fires: true}", then="email.thank_you: {}")
    assert linted(rules, {"templates/thank_you/en.txt": "Hello"}) == [
        "templates/thank_you/en.txt:1:1: the first line must be 'Subject: …'"
    ]
