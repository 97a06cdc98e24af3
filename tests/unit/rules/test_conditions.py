"""When does a condition hold?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.domain import Facts
from connector.rules.decide import decide
from connector.rules.model import Ruleset

Fires = Callable[..., bool]


@pytest.fixture
def fires(ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]) -> Fires:
    """Does a rule with these conditions fire for this answer?"""

    def asked(when: str, **given: Any) -> bool:
        rules = f"rules:\n  - id: x\n    when: {{{when}}}\n    then: [{{log: {{}}}}]\n"
        return bool(decide(ruleset(rules), facts(**given)).matches)

    return asked


@pytest.mark.parametrize(
    ("survey", "score", "segment"),
    [
        ("relationship", 0, "detractor"),
        ("relationship", 6, "detractor"),
        ("relationship", 7, "passive"),
        ("relationship", 8, "passive"),
        ("relationship", 9, "promoter"),
        ("relationship", 10, "promoter"),
        ("partners", 1, "detractor"),
        ("partners", 4, "detractor"),
        ("partners", 5, "passive"),
        ("partners", 7, "passive"),
        ("partners", 8, "promoter"),
    ],
)
def test_segments_have_the_edges_of_their_survey(
    fires: Fires, survey: str, score: int, segment: str
) -> None:
    held = [
        each
        for each in ("promoter", "passive", "detractor")
        if fires(f"segment: {each}", survey=survey, score=score)
    ]
    assert held == [segment]


def test_a_rating_without_thresholds_has_no_segment(fires: Fires) -> None:
    assert fires("segment: {exists: false}", survey="stars", score=5)
    assert not fires("segment: [promoter, passive, detractor]", survey="stars", score=5)


def test_a_score_of_zero_is_a_score_and_no_score_is_not(fires: Fires) -> None:
    for when in ("score: 0", "score: {at_most: 0}", "score: {exists: true}", "segment: detractor"):
        assert fires(when, score=0)
        assert not fires(when)
    assert fires("score: {exists: false}")
    assert not fires("score: {exists: false}", score=0)


@pytest.mark.parametrize(
    ("when", "scores"),
    [
        ("score: {at_most: 6}", [0, 5, 6]),
        ("score: {at_least: 9}", [9, 10]),
        ("score: {between: [7, 8]}", [7, 8]),
        ("score: 7", [7]),
        ("score: {not: 7}", [0, 5, 6, 8, 9, 10]),
        ("score: {in: [0, 10]}", [0, 10]),
        ("score: [0, 10]", [0, 10]),
        ("score: {not: [0, 10]}", [5, 6, 7, 8, 9]),
        ("score: {at_least: 6, at_most: 8}", [6, 7, 8]),
        ("score: {at_least: 6, not: 7}", [6, 8, 9, 10]),
    ],
)
def test_number_operators_include_their_edges(fires: Fires, when: str, scores: list[int]) -> None:
    tried = (0, 5, 6, 7, 8, 9, 10)
    assert [score for score in tried if fires(when, score=score)] == scores


@pytest.mark.parametrize(
    ("words", "comment", "held"),
    [
        ("[refund]", "I want a REFUND!", True),
        ("[refund]", "refunded", False),
        ("['refund*']", "refunded", True),
        ("['refund*']", "prerefund", False),
        ("refund", "a refund", True),
        ("[devolucion]", "Quiero la devolución", True),
        ("[Devolución]", "quiero la DEVOLUCION", True),
        ("[money back]", "my money\n back, please", True),
        ("[money back]", "moneyback", False),
        ("[money back]", "money came back", False),
        ("[a, b, refund]", "refund", True),
        ("[refund]", "re-fund", False),
        ("[refund]", "non-refund-able", True),
        ("[don't]", "Don\u2019t call", True),
        ("['50%']", "only 50% off", True),
        ("[😡]", "malo😡😡", True),
        ("[退款]", "我要退款吧", True),
        ("['a.c']", "abc", False),
        ("['(x)']", "see (x) there", True),
        ("[baja]", "trabajar", False),
    ],
)
def test_mentions_finds_whole_words_whatever_their_case_and_accents(
    fires: Fires, words: str, comment: str, held: bool
) -> None:
    assert fires(f"comment: {{mentions: {words}}}", score=3, comment=comment) is held


def test_matches_is_a_regular_expression_on_the_original_text(fires: Fires) -> None:
    when = "comment: {matches: 'order \\s*#?\\d{4}'}"
    assert fires(when, comment="My Order #1234 is late")
    assert not fires(when, comment="My order #12")
    assert not fires("comment: {matches: devolucion}", comment="devolución")
    assert not fires("comment: {matches: refund}", comment="x" * 2000 + "refund")


def test_texts_are_compared_without_case_and_accents(fires: Fires) -> None:
    assert fires("customer.plan: enterprise", customer={"plan": " Enterprise "})
    assert fires("customer.company: Compania", customer={"company": "Compañía"})
    assert fires("customer.plan: [a, enterprise]", customer={"plan": "Enterprise"})
    assert not fires("customer.plan: enterprise", customer={"plan": "enterprise plus"})
    assert not fires("customer.plan: {not: enterprise}", customer={"plan": "ENTERPRISE"})


def test_a_language_includes_its_regions(fires: Fires) -> None:
    for when in ("language: pt", "language: [es, pt]", "language: pt-BR"):
        assert fires(when, language="pt-BR")
    assert fires("language: pt-br", language="pt_BR")
    assert fires("language: pt_BR", language="pt-br")
    assert not fires("language: pt-BR", language="pt")
    assert not fires("language: {not: pt}", language="pt-BR")
    assert fires("customer.language: es", customer={"language": "es-MX"})


def test_tags_are_a_set(fires: Fires) -> None:
    assert fires("tags: vip", tags=["beta", "VIP"])
    assert fires("tags: [vip, gold]", tags=["gold"])
    assert not fires("tags: {not: [vip, gold]}", tags=["gold", "x"])
    assert fires("tags: {not: vip}", tags=["x"])
    assert fires("tags: {exists: false}", tags=[])


def test_properties_are_compared_by_what_they_look_like(fires: Fires) -> None:
    for value in (5000, 5000.0, "5000", " 5000 "):
        assert fires("properties.mrr: {at_least: 5000}", properties={"mrr": value})
        assert fires("properties.mrr: 5000", properties={"mrr": value})
        assert fires("properties.mrr: '5000'", properties={"mrr": value})
    assert not fires("properties.mrr: {at_least: 1}", properties={"mrr": "unknown"})
    assert not fires("properties.mrr: {at_least: 1}", properties={"mrr": True})
    assert fires("properties.trial: true", properties={"trial": True})
    assert fires("properties.trial: true", properties={"trial": "True"})
    assert fires("properties.Order status: late", properties={"Order status": "LATE"})
    assert fires("properties.note: {mentions: [late]}", properties={"note": "Too late!"})


def test_declared_attributes_have_their_types(fires: Fires) -> None:
    assert fires("customer.arr: {at_least: 10}", customer={"arr": 10})
    assert fires("customer.vip: true", customer={"vip": True})
    assert not fires("customer.vip: true", customer={"vip": False})
    assert fires("company.value: {between: [1, 2]}", company={"value": 1.5})


def test_history_is_what_was_decided_before(fires: Fires) -> None:
    history = {"answers": 3, "detractor_answers": 1, "previous_score": 9, "open_cases": 0}
    for when in (
        "history.answers: {at_least: 3}",
        "history.detractor_answers: 1",
        "history.previous_score: 9",
        "history.previous_segment: promoter",
        "history.open_cases: 0",
    ):
        assert fires(when, score=3, history=history)
    assert fires("history.previous_score: {exists: false}", score=3)
    assert fires("history.answers: 0", score=3)


def test_survey_source_brand_and_link_can_be_asked(fires: Fires) -> None:
    given = {"survey": "partners", "source": "shop", "link": "https://example.com/1", "score": 1}
    assert fires("survey: partners, source: [app, shop], link: {mentions: [example.com]}", **given)
    assert not fires("survey: {not: partners}", **given)
    assert fires("brand: acme", score=1)


MISSING = {
    "customer.plan": ["x", "{not: x}", "{in: [x]}", "{mentions: [x]}", "{matches: x}"],
    "customer.value": ["1", "{not: 1}", "{at_most: 9}", "{at_least: -9}", "{between: [0, 9]}"],
    "score": ["1", "{not: 1}", "{at_most: 9}", "{at_least: 0}", "{between: [0, 9]}"],
    "segment": ["detractor", "{not: detractor}"],
    "tags": ["x", "{not: x}"],
    "properties.none": ["x", "{not: x}", "{at_most: 9}"],
    "history.previous_segment": ["passive", "{not: passive}"],
    "comment": ["{mentions: [x]}", "{not: x}"],
}


@pytest.mark.parametrize(
    ("field", "spec"), [(field, spec) for field, specs in MISSING.items() for spec in specs]
)
def test_a_missing_value_satisfies_only_not(fires: Fires, field: str, spec: str) -> None:
    assert fires(f"{field}: {spec}") is spec.startswith("{not")


@pytest.mark.parametrize("field", MISSING)
def test_a_missing_value_does_not_exist(fires: Fires, field: str) -> None:
    assert fires(f"{field}: {{exists: false}}")
    assert not fires(f"{field}: {{exists: true}}")
    assert fires(f"none: [{{{field}: {{exists: true}}}}]")


def test_empty_text_is_missing(fires: Fires) -> None:
    assert fires("comment: {exists: false}", comment="  \n")
    assert fires("customer.plan: {exists: false}", customer={"plan": ""})
    assert fires("customer.value: {exists: true}", customer={"value": 0})
    assert fires("customer.vip: {exists: true}", customer={"vip": False})


def test_every_line_must_hold(fires: Fires) -> None:
    when = "score: 3, comment: {mentions: [late]}"
    assert fires(when, score=3, comment="late")
    assert not fires(when, score=4, comment="late")
    assert not fires(when, score=3, comment="fine")


def test_groups_are_named(fires: Fires) -> None:
    two = "[{score: 1}, {comment: {mentions: [late]}}]"
    truth = {(1, "late"): (2,), (1, "ok"): (1,), (2, "late"): (1,), (2, "ok"): (0,)}
    for (score, comment), (count,) in truth.items():
        given = {"score": score, "comment": comment}
        assert fires(f"all: {two}", **given) is (count == 2)
        assert fires(f"any: {two}", **given) is (count > 0)
        assert fires(f"none: {two}", **given) is (count == 0)


def test_the_lines_of_one_item_belong_together(fires: Fires) -> None:
    when = "any: [{score: 1, comment: {mentions: [late]}}, {score: 2}]"
    assert fires(when, score=1, comment="late")
    assert not fires(when, score=1, comment="ok")
    assert fires(when, score=2, comment="ok")


def test_groups_may_be_two_deep(fires: Fires) -> None:
    when = "any: [{all: [{score: 1}, {comment: {exists: true}}]}, {none: [{score: {not: 9}}]}]"
    assert fires(when, score=1, comment="x")
    assert not fires(when, score=1)
    assert fires(when, score=9)


def test_no_condition_holds_always(fires: Fires) -> None:
    assert fires("")
