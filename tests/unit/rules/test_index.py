"""The index says of every rule exactly what reading it condition by condition says."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain import Facts, History, PastAnswer, Survey
from connector.rules.fields import OPERATORS, SEGMENTS, field_rule
from connector.rules.index import Index
from connector.rules.match import View, holds
from connector.rules.model import Condition, Group, GroupWord, Rule, Ruleset, Vocabulary
from connector.rules.operands import BadOperand, operand
from connector.rules.spans import SPANNED, spanned
from connector.rules.topics import DERIVED, TopicBook
from connector.rules.words import Finder, Word
from connector.text import fold

BOOKS = (
    TopicBook(
        topics={
            "delivery": (Word("late", "en"), Word("retraso", "es"), Word("app*")),
            "money": (Word("reembolsar", "es"), Word("refund", "en"), Word("refund policy")),
        },
        asks_for={"call": (Word("call me", "en"), Word("llamar", "es"))},
        complaint=(Word("bad", "en"), Word("roto", "es"), Word("scam")),
    ),
    TopicBook(topics={"delivery": (Word("refund"),)}, complaint=(Word("late", "en"),)),
)
VOCABULARY = Vocabulary(
    surveys={"nps": Survey(id="nps"), "old": Survey(id="old")},
    sources=("app", "shop"),
    attributes={"arr": "number", "vip": "flag"},
    book=BOOKS[0],
)
FIELDS = (
    *("score", "segment", "comment", "language", "survey", "source", "brand", "tags", "link"),
    *("history.answers", "history.previous_score", "history.previous_segment"),
    *("history.drop", "history.days_since_answer", "history.detractor_answers"),
    *("customer.plan", "customer.value", "customer.vip", "customer.arr", "customer.language"),
    *("company.plan", "properties.x", "properties.y"),
    *DERIVED,
)
FORMS = ("reembolsar", "dar de baja", "envío", "can't log in", "e-mail", "refund*", "late", "退款")
LANGUAGES = ("en", "es", "pt", "any")
WORDS = (
    *("refund", "Refund*", "re*", "refund policy", "not happy", "not happ*", "l'app"),
    *(
        "don\u2019t",
        "c++",
        "5%",
        ":-(",
        "退款",
        "中",
        "a中",
        "a_b",
        "naïve",
        "ß",
        "5",
        "x",
        "\ufb01ne",
    ),
)
TEXTS = (
    *("", "  ", "\n", "x", "X ", "5", "5.0", " 5 ", "-0", "true", "None", "é", "ß", "ss"),
    *("\u0301", "Refund!", "REFUNDS", "refuse", "prerefund", "my refund, policy"),
    *(
        "refund\u00a0\n policy",
        "not\thappy",
        "l\u2019app",
        "L'APP crashed",
        "don't",
        "i don\u2019t",
        "c++ and 5% :-(",
        "15%",
    ),
    *("我要退款了", "a中b", "b a_b", "a_bc", "NAÏVE", "naive…", "¿refund?", "\ufb01ne", "fine"),
    *(
        "enterprise",
        "Énterprise",
        "pt",
        "pt-BR",
        "PT_br",
        "pt-br-x",
        "ptb",
        "es",
        "promoter",
        "nps",
    ),
    *("Me reembolsaron tarde", "El ENVIO con retraso, roto", "I can\u2019t logging in", "e-mails"),
    *("refunded, late again", "late: reembolsos", "not bad", "bad", "nunca roto", "Don't call me"),
    *("call me. It is a scam", "dando de  baja", "dar, de baja", "lates apps refund policies"),
)
SCALARS = (
    *(None, True, False, 0, 1, 5, 5.0, 5.5, -3, 1e308, 10**400, float("nan"), float("-inf")),
    *TEXTS,
)
SPANS = (timedelta(days=1), timedelta(days=90), timedelta(hours=30))
GIVEN_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
NUMBERS = (0, 1, 2, 3, 5, 7, 9, 10, 5.5, -3)


def a_condition(chance: random.Random) -> Condition:
    field = field_rule(chance.choice(FIELDS), VOCABULARY)
    assert field
    operator = chance.choice(OPERATORS[field.type])
    while True:
        wanted = _wanted(chance, operator, field.choices if field.type == "topics" else ())
        try:
            probe = operand(field, operator, wanted, VOCABULARY)
        except BadOperand:
            operator = chance.choice(OPERATORS[field.type])
            continue
        name = field.name
        if name in SPANNED and chance.random() < 0.7:
            name = spanned(name, chance.choice(SPANS))
        book = chance.choice(BOOKS) if name in DERIVED else None
        return Condition(name, field.type, operator, wanted, probe, book)


def _wanted(chance: random.Random, operator: str, topics: tuple[str, ...] = ()) -> Any:
    if operator == "exists":
        return chance.random() < 0.5
    if operator == "mentions":
        if chance.random() < 0.5:
            return [chance.choice(WORDS) for _ in range(chance.randint(1, 3))]
        return {
            language: [chance.choice((*FORMS, *WORDS)) for _ in range(chance.randint(1, 3))]
            for language in chance.sample(LANGUAGES, chance.randint(1, 3))
        }
    if operator == "matches":
        return chance.choice(("re.?fund", "^x", "5$", "é", r"\bapp\b"))
    if operator == "between":
        return sorted((chance.choice(NUMBERS), chance.choice(NUMBERS)))
    values = topics or (*SEGMENTS, *NUMBERS, *TEXTS, True, False)
    if operator == "in" or (operator == "not" and chance.random() < 0.5):
        return [chance.choice(values) for _ in range(chance.randint(1, 3))]
    return chance.choice(values)


def a_group(chance: random.Random, depth: int) -> Group:
    words: tuple[GroupWord, ...] = ("all", "any", "none")
    return Group(chance.choice(words), tuple(_members(chance, depth, chance.randint(1, 3))))


def _members(chance: random.Random, depth: int, count: int) -> list[Condition | Group]:
    found: list[Condition | Group] = []
    for _ in range(count):
        deeper = depth > 0 and chance.random() < 0.35
        found.append(a_group(chance, depth - 1) if deeper else a_condition(chance))
    return found


def a_rule(chance: random.Random, number: int) -> Rule:
    """Three deep, where the file allows two: an item of several lines is a group too."""
    when = Group("all", tuple(_members(chance, 3, chance.randint(0, 3))))
    return Rule(f"r{number}", "", "", "live", when, (), False, (), (1, 1))


def some_facts(chance: random.Random) -> Facts:
    def scalars(*names: str) -> dict[str, Any]:
        return {name: chance.choice(SCALARS) for name in names if chance.random() < 0.8}

    return Facts(
        response_id="r",
        source=chance.choice(("app", "shop", "other")),
        survey=chance.choice(("nps", "old", "", "other")),
        brand=chance.choice(TEXTS),
        score=chance.choice((None, *range(11))),
        segment=chance.choice((None, *SEGMENTS)),  # type: ignore[arg-type]
        comment=chance.choice(TEXTS),
        language=chance.choice((*TEXTS, "en", "es", "es-mx", "en_GB", "es")),
        link=chance.choice((None, *TEXTS)),
        tags=tuple(chance.choice(TEXTS) for _ in range(chance.randint(0, 3))),
        properties=scalars("x", "y"),
        customer=scalars("plan", "value", "vip", "arr", "language"),
        company=scalars("plan"),
        history=History(
            answers=chance.randint(0, 3),
            previous_score=chance.choice((None, 0, 3, 9)),
            previous_segment=chance.choice((None, *SEGMENTS)),  # type: ignore[arg-type]
            past=tuple(_earlier(chance, days) for days in range(chance.randint(0, 4))),
        ),
        answered_at=chance.choice((None, GIVEN_AT)),
        decided_at=chance.choice((None, GIVEN_AT + timedelta(hours=1))),
    )


def _earlier(chance: random.Random, place: int) -> PastAnswer:
    scale = chance.choice(((0, 10), (1, 10), (None, None)))
    return PastAnswer(
        answered_at=GIVEN_AT - chance.choice((*SPANS, timedelta(0), timedelta(days=45 * place))),
        scale_low=scale[0],
        scale_high=scale[1],
        score=chance.choice((None, 0, 5, 9)),
        segment=chance.choice((None, *SEGMENTS)),  # type: ignore[arg-type]
    )


def compare(chance: random.Random, rules: int, facts: int) -> int:
    """How many rules held, so that a test can tell that it tested something."""
    ruleset = [a_rule(chance, number) for number in range(rules)]
    index, held = Index(ruleset), 0
    for _ in range(facts):
        seen = some_facts(chance)
        one_by_one = [n for n, rule in enumerate(ruleset) if holds(rule.when, View(seen))]
        assert index.matching(seen) == one_by_one, (seen, [rule.when for rule in ruleset])
        held += len(one_by_one)
    return held


@given(st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_index_agrees_with_the_conditions_read_one_by_one(chance: random.Random) -> None:
    compare(chance, rules=2, facts=2)


def test_it_agrees_on_thousands_of_rulesets() -> None:
    held = sum(compare(random.Random(seed), 1 + seed % 7, 4) for seed in range(2_000))
    assert held > 1_000


def test_it_agrees_where_the_rules_are_many() -> None:
    assert compare(random.Random("many"), 600, 20) > 1_000


@pytest.mark.parametrize("text", TEXTS)
def test_all_words_looked_for_at_once_are_those_found_one_by_one(text: str) -> None:
    folded = fold(text).strip()
    for language in ("", "en", "es"):
        words = [*map(Word, WORDS), *(Word(each, language) for each in (*FORMS, *WORDS))]
        found = {word.key for word in Finder(words, language).find(folded)}
        assert found == {word.key for word in words if word.is_in(folded, language)}


def test_conditions_on_one_field_in_one_rule_are_all_asked(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    index = ruleset("""
        rules:
          - id: both
            when:
              tags: {is: vip}
              comment: {mentions: slow}
              score: {at_least: 2, not: 5}
              all:
                - tags: {in: [beta, gamma]}
                - comment: {mentions: [app, site]}
            then: [{log: {}}]
    """).index
    given = {"tags": ["VIP", "beta"], "comment": "A slow app", "score": 3}
    assert index.matching(facts(**given)) == [0]
    for change in ({"tags": ["vip"]}, {"comment": "slow"}, {"score": 5}, {"score": 1}):
        assert index.matching(facts(**{**given, **change})) == []


def test_a_pattern_is_not_run_where_the_rest_of_the_rule_fails(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = ruleset("""
        rules:
          - id: order
            when: {segment: detractor, comment: {matches: "order ?[0-9]+"}}
            then: [{log: {}}]
    """).index
    assert index.matching(facts(score=3, comment="Order 12")) == [0]
    assert index.matching(facts(score=3, comment="Order")) == []
    monkeypatch.setattr("connector.rules.index.holds", None)
    assert index.matching(facts(score=9, comment="Order 12")) == []
    assert index.matching(facts(score=3)) == []


def test_only_some_of_the_values_that_came_are_remembered(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    """Names and addresses never end; what is remembered of them must."""
    index = ruleset("""
        rules:
          - id: gold
            when: {customer.plan: gold}
            then: [{log: {}}]
    """).index
    (column,) = index._first
    for number in range(3_000):
        assert index.matching(facts(customer={"plan": f"Plan {number}"})) == []
    assert len(column.ready) < 1_100
    for plan, rules in (("Plan 1", []), ("Plan 2999", []), ("GOLD", [0]), ("gold" * 99, [])):
        for _ in range(2):
            assert index.matching(facts(customer={"plan": plan})) == rules
    assert "gold" * 99 not in column.ready


@pytest.mark.parametrize("seen", [True, 1, "1", 1.0, 101, 0, -1, None])
def test_what_lies_ready_for_one_type_says_nothing_of_another(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts], seen: object
) -> None:
    wanted = ruleset("""
        rules:
          - {id: number, when: {properties.x: 1}, then: [{log: {}}]}
          - {id: few, when: {history.answers: {at_most: 1}}, then: [{log: {}}]}
          - {id: score, when: {score: {at_least: 1}}, then: [{log: {}}]}
    """)
    given: dict[str, Any] = {"properties": {"x": seen}}
    if type(seen) is int:
        given |= {"score": seen, "history": {"answers": max(seen, 0)}}
    some = facts(**given)
    for _ in range(2):
        held = [n for n, rule in enumerate(wanted.rules) if holds(rule.when, View(some))]
        assert wanted.index.matching(some) == held
