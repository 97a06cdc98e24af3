"""topics.yaml: what comments are about, what they ask for, and where words and score disagree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.domain import Facts, Verdict
from connector.rules.compare import compare
from connector.rules.decide import decide
from connector.rules.explain import explain
from connector.rules.files import read_directory
from connector.rules.model import Loaded, Ruleset, RulesetText
from connector.rules.past import light_facts
from connector.rules.topic_file import read_topics
from connector.rules.topics import TopicBook

TOPICS = """
topics:
  delivery: {en: [delivery, late], es: [envío]}
  price: {en: expensive, any: ["5%"]}
asks_for:
  quote: {en: [quote for], es: presupuesto}
  call: {en: [call me], es: [me llamen]}
complaint: {en: [bad, problem, broken], es: [falla, problema]}
"""
RULES = """
    rules:
      - id: late
        when: {topics: delivery}
        then: [{slack.message: {channel: c, text: "{{ topics | join(', ') }}"}}]
      - id: quote
        when: {asks_for: [quote, call]}
        then: [{slack.message: {channel: c, text: "{{ asks_for | join('+') }} {{ comment }}"}}]
      - id: odd
        when: {contradiction: true}
        then: [{log: {}}]
      - id: silent
        when: {topics: {exists: false}, asks_for: {exists: false}, contradiction: false}
        then: [{log: {}}]
"""
SHIPPED = Path(__file__).parents[3] / "config"


@pytest.fixture
def verdict(ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]) -> Callable[..., Verdict]:
    rules = ruleset(RULES, {"topics.yaml": TOPICS})
    return lambda **given: decide(rules, facts(**given))


def fired(verdict: Verdict) -> list[str]:
    return [match.rule_id for match in verdict.matches]


def test_topics_and_requests_are_kept_in_the_verdict_and_printed(
    verdict: Callable[..., Verdict],
) -> None:
    found = verdict(score=4, comment="Late deliveries, 5% off: call me, with a quote for 40 seats")
    assert fired(found) == ["late", "quote"]
    assert found.topics == ("delivery", "price")
    assert found.flags == ("asks_for:quote", "asks_for:call")
    assert found.intents[0].params["text"] == "delivery, price"
    assert str(found.intents[1].params["text"]).startswith("quote+call Late")


def test_where_nothing_is_said_nothing_is_claimed(verdict: Callable[..., Verdict]) -> None:
    for given in ({"score": 3}, {"score": 9, "comment": "Fine"}, {"comment": " "}):
        found = verdict(**given)
        assert (found.topics, found.flags, found.complaints) == ((), (), ())
        assert fired(found) == ["silent"]


@pytest.mark.parametrize(
    ("comment", "language", "words"),
    [
        ("It was broken", "en", ("en: broken",)),
        ("Not bad", "en", ()),
        ("It was not at all bad", "en", ()),
        ("It was not what I would call bad", "en", ("en: bad",)),
        ("Isn\u2019t it bad", "en", ()),
        ("It doesn't look bad", "en", ()),
        ("No problem, but bad mood", "en", ("en: bad",)),
        ("No. Problems everywhere", "en", ("en: problem",)),
        ("not bad, really bad", "en", ("en: bad",)),
        ("Nunca falla", "es", ()),
        ("sin ningún problema", "es", ()),
        ("Fallan siempre", "es", ("es: falla",)),
        ("falla", "en", ()),
    ],
)
def test_a_ten_with_words_of_complaint_is_a_contradiction_but_not_behind_a_no(
    verdict: Callable[..., Verdict], comment: str, language: str, words: tuple[str, ...]
) -> None:
    found = verdict(score=10, comment=comment, language=language)
    assert found.complaints == words
    assert ("contradiction" in found.flags) is bool(words)
    assert ("odd" in fired(found)) is bool(words)


def test_only_a_promoters_score_contradicts(verdict: Callable[..., Verdict]) -> None:
    for given in ({"score": 8}, {"score": 2}, {}, {"score": 5, "survey": "stars"}):
        assert verdict(comment="bad", **given).flags == ()


def test_who_does_not_want_to_be_called_does_not_ask_for_it(
    verdict: Callable[..., Verdict],
) -> None:
    assert verdict(comment="Please do not call me").flags == ()
    assert verdict(comment="Don't call me. Well, call me").flags == ("asks_for:call",)
    assert verdict(comment="I never got the quote for 40 seats").flags == ("asks_for:quote",)


def test_kept_facts_give_the_same_when_they_are_replayed(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    rules = ruleset(RULES, {"topics.yaml": TOPICS})
    whole = facts(score=10, comment="bad and late")
    light = light_facts(whole.model_dump(mode="json"))
    assert rules.index.matching(light) == rules.index.matching(whole) == [0, 2]


def test_explain_shows_the_words(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    rules = ruleset(RULES, {"topics.yaml": TOPICS})
    reports = explain(rules, facts(score=10, comment="late, expensive and bad"))
    assert [str(report.conditions[0]) for report in reports] == [
        'topics is "delivery": saw "delivery", "price" ("en: late", "en: expensive")',
        'asks_for is one of "quote", "call": saw nothing',
        'contradiction is true: saw true ("en: bad")',
        'topics is missing: saw "delivery", "price" ("en: late", "en: expensive")',
    ]


def test_a_topic_that_does_not_exist_is_a_mistake(load_rules: Callable[..., Loaded]) -> None:
    rules = "rules: [{id: a, when: {topics: delivry}, then: [{log: {}}]}]"
    [problem] = load_rules(rules, {"topics.yaml": TOPICS}).problems
    assert "'delivry' is not allowed" in problem.message
    assert problem.hint == "did you mean 'delivery'?; allowed: delivery, price"
    [problem] = load_rules(rules).problems
    assert problem.hint == "allowed: none is declared in topics.yaml"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("topics: {a: {es: []}}", "topics.yaml:1:14: topics.a: must not be empty"),
        ("topics: {a: {}}", "topics.yaml:1:10: topics.a: must not be empty"),
        ("topics: {A b: x}", "topics.yaml:1:10: 'A b' cannot be a name"),
        ("topics: {a: {englisch: x}}", "topics.yaml:1:14: topics.a: unknown language 'englisch'"),
        ("complaint: {en: [x, 3]}", "topics.yaml:1:21: complaint: must be text, not 3"),
        ("topic: {a: x}", "topics.yaml:1:1: unknown key 'topic' (did you mean 'topics'?"),
        ("topics: {a: [x}", "topics.yaml:1:"),
        ("", "topics.yaml:1:1: the file is empty"),
    ],
)
def test_a_mistake_in_the_file_is_told_once_and_keeps_the_rules_from_loading(
    load_rules: Callable[..., Loaded], text: str, problem: str
) -> None:
    rules = "rules: [{id: a, when: {topics: other}, then: [{log: {}}]}]"
    loaded = load_rules(rules, {"topics.yaml": text})
    assert loaded.ruleset is None
    [found] = loaded.problems
    assert problem in str(found)


def test_the_words_belong_to_the_ruleset(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: []")
    without = read_directory(tmp_path / "rules.yaml", tmp_path / "none")
    (tmp_path / "topics.yaml").write_text("topics: {a: x}")
    text = read_directory(tmp_path / "rules.yaml", tmp_path / "none")
    assert list(text.files) == ["rules.yaml", "topics.yaml"]
    assert text.hash != without.hash
    [change] = compare(without, text)
    assert (change.what, change.of) == ("added", "topics.yaml")
    after = RulesetText({**text.files, "topics.yaml": "topics: {a: [x, y], b: {es: z}}"})
    [change] = compare(text, after)
    assert change.lines == ('topics.a: "x" -> ["x", "y"]', 'topics.b: nothing -> {es: "z"}')


def test_the_past_makes_no_fuss_about_what_is_no_fact(
    linted: Callable[..., list[str]], facts: Callable[..., Facts]
) -> None:
    found = linted(RULES, {"topics.yaml": TOPICS}, answers=[facts(score=3)] * 30)
    assert not [one for one in found if "none of the" in one]


def test_what_no_comment_can_say_at_once_is_found(linted: Callable[..., list[str]]) -> None:
    rule = """
        rules:
          - id: a
            name: A
            owner: a@example.com
            when: {%s}
            then: [{log: {}}]
    """
    for when in (
        "topics: delivery, none: [{topics: [delivery, price]}]",
        "contradiction: true, score: {at_most: 6}",
    ):
        assert any("can never fire" in one for one in linted(rule % when, {"topics.yaml": TOPICS}))


def test_two_rules_that_want_one_case_are_shown_with_a_comment(
    linted: Callable[..., list[str]],
) -> None:
    found = linted(
        """
        rules:
          - id: slow
            name: Slow
            owner: a@example.com
            when: {topics: delivery}
            then: [{zendesk.ticket: {priority: normal}}]
          - id: quick
            name: Quick
            owner: a@example.com
            when: {asks_for: quote}
            then: [{zendesk.ticket: {priority: urgent}}]
        """,
        {"topics.yaml": TOPICS},
    )
    assert any('comment: "delivery; quote for"' in one for one in found), found


@pytest.fixture(scope="module")
def shipped() -> TopicBook:
    book, problems = read_topics(
        RulesetText({"topics.yaml": (SHIPPED / "topics.yaml").read_text("utf-8")})
    )
    assert problems == []
    return book


# Written after the list: what it finds and what it leaves alone, also where it could be better.
@pytest.mark.parametrize(
    ("language", "comment", "topics", "flags"),
    [
        ("en", "The courier left my parcels in the rain", ("delivery",), ()),
        ("en", "I was charged twice in May", ("billing",), ()),
        ("en", "Nobody from support ever replied", ("support",), ()),
        ("en", "The app keeps crashing when I log in", ("reliability",), ()),
        ("en", "Could somebody get in touch about more licences?", (), ("quote", "call")),
        ("es", "Los envíos siempre llegan con retrasos", ("delivery",), ()),
        ("es", "Carísimo, y me cobraron de más", ("price", "billing"), ()),
        ("es", "¿Pueden mandarme presupuestos?", (), ("quote",)),
        ("es", "Quiero que me llamen mañana", (), ("call",)),
        ("es", "Me doy de baja en cuanto pueda", (), ()),  # "doy" is no form that is known
        ("it", "Il pacco è arrivato in ritardo", ("delivery",), ()),
        ("it", "Prezzi troppo alti, fatture sbagliate", ("price", "billing"), ()),
        ("it", "Vorrei ricevere un preventivo", (), ("quote",)),
        ("pt", "As entregas atrasaram outra vez", ("delivery",), ()),
        ("pt", "O atendimento é fraco", ("support",), ()),
        ("pt", "Preciso de um orçamento, me liguem", (), ("quote", "call")),
        ("pt", "Gosto muito", (), ()),
    ],
)
def test_the_shipped_words(
    shipped: TopicBook,
    facts: Callable[..., Facts],
    language: str,
    comment: str,
    topics: tuple[str, ...],
    flags: tuple[str, ...],
) -> None:
    heard = shipped.heard(facts(score=7, comment=comment, language=language))
    assert (heard.topics, heard.asks_for) == (topics, flags)
