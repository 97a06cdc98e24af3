"""Rules that want the same case in the same sink."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Linted = Callable[..., list[str]]
CURE = (
    "move the more urgent one up, exclude the other's answers with 'none', or write such an answer "
    "into the examples if that is meant"
)


def told(linted: Linted, *rules: str) -> list[str]:
    """Each rule: its `when`, and after ` -> ` what the ticket says; the first is `a`."""
    text = "rules:\n"
    for name, rule in zip("abcdefgh", rules, strict=False):
        when, _, then = rule.partition(" -> ")
        ticket, _, more = then.partition(" + ")
        text += f"  - {{id: {name}, name: R, owner: o, when: {{{when}}}, {more}\n"
        text += f"     then: [{{zendesk.ticket: {{{ticket}}}}}]}}\n"
    found = linted(f"{text}default: {{then: [{{log: {{}}}}]}}\n")
    return [one for one in found if "no rule covers" not in one and "can be empty" not in one]


PLAN = "segment: detractor, customer.plan: enterprise"
WORDS = "segment: detractor, comment: {mentions: [refund, money]}"


def test_the_order_alone_decides_and_an_answer_shows_it(linted: Linted) -> None:
    assert told(linted, f"{PLAN} -> group: Retention", f"{WORDS} -> group: Billing") == [
        "rules.yaml:5:14: warning: 'b' and 'a' want the same zendesk.ticket in support-desk, for "
        "example {score: 0, customer: {plan: enterprise}, comment: refund}: 'a' stands first and "
        f"opens it (normal, Retention), not this one (normal, Billing) ({CURE})"
    ]


def test_without_an_example_it_is_told_all_the_same(linted: Linted) -> None:
    (said,) = told(linted, f"{PLAN} -> group: A", "comment: {matches: '(?<=x)y'} -> group: B")
    assert "'b' and 'a' want the same zendesk.ticket in support-desk: 'a' stands first" in said


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{PLAN} -> priority: urgent", f"{WORDS} -> priority: high"),  # urgent ones first
        (f"{PLAN} -> respond_within: 4h", f"{WORDS} -> respond_within: 8h"),
        (f"{PLAN} -> respond_within: 4h", f"{WORDS} -> group: B"),
        (f"{PLAN} -> priority: low", "segment: detractor -> priority: high"),  # a narrower one
        (f"{PLAN} -> group: A", f"{WORDS}, none: [customer.plan: enterprise] -> group: B"),
        (f"{PLAN} -> group: A", "segment: passive -> group: B"),
        (f"{PLAN} -> group: A", "score: {at_least: 7}, survey: relationship -> group: B"),
        (f"{PLAN} -> group: A + stop: true,", f"{WORDS} -> group: B"),
        (f"{PLAN} -> group: A + status: shadow,", f"{WORDS} -> group: B"),
        (f"{PLAN} -> group: A", f"{WORDS} -> group: B + status: draft,"),
        (f"{PLAN} -> group: A + until: 2026-11-01,", f"{WORDS} -> group: B"),
        (f"{PLAN} -> group: A", f"{WORDS} -> group: B + examples: [{{given: {{score: 1, "
         "comment: refund, customer: {plan: enterprise}}, fires: true}],"),
    ],
)  # fmt: skip
def test_what_is_meant_so_is_not_told(linted: Linted, first: str, second: str) -> None:
    assert [said for said in told(linted, first, second) if "last day" not in said] == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{PLAN} -> priority: high", f"{WORDS} -> priority: urgent"),
        (f"{PLAN} -> respond_within: 8h", f"{WORDS} -> respond_within: 4h"),
        (f"{PLAN} -> group: A", f"{WORDS} -> respond_within: 4h"),
        (f"{PLAN} -> priority: urgent, respond_within: 8h", f"{WORDS} -> respond_within: 4h"),
        (f"{PLAN} -> ", f"{WORDS} -> "),
    ],
)
def test_the_less_urgent_must_not_stand_first(linted: Linted, first: str, second: str) -> None:
    (said,) = told(linted, first, second)
    assert "'b' and 'a' want the same" in said


def test_a_case_that_others_always_open_first(linted: Linted) -> None:
    never = (
        "rules.yaml:5:14: warning: 'b' never opens its zendesk.ticket in support-desk: 'a' always "
        "matches too, and stands first (move the narrower rule up)"
    )
    assert told(linted, "segment: detractor -> ", f"{PLAN} -> priority: urgent") == [never]
    assert told(
        linted, "score: {at_most: 3} -> ", "score: {at_least: 4} -> ", "segment: detractor -> "
    ) == [
        "rules.yaml:7:14: warning: 'c' never opens its zendesk.ticket in support-desk: 'a', 'b' "
        "always match too, and stand first (move the narrower rule up)"
    ]


def test_other_sinks_are_other_cases(linted: Linted) -> None:
    rules = """
        rules:
          - {id: a, name: A, owner: o, when: {score: 1}, then: [{salesforce.task: {sink: crm-eu}}]}
          - {id: b, name: B, owner: o, when: {score: 1}, then: [{salesforce.task: {sink: crm-us}}]}
        default: {then: [{log: {}}]}
        """
    assert [said for said in linted(rules) if "want the same" in said] == []


def test_many_rules_are_compared_in_bounded_time(linted: Linted) -> None:
    rules = "rules:\n" + "".join(
        f"  - {{id: r{n}, name: R, owner: o, when: {{segment: detractor, customer.plan: p{n}}}, "
        "then: [{zendesk.ticket: {}}]}\n"
        for n in range(300)
    )
    found = linted(f"{rules}default: {{then: [{{log: {{}}}}]}}\n")
    assert [said for said in found if "from here on they are not compared" in said]
