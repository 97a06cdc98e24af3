"""Why did a rule fire, or not?"""

from __future__ import annotations

from collections.abc import Callable

from connector.domain import Facts
from connector.rules.explain import GroupReport, RuleReport, explain
from connector.rules.model import Ruleset

RULES = """\
rules:
  - id: first
    name: First
    when:
      segment: detractor
      customer.plan: enterprise
      any: [{score: 0}, {all: [{comment: {mentions: [late]}}, {language: es}]}]
    then: [{zendesk.ticket: {}}]
  - id: watcher
    status: shadow
    when: {score: {at_most: 6}}
    then: [{zendesk.ticket: {}}]
  - id: second
    when: {segment: detractor}
    then: [{zendesk.ticket: {}}, {salesforce.task: {sink: crm-eu}}]
    stop: true
  - {id: third, when: {score: 3}, then: [{log: {}}]}
  - {id: sketch, status: draft, when: {score: 3}, then: [{log: {}}]}
"""


def reports(ruleset: Callable[..., Ruleset], facts: Facts) -> dict[str, RuleReport]:
    return {report.rule_id: report for report in explain(ruleset(RULES), facts)}


def test_every_rule_is_explained_in_order(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    answer = facts(score=3, comment="Too late", language="es", customer={"plan": "enterprise"})
    found = reports(ruleset, answer)
    assert [(r.rule_id, r.fired, r.note) for r in found.values()] == [
        ("first", True, ""),
        ("watcher", True, "a shadow: it asks for nothing"),
        ("second", True, "its zendesk.ticket in support-desk is already opened by first"),
        ("third", False, "not read: second ended the reading"),
        ("sketch", False, "a draft: it would have matched"),
    ]
    assert (found["first"].name, found["watcher"].name) == ("First", "watcher")
    assert found["watcher"].status == "shadow"


def test_each_condition_is_told_with_the_value_that_was_seen(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    found = reports(ruleset, facts(score=3, comment="Too late"))["first"]
    assert [(c.group, c.field, c.operator, c.wanted, c.seen, c.held) for c in found.conditions] == [
        ("", "segment", "is", "detractor", "detractor", True),
        ("", "customer.plan", "is", "enterprise", None, False),
        ("any", "score", "is", 0, 3, False),
        ("any/all", "comment", "mentions", ["late"], "Too late", True),
        ("any/all", "language", "is", "es", "en", False),
    ]
    assert found.fired is False
    assert str(found.conditions[1]) == 'customer.plan is "enterprise": saw nothing'
    assert str(found.conditions[2]) == "score is 0: saw 3"


def test_long_values_are_cut(ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]) -> None:
    found = reports(ruleset, facts(score=3, comment="x\n" * 1000))["first"]
    assert len(found.conditions[3].seen) == 300


def test_a_report_can_be_written_as_json(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    (report, *_) = explain(ruleset(RULES), facts(score=0))
    assert RuleReport.model_validate_json(report.model_dump_json()) == report


def test_a_group_says_whether_it_held_and_a_mention_which_word_was_found(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    rules = """\
rules:
  - id: words
    when:
      comment: {mentions: [refund, money back, cancel*, scam, lawyer]}
      none: [{language: es}, {score: {between: [7, 8]}}]
    then: [{log: {}}]
"""
    held, missed = (
        explain(ruleset(rules), facts(score=3, comment=comment))[0]
        for comment in ("I will cancel, the scam is over", "Slow")
    )
    assert str(held.conditions[0]) == (
        'comment mentions "cancel*", "scam" +3 more: saw "I will cancel, the scam is over"'
    )
    assert str(missed.conditions[0]) == (
        'comment mentions "refund", "money back", "cancel*" +2 more: saw "Slow"'
    )
    assert str(held.conditions[2]) == "score is between 7 and 8: saw 3"
    (group,) = held.when.members[1:]
    assert isinstance(group, GroupReport)
    assert (group.word, group.held) == ("none", True)
    assert [member.held for member in group.members] == [False, False]
