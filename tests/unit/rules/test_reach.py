"""Rules that never fire, lines that never help, days that have passed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from connector.domain import Facts
from connector.rules.decide import decide
from connector.rules.explain import explain
from connector.rules.model import Ruleset

Linted = Callable[..., list[str]]


def told(linted: Linted, rules: str, **seen: object) -> list[str]:
    return [said for said in linted(rules, **seen) if "no rule covers" not in said]


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
        ("segment: detractor", "score: 0", True),  # on every scale that has it
        ("segment: detractor", "score: 5", False),  # a passive of the partners, a star too
        ("segment: detractor", "score: 5, survey: relationship", True),
        ("segment: [detractor, passive]", "segment: passive", True),
        ("segment: {not: promoter}", "segment: passive", True),
        ("segment: passive", "segment: [detractor, passive]", False),
        ("score: {at_most: 6}", "score: {at_most: 3}", True),
        ("score: {at_most: 3}", "score: {at_most: 6}", False),
        ("score: {at_least: 2}", "score: {between: [2, 3]}", True),
        ("score: {between: [0, 6]}", "score: [1, 6]", True),
        ("score: [1, 6]", "score: {between: [1, 6]}", False),
        ("score: {at_most: 6}", "comment: {mentions: [x]}", False),
        ("comment: {mentions: [x]}", "comment: {mentions: [x]}, score: 1", True),
        ("comment: {mentions: [x, y]}", "comment: {mentions: [x]}", True),
        ("comment: {mentions: 'refund*'}", "comment: {mentions: refunded}", True),
        ("comment: {mentions: refunded}", "comment: {mentions: 'refund*'}", False),
        ("comment: {exists: true}", "comment: {mentions: [x]}", True),
        ("comment: {matches: 'a.b'}", "comment: {matches: 'a.b'}, score: 1", True),
        ("comment: {matches: 'a'}", "comment: {matches: 'b'}", False),
        ("customer.value: {at_least: 10}", "customer.value: {at_least: 10.5}", True),
        ("customer.value: {at_least: 10.5}", "customer.value: {at_least: 10}", False),
        ("customer.plan: [a, b]", "customer.plan: B", True),
        ("tags: [a, b]", "tags: b", True),
        ("tags: a", "tags: {not: b}", False),
        ("language: es", "language: es-MX", True),
        ("language: es-MX", "language: es", False),
        ("history.detractor_answers: {at_least: 1}", "history.previous_segment: detractor", True),
        ("history.answers: {at_least: 1}", "history.previous_score: {exists: true}", True),
        ("any: [{score: 1}, {score: 2}]", "any: [{score: 1}, {score: 2}], language: es", True),
        ("any: [{score: 1}, {score: 2}]", "score: 2", True),
        ("score: 1, language: es", "score: 1", False),
        ("properties.a: 1", "properties.a: '1'", True),
    ],
)
def test_a_rule_that_never_gets_its_turn_is_a_warning(
    linted: Linted, first: str, second: str, dead: bool
) -> None:
    rules = STOPS.format(first=first, second=second, more="stop: true")
    message = (
        "rules.yaml:3:5: warning: 'b' can never fire: 'a' matches first and stops (move it up)"
    )
    assert told(linted, rules) == ([message] if dead else [])
    for more in (
        "stop: false",
        "stop: true, status: shadow",
        "stop: true, status: draft",
    ):
        rules = STOPS.format(first=first, second=second, more=more)
        assert told(linted, rules) == []


def test_several_rules_together_can_shut_one_out(linted: Linted) -> None:
    rules = """
        rules:
          - {id: a, name: A, owner: o, when: {score: {at_most: 6}}, then: [{log: {}}], stop: true}
          - {id: b, name: B, owner: o, when: {score: {at_least: 7}}, then: [{log: {}}], stop: true}
          - {id: c, name: C, owner: o, when: {segment: passive}, then: [{log: {}}]}
        """
    assert told(linted, rules) == [
        "rules.yaml:4:5: warning: 'c' can never fire: 'a', 'b' match first and stop (move it up)"
    ]


ONE = """\
rules:
  - id: x
    name: X
    owner: o
    when: {{{when}}}
    then: [{{log: {{}}}}]
"""
SEGMENTS = (
    "relationship: detractor 0-6, passive 7-8, promoter 9-10; "
    "partners: detractor 1-4, passive 5-7, promoter 8-10; stars: no segments"
)
OTHERS = "change one of them, or put them under 'any' if one of them is enough"


@pytest.mark.parametrize(
    ("when", "place", "message"),
    [
        ("segment: promoter, score: {at_most: 3}", "5:31",
         f'no answer fits segment is "promoter" and score is at most 3 ({SEGMENTS})'),
        ("survey: stars, segment: detractor", "5:36",
         f'no answer fits survey is "stars" and segment is "detractor" ({SEGMENTS})'),
        ("score: {at_least: 7, at_most: 6}", "5:12",
         f"no answer fits score is at least 7 and score is at most 6 ({OTHERS})"),
        ("score: 0, survey: [partners, stars]", "5:22",
         f'no answer fits score is 0 and survey is one of "partners", "stars" ({OTHERS})'),
        ("customer.value: {at_least: 2, at_most: 1.5}", "5:12",
         f"no answer fits customer.value is at least 2 and customer.value is at most 1.5 "
         f"({OTHERS})"),
        ("customer.plan: {is: pro, exists: false}", "5:12",
         f'no answer fits customer.plan is "pro" and customer.plan is missing ({OTHERS})'),
        ("comment: {mentions: refund}, none: [{comment: {mentions: 'refund*'}}]", "5:41",
         f'no answer fits comment mentions "refund" and none of (comment mentions "refund*") '
         f"({OTHERS})"),
        ("language: {exists: false}", "5:12", f"no answer fits language is missing ({OTHERS})"),
        ("history.previous_segment: detractor, history.detractor_answers: 0", "5:76",
         'no answer fits history.previous_segment is "detractor" and '
         f"history.detractor_answers is 0 ({OTHERS})"),
        ("tags: a, none: [{tags: [a, b]}]", "5:21",
         f'no answer fits tags is "a" and none of (tags is one of "a", "b") ({OTHERS})'),
        ("customer.vip: true, none: [{customer.vip: {not: false}}]", "5:32",
         f"no answer fits customer.vip is true and none of (customer.vip is not false) ({OTHERS})"),
    ],
)  # fmt: skip
def test_what_no_answer_satisfies_is_a_mistake_at_the_line_that_contradicts(
    linted: Linted, when: str, place: str, message: str
) -> None:
    assert told(linted, ONE.format(when=when)) == [
        f"rules.yaml:{place}: 'x' can never fire: {message}"
    ]


@pytest.mark.parametrize(
    "when",
    [
        "segment: promoter, score: {at_most: 8}",  # of the partners
        "customer.value: {at_least: 10, at_most: 10}",
        "comment: {mentions: 'refund*'}, none: [{comment: {mentions: refund}}]",
        "comment: {matches: '^a$', mentions: b}",  # nothing is proven about expressions
        "tags: a, none: [{tags: b}]",
        "customer.plan: {not: pro, exists: false}",
        "language: es, none: [{language: es-MX}]",
        "history.open_cases: {at_least: 1}, history.answers: 0",  # a case without an answer
        "properties.a: {at_least: 3, not: 3}",
        "any: [{score: 1}, {segment: promoter, score: 9}]",
    ],
)
def test_what_some_answer_satisfies_is_none(linted: Linted, when: str) -> None:
    assert told(linted, ONE.format(when=when)) == []


def test_a_line_of_any_that_cannot_hold_is_a_warning(linted: Linted) -> None:
    assert told(linted, ONE.format(when="segment: passive, any: [{score: 2}, {score: 7}]")) == [
        "rules.yaml:5:36: warning: 'x': this line of any can never hold with the others: "
        "score is 2 (remove it, or change what it contradicts)"
    ]


UNTIL = """\
rules:
  - id: x
    name: X
    owner: o
    until: {until}
    when: {{segment: detractor}}
    then: [{{log: {{}}}}]
"""


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-11-20", []),  # the day itself counts
        ("2026-11-19", ["rules.yaml:5:12: warning: 'x' counts as a draft: its last day was "
                        "2026-11-19 (remove the rule, or move the day)"]),
        ("tomorrow", ["rules.yaml:5:12: until: write a day such as 2026-12-31"]),
        ("2026-02-30", ["rules.yaml:5:12: until: write a day such as 2026-12-31"]),
        ("20261231", ["rules.yaml:5:12: until: write a day such as 2026-12-31"]),
        ("2026-12-31T10:00:00Z", ["rules.yaml:5:12: until: write a day such as 2026-12-31"]),
        ("[1]", ["rules.yaml:5:5: until: write a day such as 2026-12-31"]),
    ],
)  # fmt: skip
def test_a_day_that_has_passed_is_a_warning(linted: Linted, until: str, said: list[str]) -> None:
    assert told(linted, UNTIL.format(until=until)) == said


@pytest.mark.parametrize(
    ("survey", "answered_at", "fires"),
    [
        ("relationship", "2026-03-29T21:59:59+00:00", True),  # still the 29th in Madrid
        ("relationship", "2026-03-29T22:00:00+00:00", False),
        ("partners", "2026-03-30T03:59:59+00:00", True),  # and in New York
        ("partners", "2026-03-30T04:00:00+00:00", False),
        ("relationship", None, True),
    ],
)
def test_the_last_day_ends_where_the_survey_is_at_home(
    ruleset: Callable[..., Ruleset],
    facts: Callable[..., Facts],
    survey: str,
    answered_at: str | None,
    fires: bool,
) -> None:
    rules = ruleset(UNTIL.format(until="2026-03-29"))
    at = datetime.fromisoformat(answered_at) if answered_at else None
    given = facts(score=2, survey=survey).model_copy(update={"answered_at": at})
    assert bool(decide(rules, given).matches) is fires
    (report,) = explain(rules, given)
    over = "" if fires else "over after 2026-03-29: it would have matched"
    assert (report.fired, report.status, report.note) == (fires, "live" if fires else "draft", over)


def test_a_rule_that_is_over_stops_nothing_and_lets_default_run(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    rules = ruleset(
        """
        rules:
          - {id: a, until: 2026-03-29, when: {}, then: [{log: {}}], stop: true}
          - {id: b, when: {score: 9}, then: [{log: {}}]}
        default:
          then: [{slack.message: {channel: c, text: hello}}]
        """
    )

    def asked(**given: int) -> list[str]:
        late = {"answered_at": datetime(2026, 4, 1, tzinfo=UTC)}
        verdict = decide(rules, facts(**given).model_copy(update=late))
        return [m.rule_id for m in verdict.matches] + [i.rule_id for i in verdict.intents]

    assert asked(score=9) == ["b"]
    assert asked(score=1) == ["default"]
