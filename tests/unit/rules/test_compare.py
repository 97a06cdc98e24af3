"""What differs between two rulesets, in words: what a reviewer has to see, and nothing else."""

from __future__ import annotations

import pytest

from connector.errors import Invalid
from connector.rules.compare import Change, compare
from connector.rules.model import RulesetText

THEN = "then: [{zendesk.ticket: {priority: high, next_step: Call.}}]"


def text(rules: str, **templates: str) -> RulesetText:
    return RulesetText({"rules.yaml": rules, **templates})


def rule(id: str, when: str = "{score: {at_most: 6}}", then: str = THEN, more: str = "") -> str:
    return f"  - id: {id}\n    when: {when}\n    {then}\n{more}"


def told(old: str, new: str) -> list[str]:
    """Of one rule that is in both."""
    [change] = compare(text(f"rules:\n{old}"), text(f"rules:\n{new}"))
    assert (change.what, change.of) == ("changed", "rule a")
    return list(change.lines)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "{score: {at_most: 6}}",
            "{score: {at_most: 3}}",
            ["when: score is at most 6 -> score is at most 3"],
        ),
        (
            "{segment: detractor}",
            "{segment: [detractor, passive]}",
            ['when: segment is "detractor" -> segment is one of "detractor", "passive"'],
        ),
        (
            "{comment: {mentions: [a, b]}}",
            "{comment: {mentions: [b, c]}}",
            ['when: comment mentions: + "c", - "a"'],
        ),
        (
            "{score: 1}",
            "{score: 1, customer.plan: {exists: true}}",
            ["when: + customer.plan exists"],
        ),
        (
            "{score: {at_least: 3, at_most: 6}}",
            "{score: {at_most: 6}}",
            ["when: - score is at least 3"],
        ),
        (
            "{any: [{score: 1}, {customer.value: {at_least: 5}}]}",
            "{any: [{score: 1}, {customer.value: {at_least: 9}}]}",
            ["when any: customer.value is at least 5 -> customer.value is at least 9"],
        ),
        (
            "{any: [{score: 1}]}",
            "{none: [{score: 1}]}",
            ["when none: + score is 1", "when any: - score is 1"],
        ),
        (
            "{any: [{score: 1}, {tags: x, score: 2}]}",
            "{any: [{score: 1}, {any: [{tags: y}, {tags: z}]}]}",
            [
                'when any: + any of (tags is "y"; tags is "z")',
                'when any: - tags is "x" and score is 2',
            ],
        ),
        ("{properties.x: true}", "{properties.x: 1}", None),
        ("{score: {between: [1, 3]}}", "{score: {between: [1, 4]}}", None),
    ],
)
def test_a_condition_tells_from_what_to_what(old, new, said):
    lines = told(rule("a", old), rule("a", new))
    assert lines == said if said is not None else len(lines) == 1


def test_an_action_tells_each_setting():
    new = "then: [{zendesk.ticket: {priority: urgent, group: Retention}}, {log: {}}]"
    assert told(rule("a"), rule("a", then=new)) == [
        'zendesk.ticket: priority: "high" -> "urgent"',
        'zendesk.ticket: group: nothing -> "Retention"',
        'zendesk.ticket: next_step: "Call." -> nothing',
        "then: + log",
    ]


def test_two_actions_of_a_kind_are_told_apart_by_their_sink_or_number():
    old = "then: [{salesforce.task: {sink: eu, priority: High}}, {log: {}}, {log: {}}]"
    new = "then: [{log: {}}, {salesforce.task: {sink: eu, priority: Low}}]"
    assert told(rule("a", then=old), rule("a", then=new)) == [
        'salesforce.task in eu: priority: "High" -> "Low"',
        "then: - log (2)",
        "then: the order is now log, salesforce.task in eu",
    ]


def test_where_two_long_texts_differ_is_shown():
    long = "x" * 300
    old, new = (f'then: [{{slack.message: {{text: "{long}{end}"}}}}]' for end in "ab")
    assert told(rule("a", then=old), rule("a", then=new)) == [
        f'slack.message: text: "…{"x" * 20}a" -> "…{"x" * 20}b"'
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("    status: shadow\n", 'status: "live" -> "shadow"'),
        ("    stop: true\n", "stop: false -> true"),
        ("    until: 2026-12-31\n", 'until: nothing -> "2026-12-31"'),
        ("    name: B\n", 'name: nothing -> "B"'),
        ("    examples: [{given: {score: 1}, fires: true}]\n", "examples: 0 -> 1"),
    ],
)
def test_what_a_rule_says_about_itself(more, said):
    assert told(rule("a"), rule("a", more=more)) == [said]


def test_rules_that_come_go_and_move():
    old = "rules:\n" + "".join(map(rule, "abcd")) + rule("gone", more="    name: Old one\n")
    new = "rules:\n" + "".join(map(rule, ("d", "a", "new", "b", "c")))
    assert compare(text(old), text(new)) == [
        Change(what="moved", of="rule d", lines=("moved from place 4 to 1, before a",)),
        Change(
            what="added",
            of="rule new",
            lines=(
                "place 3",
                "when: + score is at most 6",
                'then: + zendesk.ticket (priority "high", next_step "Call.")',
            ),
        ),
        Change(what="removed", of="rule gone", lines=("was at place 5", 'name: "Old one"')),
    ]


def test_a_rule_that_moved_and_changed_says_both():
    old = "rules:\n" + rule("a") + rule("b") + rule("c")
    new = "rules:\n" + rule("b") + rule("c") + rule("a", "{score: 1}")
    [change] = compare(text(old), text(new))
    assert change.what == "changed"
    assert change.lines[0] == "moved from place 1 to 3, at the end"
    assert len(change.lines) == 2


def test_defaults_the_default_and_templates():
    old = text("defaults: {settle: 10m}\nrules: []\ndefault: {then: [{log: {}}]}", en="a\nb", it="")
    new = text(
        "defaults: {settle: 5m}\nrules: []\ndefault: {then: [{slack.message: {channel: x}}]}",
        en="a\nc",
        es="",
    )
    assert [(change.what, change.of, change.lines) for change in compare(old, new)] == [
        ("changed", "default", ('then: + slack.message (channel "x")', "then: - log")),
        ("changed", "defaults", ('settle: "10m" -> "5m"',)),
        ("changed", "en", ("- b", "+ c")),
        ("added", "es", ()),
        ("removed", "it", ()),
    ]


def test_comments_spelling_and_the_order_of_keys_are_no_difference():
    old = "rules:\n  - {id: a, when: {score: 1, segment: promoter}, then: [{log: {}}]}"
    new = "rules: # ours\n  - then:\n      - log: {}\n    id: 'a'\n"
    new += "    when: {segment: promoter, score: 1}"
    assert compare(text(old), text(new)) == []


def test_nothing_in_a_rule_steers_a_terminal():
    hostile = '"\\e[2J\\u202e\\nrule b added"'
    new = rule(
        "a", more=f"    name: {hostile}\n    note: {hostile}\n", when=f"{{brand: {hostile}}}"
    )
    for change in compare(text("rules:\n" + rule("a")), text("rules:\n" + new, **{"x\n\x1b": "y"})):
        for line in (change.of, *change.lines):
            assert line.isprintable()


def test_what_is_no_yaml_cannot_be_compared():
    with pytest.raises(Invalid):
        compare(text("rules: []"), text("rules: ["))


@pytest.mark.parametrize(
    "odd", ["", "[]", "rules: 5", "rules: [5, {}]", "rules: [{when: 5, then: 7}]"]
)
def test_odd_shapes_are_compared_all_the_same(odd):
    """What was never loaded can be named on the command line."""
    compare(text(odd), text("rules:\n" + rule("a")))
    compare(text("rules:\n" + rule("a")), text(odd))
