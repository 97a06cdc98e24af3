"""What past answers say about the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.domain import Facts

Linted = Callable[..., list[str]]
Make = Callable[..., Facts]
RULES = """
    rules:
      - id: a
        name: A
        owner: o
        when: {segment: detractor, history.open_cases: 0}
        then:
          - log: {}
          - slack.message:
              channel: c
              text: |
                Hello
                {{ customer.name }} of {{ customer.company | default('?') }}
      - id: b
        name: B
        owner: o
        status: shadow
        when: {segment: promoter, history.open_cases: 0}
        then: [{email.thank_you: {}}]
    default:
      then: [{slack.message: {channel: c, text: "{{ comment }}"}}]
"""
MAIL = {"templates/thank_you/en.txt": "Subject: Thanks\n\nHello\n{{ customer.name }}!\n"}


def told(linted: Linted, answers: list[Facts], rules: str = RULES) -> list[str]:
    return [said for said in linted(rules, MAIL, answers=answers) if "last 90 days" in said]


def some(make: Make, count: int, **given: Any) -> list[Facts]:
    return [make(**given) for _ in range(count)]


def test_the_share_of_the_answers_that_the_rule_matched_is_told_at_the_line(
    linted: Linted, facts: Make
) -> None:
    answers = some(facts, 17, score=1, customer={"name": "Ana", "company": "Acme"})
    answers += some(facts, 3, score=1, customer={"company": "Acme"})
    answers += some(facts, 50, score=7, comment="x")
    assert told(linted, answers) == [
        "rules.yaml:12:17: warning: template: customer.name is empty in 15% of the 20 answers that "
        "'a' matched in the last 90 days (write {{ customer.name | default('…') }}, or an if "
        "around it)"
    ]
    assert told(linted, answers[1:]) == [], "nineteen answers say nothing"


def test_a_default_that_nearly_always_shows_is_a_note(linted: Linted, facts: Make) -> None:
    answers = some(facts, 18, score=1, customer={"name": "Ana"})
    answers += some(facts, 2, score=1, customer={"name": "Ana", "company": "Acme"})
    assert told(linted, answers) == [
        "rules.yaml:12:17: note: template: customer.company is empty in 90% of the 20 answers that "
        "'a' matched in the last 90 days (they show the default; is it filled at the source?)"
    ]
    assert told(linted, answers[1:] + answers[-1:]) == []


def test_mails_and_default_are_judged_too(linted: Linted, facts: Make) -> None:
    answers = some(facts, 20, score=10) + some(facts, 20, score=8)
    assert told(linted, answers) == [
        "rules.yaml:20:45: warning: template: comment is empty in 100% of the 40 answers that "
        "'default' matched in the last 90 days (write {{ comment | default('…') }}, or an if "
        "around it)",
        "templates/thank_you/en.txt:4:1: warning: template: customer.name is empty in 100% of the "
        "20 answers that get it in the last 90 days (write {{ customer.name | default('…') }}, or "
        "an if around it)",
    ]


def test_where_the_past_knows_more_it_is_not_said_twice(linted: Linted, facts: Make) -> None:
    def said(answers: list[Facts]) -> list[str]:
        return [one for one in linted(RULES, answers=answers) if "customer.name" in one]

    assert ["can be empty" in one for one in said([])] == [True]
    assert ["is empty in" in one for one in said(some(facts, 20, score=1))] == [True]


@pytest.mark.parametrize(
    ("when", "answer", "said"),
    [
        ("properties.Order staus: late", {"properties": {"Order status": "ok"}},
         "6:12: warning: none of the 20 answers of the last 90 days has a properties.Order staus "
         "(did you mean 'properties.Order status'?)"),
        ("properties.zzz: late", {"properties": {"a": 1, "b": ""}},
         "6:12: warning: none of the 20 answers of the last 90 days has a properties.zzz "
         "(sources sent: properties.a, properties.b)"),
        ("any: [{score: 1}, {customer.plan: pro}]", {},
         "6:31: warning: none of the 20 answers of the last 90 days has a customer.plan "
         "(look whether the source or the customer import still fills it)"),
        ("customer.plan: {exists: false}", {}, ""),
        ("customer.plan: {not: pro}", {}, ""),
        ("none: [{customer.plan: pro}]", {}, ""),
        ("customer.plan: pro", {"customer": {"plan": "free"}}, ""),
        ("history.previous_score: 1", {}, ""),
    ],
)  # fmt: skip
def test_a_field_that_no_answer_has_is_told(
    linted: Linted, facts: Make, when: str, answer: dict[str, Any], said: str
) -> None:
    rules = f"""
        rules:
          - id: a
            name: A
            owner: o
            status: draft
            when: {{{when}}}
            then: [{{log: {{}}}}]
        """
    found = told(linted, some(facts, 20, score=7, **answer), rules)
    assert found == ([f"rules.yaml:{said}"] if said else [])


def test_customers_with_an_open_case_get_no_mail(linted: Linted) -> None:
    def mail(when: str) -> list[str]:
        rules = f"""
            rules:
              - id: a
                name: A
                owner: o
                when: {{{when}}}
                then: [{{email.thank_you: {{}}}}]
            """
        return [said for said in linted(rules) if "open case" in said]

    assert mail("segment: promoter") == [
        "rules.yaml:6:13: note: 'a' also reaches customers with an open case: they get no mail "
        "(to count only those who get it, add to when: history.open_cases: 0)"
    ]
    assert mail("segment: promoter, history.open_cases: {at_least: 1}") == [
        "rules.yaml:6:13: warning: 'a' never sends its mail: all whom it matches have an open case "
        "(a person talks to them first; ask for history.open_cases: 0)"
    ]
    assert mail("segment: promoter, history.open_cases: 0") == []
    assert mail("segment: promoter, none: [{history.open_cases: {at_least: 1}}]") == []
