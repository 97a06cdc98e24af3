"""Scores and segments for which no rule stands ready."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Linted = Callable[..., list[str]]
CURE = "an answer of which nothing else is known gets only 'default': add a rule for it"
LOG = "\ndefault: {then: [{log: {}}]}\n"


def gaps(linted: Linted, *whens: str, default: str = LOG) -> list[str]:
    rules = "".join(
        f"  - {{id: r{number}, name: R, owner: o, when: {{{when}}}, then: [{{log: {{}}}}]}}\n"
        for number, when in enumerate(whens)
    )
    found = linted(f"rules:\n{rules}{default}")
    return [said.removesuffix(f" ({CURE})") for said in found if "no rule covers" in said]


def test_a_hole_in_a_segment_is_a_warning(linted: Linted) -> None:
    assert gaps(linted, "score: {at_most: 3}", "score: {at_least: 5}") == [
        "rules.yaml:5:1: warning: no rule covers score 4 (detractor) of relationship, partners; "
        "score 4 of stars"
    ]


def test_a_segment_for_which_nothing_is_done_is_a_note_where_there_is_a_default(
    linted: Linted,
) -> None:
    whens = ("segment: [promoter, detractor]", "survey: stars")
    told = "no rule covers scores 7-8 (passive) of relationship; scores 5-7 (passive) of partners"
    assert gaps(linted, *whens) == [f"rules.yaml:5:1: note: {told}"]
    assert gaps(linted, *whens, default="") == [
        f"rules.yaml:1:1: warning: {told} ({CURE}, or write 'default: {{then: [{{log: {{}}}}]}}')"
    ]


def test_a_default_that_does_something_covers_everything(linted: Linted) -> None:
    alert = "\ndefault: {then: [{slack.message: {channel: c, text: hello}}]}\n"
    assert gaps(linted, "segment: detractor", default=alert) == []


@pytest.mark.parametrize(
    ("more", "covered"),
    [
        ("", True),
        (", language: en", True),  # a survey's own language
        (", customer.plan: {not: pro}", True),
        (", history.answers: 0", True),
        (", comment: {exists: true}", False),
        (", customer.plan: pro", False),
        (", history.answers: {at_least: 1}", False),
    ],
)
def test_a_rule_that_wants_more_than_a_score_covers_nobody_of_whom_nothing_is_known(
    linted: Linted, more: str, covered: bool
) -> None:
    whens = ("segment: [promoter, passive]", "survey: stars", f"segment: detractor{more}")
    assert (gaps(linted, *whens) == []) is covered


def test_a_survey_without_segments_is_covered_by_any_rule_that_may_match(linted: Linted) -> None:
    all_segments = "segment: {exists: true}"
    assert gaps(linted, all_segments, "comment: {mentions: refund}") == []
    assert gaps(linted, all_segments) == [
        "rules.yaml:4:1: note: no rule covers scores 1-5 of stars"
    ]
    assert gaps(linted, all_segments, "survey: stars, score: [1, 3]") == [
        "rules.yaml:5:1: warning: no rule covers scores 2, 4-5 of stars"
    ]


def test_only_live_rules_cover(linted: Linted) -> None:
    rules = """
        rules:
          - {id: a, name: A, owner: o, when: {}, then: [{log: {}}], status: shadow}
          - {id: b, name: B, owner: o, when: {}, then: [{log: {}}], until: 2026-11-01}
          - {id: c, name: C, owner: o, when: {segment: passive}, then: [{log: {}}]}
        default: {then: [{log: {}}]}
        """
    assert any("0-6 (detractor) and 9-10 (promoter) of relationship" in s for s in linted(rules))


def test_nothing_is_said_of_gaps_while_a_rule_cannot_be_read(linted: Linted) -> None:
    assert gaps(linted, "scroe: 3") == []
