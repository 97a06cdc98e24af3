"""Words under a language: in all their forms, in answers of that language alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from textwrap import dedent

import pytest

from connector.domain import Facts, Survey
from connector.rules.compare import compare
from connector.rules.decision_table import decision_table
from connector.rules.explain import explain
from connector.rules.lint import lint
from connector.rules.model import Loaded, Ruleset, RulesetText, Vocabulary
from connector.rules.stems import LANGUAGES, head, stem
from connector.rules.words import FORMS_SEARCHED, Finder, Word
from connector.text import fold

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RULE = """
    rules:
      - id: money
        when:
          comment: {mentions: %s}
        then: [{log: {}}]
"""


@pytest.mark.parametrize(
    ("language", "word", "text", "found"),
    [
        ("es", "reembolsar", "Me reembolsaron la mitad", True),
        ("es", "reembolso", "REEMBÓLSENME", False),  # the stemmer knows no such form
        ("es", "devolución", "quiero devoluciones", True),
        ("es", "devolución", "una devolucion", True),
        ("es", "cancelar la cuenta", "cancelé  la\ncuenta", True),
        ("es", "cancelar la cuenta", "cancelé. La cuenta sigue", False),
        ("pt", "reclamação", "fiz duas reclamações", True),
        ("pt", "reclamação", "reclamacao sem resposta", True),
        ("it", "consegna", "mai consegnato", True),
        ("en", "refund", "they refunded nothing", True),
        ("en", "refund", "prerefund", False),
        ("en", "can't log in", "I can\u2019t logging in", True),
        ("en", "refund*", "refundable", True),
        ("en", "refund*", "a refund", True),
        ("en", ":-(", "so sad :-(", True),
        ("en", "退款", "我要退款了", True),
    ],
)
def test_which_forms_are_found(language: str, word: str, text: str, found: bool) -> None:
    assert Word(word, language).is_in(fold(text), language) is found


def test_a_word_of_another_language_is_not_looked_for() -> None:
    word = Word("reembolso", "es")
    assert not word.is_in("reembolso", "pt")
    assert word.is_in("reembolso")  # in whatever language the text is


def test_a_plain_word_stays_as_it_is_written() -> None:
    assert not Word("refund").is_in("refunded", "en")


def test_forms_are_looked_for_at_the_beginning_of_a_long_text_only() -> None:
    text = "x " * (FORMS_SEARCHED // 2) + "refunds"
    word = Word("refund", "en")
    assert not word.is_in(text, "en")
    assert Finder([word], "en").find(text) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_stemmer_that_ends(language: str) -> None:
    assert stem(language, "refund")
    assert stem(language, "x" * 5_000) == "x" * 5_000


def test_a_form_begins_like_its_stem_also_where_a_y_becomes_an_i() -> None:
    assert head("dying") == head(stem("en", "dying"))
    assert Word("die", "en").is_in("dying", "en")


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (
            "{spanish: [reembolso]}",
            "4:28: comment: mentions: unknown language 'spanish' (did you mean 'es'?",
        ),
        ("{pt-BR: [estorno]}", "4:28: comment: mentions: unknown language 'pt-BR' (write pt: it"),
        ("{es: []}", "4:28: comment: mentions: must not be empty"),
        ("{es: [a, 5]}", "4:36: comment: mentions: must be text, not 5 (put it in quotes)"),
        ("{es: ['*']}", "4:33: comment: mentions: must hold a word to look for"),
        ("{es: [%s]}" % ("a" * 101), "must be at most 100 characters long"),
        ("{}", "comment: mentions: must not be empty (write a language and its words"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(
    load_rules: Callable[..., Loaded], wanted: str, problem: str
) -> None:
    [found] = load_rules(RULE % wanted).problems
    assert problem in str(found)


def test_an_unknown_language_names_all_that_there_are(load_rules: Callable[..., Loaded]) -> None:
    [found] = load_rules(RULE % "{xx: [a]}").problems
    assert f"allowed: {', '.join([*LANGUAGES, 'any'])}" in found.hint


def test_a_region_belongs_to_its_language(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    rules = ruleset(RULE % "{es: reembolsar, any: [chargeback]}")

    def matching(**given: str) -> list[int]:
        return rules.index.matching(facts(**given))

    assert matching(comment="reembolsos", language="es-MX") == [0]
    assert matching(comment="reembolsos", language="pt") == []
    assert matching(comment="Chargeback!", language="pt") == [0]
    assert matching(comment="chargebacks", language="es") == []
    assert matching(language="es") == []


def test_explain_shows_the_word_that_was_found(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    rules = ruleset(RULE % "{es: [cancelar, reembolsar], en: [refund]}")
    [report] = explain(rules, facts(comment="Me reembolsaron", language="es"))
    assert [str(one) for one in report.conditions] == [
        'comment mentions "es: reembolsar" +2 more: saw "Me reembolsaron"'
    ]
    [report] = explain(rules, facts(comment="Bien", language="es"))
    assert [str(one) for one in report.conditions] == [
        'comment mentions "es: cancelar", "es: reembolsar", "en: refund": saw "Bien"'
    ]


def test_table_and_diff_name_the_language(ruleset: Callable[..., Ruleset]) -> None:
    table = decision_table(ruleset(RULE % "{es: [reembolsar, devolver], any: ':-('}"))
    assert ("mentions es: reembolsar | es: devolver | :-(",) in table.rows[0]
    old, new = (
        RulesetText({"rules.yaml": RULE % words}) for words in ("{es: [a, b]}", "{es: [b], en: c}")
    )
    [change] = compare(old, new)
    assert change.lines == ('when: comment mentions: + "en: c", - "es: a"',)


def test_a_contradiction_between_words_by_language_is_only_said_where_it_is_sure(
    linted: Callable[..., list[str]],
) -> None:
    rule = """
        rules:
          - id: money
            name: Money
            owner: a@example.com
            when:
              comment: {mentions: {es: [reembolso]}}
              none: [{comment: {mentions: {%s: [reembolso]}}}]
            then: [{log: {}}]
    """
    assert any("can never fire" in one for one in linted(rule % "es"))
    assert not any("can never fire" in one for one in linted(rule % "it"))


def test_words_in_a_language_that_nobody_is_asked_in_are_a_warning(
    vocabulary: Vocabulary,
) -> None:
    surveys = {"nps": Survey(id="nps", language="es"), "old": Survey(id="old", language="pt-BR")}
    rules = dedent(RULE % "{es: [a], pt: [b], it: [c], sv: [d]}")
    files = {
        "rules.yaml": rules,
        "topics.yaml": "topics: {a: {it: [c]}}",
    }

    def told(surveys: dict[str, Survey]) -> list[str]:
        found = lint(RulesetText(files), replace(vocabulary, surveys=surveys), NOW)
        return [str(one) for one in found if "speaks" in one.message]

    [warning] = told(surveys)
    assert warning.startswith("rules.yaml:5:7: warning: 'money': comment is looked through for")
    assert "words in 'sv'" in warning
    assert warning.endswith("surveys, mails and topics speak es, it, pt)")
    assert told({"nps": Survey(id="nps")}) == []
