"""What is said to be impossible never happens, and what is shown as an example does hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.rules.examples import facts_of
from connector.rules.lint.answers import Answers
from connector.rules.lint.samples import sample
from connector.rules.load import load
from connector.rules.match import View, holds
from connector.rules.model import Group, RulesetText, Vocabulary
from connector.rules.patterns import expression
from connector.rules.written import GivenText

SCORES = st.integers(0, 10)
WORDS = st.sampled_from(["refund", "refund*", "call me", "x", "refunded"])
LINES = st.one_of(
    st.tuples(
        st.sampled_from(["score", "history.previous_score", "customer.value", "properties.a"]),
        st.one_of(
            SCORES,
            st.lists(SCORES, min_size=1, max_size=2),
            st.fixed_dictionaries({"at_most": SCORES}),
            st.fixed_dictionaries({"at_least": SCORES}),
            st.fixed_dictionaries({"not": SCORES}),
            st.just({"exists": False}),
        ),
    ),
    st.tuples(
        st.sampled_from(["segment", "history.previous_segment"]),
        st.sampled_from(
            ["promoter", "passive", "detractor", {"not": "promoter"}, {"exists": False}]
        ),
    ),
    st.tuples(st.just("survey"), st.sampled_from(["relationship", "partners", "stars"])),
    st.tuples(
        st.sampled_from(["history.answers", "history.detractor_answers", "history.open_cases"]),
        st.one_of(st.integers(0, 2), st.sampled_from([{"at_least": 1}, {"not": 0}])),
    ),
    st.tuples(
        st.sampled_from(["history.answers", "history.detractor_answers", "history.drop"]),
        st.fixed_dictionaries(
            {
                "within": st.sampled_from(["30d", "90d"]),
                "at_least": st.integers(0, 9),
            },
            optional={"not": st.integers(0, 2), "at_most": st.integers(0, 9)},
        ),
    ),
    st.tuples(
        st.sampled_from(["history.drop", "history.days_since_answer"]),
        st.sampled_from([0, 4, {"at_least": 8}, {"at_most": 3}, {"exists": False}]),
    ),
    st.tuples(
        st.just("history.previous_segment"),
        st.sampled_from([{"is": "promoter", "within": "30d"}, {"not": "passive", "within": "30d"}]),
    ),
    st.tuples(
        st.sampled_from(["comment", "customer.plan"]),
        st.one_of(
            st.fixed_dictionaries({"mentions": st.lists(WORDS, min_size=1, max_size=2)}),
            st.sampled_from(["refund", {"not": ["x", "refund"]}, {"exists": True}]),
        ),
    ),
    st.tuples(
        st.just("properties.a"),  # whatever was sent
        st.one_of(
            st.sampled_from(["5", [5, "x"], {"not": "x"}, {"not": ["x", 5]}, {"exists": True}]),
            st.sampled_from([{"matches": "f.n"}, {"mentions": "x"}]),
            st.fixed_dictionaries({"at_least": SCORES}),
            st.fixed_dictionaries({"at_most": SCORES, "at_least": SCORES}),
        ),
    ),
    st.tuples(st.just("language"), st.sampled_from(["es", "es-mx", {"not": "es"}, ["pt", "es"]])),
    st.tuples(st.just("tags"), st.sampled_from(["a", ["a", "b"], {"not": "a"}, {"exists": False}])),
)
FLAT = st.lists(LINES, min_size=1, max_size=3).map(dict)
WHEN = st.builds(
    lambda plain, word, lines: {**plain, word: lines},
    FLAT,
    st.sampled_from(["any", "none", "all"]),
    st.lists(FLAT, min_size=1, max_size=2),
)
TEXTS = st.sampled_from(["", "refund", "refunded", "a refund, call me", "x", "something"])
GIVEN = st.fixed_dictionaries(
    {
        "survey": st.sampled_from(["relationship", "partners", "stars"]),
        "score": st.one_of(st.none(), st.integers(1, 5)),
        "comment": TEXTS,
        "language": st.sampled_from(["en", "es", "es-mx", "pt"]),
        "tags": st.sampled_from([(), ("a",), ("b",), ("a", "b")]),
        "customer": st.fixed_dictionaries(
            {
                "plan": st.one_of(TEXTS, SCORES, st.just("7.5")),
                "value": st.one_of(st.none(), st.floats(-1, 11)),
            }
        ),
        "properties": st.fixed_dictionaries(
            {"a": st.one_of(st.none(), SCORES, TEXTS, st.just("7.5"))}
        ),
        "history": st.sampled_from(
            [
                {},
                {"open_cases": 1},
                {"answers": 1, "previous_score": 9, "previous_segment": "promoter"},
                {
                    "answers": 2,
                    "detractor_answers": 1,
                    "previous_score": 0,
                    "previous_segment": "detractor",
                },
                {"answers": 1, "previous_score": 5, "previous_segment": "passive"},
                {"past": [{"score": 5, "days_ago": 30}, {"score": 3, "days_ago": 30.01}]},
                {"past": [{"score": 2, "days_ago": 4}] * 8 + [{"days_ago": 3}]},
                {"past": [{"score": 5, "days_ago": 80}], "open_cases": 1},
                {"past": [{"score": 10, "days_ago": 9, "survey": "partners"}]},
            ]
        ),
    }
)


def read(when: dict[str, Any], vocabulary: Vocabulary) -> Group:
    import json

    rules = json.dumps({"rules": [{"id": "x", "when": when, "then": [{"log": {}}]}]})
    loaded = load(RulesetText({"rules.yaml": rules}), vocabulary)
    assert loaded.ruleset, [str(problem) for problem in loaded.problems]
    return loaded.ruleset.rules[0].when


@settings(max_examples=150, deadline=None)
@given(first=WHEN, second=WHEN, answers=st.lists(GIVEN, min_size=5, max_size=25))
def test_no_answer_disproves_what_was_said(
    vocabulary: Vocabulary,
    first: dict[str, Any],
    second: dict[str, Any],
    answers: list[dict[str, Any]],
) -> None:
    one, other = read(first, vocabulary), read(second, vocabulary)
    for wanted in ([(one, True)], [(one, True), (other, True)], [(one, True), (other, False)]):
        looking = Answers(vocabulary)
        if looking.satisfying(*wanted).impossible:
            assert not any(true_for(answer, wanted, vocabulary) for answer in answers)
        shown = looking.example(*wanted)
        assert shown is None or true_for(shown, wanted, vocabulary)


@pytest.mark.parametrize("refused", ["refund", ["x", "refund"], "refund, call me"])
def test_a_word_may_be_mentioned_where_the_word_alone_is_excluded(
    vocabulary: Vocabulary, refused: Any
) -> None:
    when = read(
        {"comment": {"mentions": "refund"}, "any": [{"comment": {"not": refused}}]}, vocabulary
    )
    shown = Answers(vocabulary).example((when, True))
    assert shown is not None
    assert true_for(shown, [(when, True)], vocabulary)


def test_a_text_is_neither_above_nor_below_a_number(vocabulary: Vocabulary) -> None:
    limits = [{"properties.a": {"at_least": 5}}, {"properties.a": {"at_most": 5}}]
    when = read({"properties.a": {"exists": True}, "none": limits}, vocabulary)
    shown = Answers(vocabulary).example((when, True))
    assert shown is not None
    assert true_for(shown, [(when, True)], vocabulary)


def true_for(answer: dict[str, Any], wanted: Any, vocabulary: Vocabulary) -> bool:
    view = View(facts_of(GivenText.model_validate(answer), vocabulary))
    return all(holds(when, view) is positive for when, positive in wanted)


@pytest.mark.parametrize(
    "pattern", [r"order\s*#?\d{4,8}", r"^(ref|money)und$", r"[^a-c]x+", r"(?:a|b)\w\W", "é.?"]
)
def test_a_sample_is_found_by_its_pattern(pattern: str) -> None:
    compiled = expression(pattern)
    text = sample(compiled)
    assert text
    assert compiled.search(text)


def test_where_no_sample_is_built_there_is_none() -> None:
    assert sample(expression(r"(?!a)a")) is None
