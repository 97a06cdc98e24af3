"""Text with `{{ … }}`: what is filled in, what is refused, what is only warned about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.domain import EarlierAnswer, Facts
from connector.rules.decide import decide
from connector.rules.model import Loaded, Ruleset, Vocabulary
from connector.rules.template_check import compile_template
from connector.rules.templates import CannotRender, context_of

Render = Callable[..., str]


@pytest.fixture
def render(vocabulary: Vocabulary, facts: Callable[..., Facts]) -> Render:
    def rendered(source: str, html: bool = False, changed: Any = None, **given: Any) -> str:
        template, remarks = compile_template(source, vocabulary, html)
        assert template, remarks
        answer = facts(**given).model_copy(update=changed or {})
        return template.render(context_of(answer))

    return rendered


def remarks(vocabulary: Vocabulary, source: str) -> list[str]:
    template, found = compile_template(source, vocabulary)
    assert (template is None) is bool(found)
    return [f"{each.line}: {each.message}" for each in found]


@pytest.mark.parametrize(
    ("source", "given", "text"),
    [
        ("NPS {{ score }}", {"score": 0}, "NPS 0"),
        ("{{ score | default('-') }}", {}, "-"),
        ("{{ score | default('-') }}", {"score": 0}, "0"),
        ("{{ customer.name | default('there') }}", {"customer": {"name": " "}}, "there"),
        ("{{ customer.vip | default('?') }}", {"customer": {"vip": False}}, "False"),
        ("{{ customer.value }}", {"customer": {"value": 50000.0}}, "50000"),
        ("{{ customer.value | round(1) }}", {"customer": {"value": 0.25}}, "0.2"),
        ("{{ customer['name'] }}", {"customer": {"name": "Ana"}}, "Ana"),
        ("{{ properties['Order status'] }}", {"properties": {"Order status": "late"}}, "late"),
        ("{{ properties.items }}", {"properties": {"items": 3}}, "3"),
        (
            "{{ comment | trim | truncate(9) | upper }}",
            {"comment": "  slow slow slow"},
            "SLOW SLO…",
        ),
        ("{{ tags | join(', ') }}", {"tags": ["a", "b"]}, "a, b"),
        ("{% for tag in tags %}<{{ tag }}>{% endfor %}", {"tags": ["a", "b"]}, "<a><b>"),
        ("{% if customer.name %}x{% else %}y{% endif %}", {}, "y"),
        ("{% if customer.plan == 'pro' %}x{% else %}y{% endif %}", {}, "y"),
        ("{{ 'a' if tags else 'b' }}", {}, "b"),
        ("{{ 'NPS ' ~ score }}", {"score": 3}, "NPS 3"),
        ("{{ survey_name }}/{{ brand }}", {}, "Relationship NPS/Acme"),
        ("{{ history.answers }}", {}, "0"),
        ("{# a note #}x", {}, "x"),
    ],
)
def test_what_is_filled_in(render: Render, source: str, given: dict[str, Any], text: str) -> None:
    assert render(source, **given) == text


def test_times_are_dates_in_utc(render: Render) -> None:
    changed = {"answered_at": datetime(2026, 3, 1, 23, 30, tzinfo=UTC)}
    assert render("{{ answered_at | date }}", changed=changed) == "2026-03-01"
    assert render("{{ answered_at | date('%d/%m/%Y') }}", changed=changed) == "01/03/2026"
    assert render("{{ answered_at | default('-') }}") == "-"


def test_earlier_answers_can_be_listed(render: Render, facts: Callable[..., Facts]) -> None:
    earlier = (
        EarlierAnswer(answered_at=None, survey="relationship", score=9, segment="promoter"),
        EarlierAnswer(answered_at=None, survey="stars", score=0, segment=None, comment="late"),
    )
    history = facts().history.model_copy(update={"earlier": earlier})
    source = (
        "{% for answer in history.earlier %}"
        "{{ answer.survey }} {{ answer.score }} {{ answer.comment | default('-') }};"
        "{% endfor %}"
    )
    assert render(source, changed={"history": history}) == "relationship 9 -;stars 0 late;"


def test_what_a_customer_writes_is_never_a_template(render: Render) -> None:
    hostile = "{{ 7*7 }}{% for x in [1] %}{{ score }}{% endfor %}{{ ''.__class__ }}"
    assert render("Said: {{ comment }}", comment=hostile) == f"Said: {hostile}"


def test_html_is_escaped_and_plain_text_is_not(render: Render) -> None:
    hostile = "<script>alert('x')</script> & \"more\""
    given = {"comment": hostile, "customer": {"name": "<b>"}, "tags": ["<i>"]}
    source = "{{ comment }} {{ customer.name | upper }} {{ tags | join('<') }}"
    assert render(source, html=True, **given) == (
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;more&#34; &lt;B&gt; &lt;i&gt;"
    )
    assert render("{{ comment }}", **given) == hostile


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("{{ customer.name }}", "customer.name"),
        ("Hi {{ customer.name | upper }}", "customer.name"),
        ("{{ score }}", "score"),
        ("{{ comment | truncate(5) }}", "comment"),
        ("{{ history.previous_score }}", "history.previous_score"),
        ("{{ properties.plan ~ 'x' }}", "properties.plan"),
        ("{{ answered_at | date }}", "answered_at"),
    ],
)
def test_a_missing_value_is_named_and_not_printed(render: Render, source: str, name: str) -> None:
    with pytest.raises(CannotRender, match=f"{name} is empty"):
        render(source, comment="  ")


def test_a_value_of_the_wrong_type_is_told_without_showing_it(render: Render) -> None:
    with pytest.raises(CannotRender) as caught:
        render("{{ customer.name | round }}", customer={"name": "Ana"})
    assert "Ana" not in str(caught.value)


def test_the_text_is_limited(render: Render) -> None:
    with pytest.raises(CannotRender, match="longer than 100000"):
        render("{{ comment }}{{ comment }}", comment="x" * 60_000)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ scor }}", "1: template: unknown variable 'scor'"),
        ("a\nb {{ customer.nmae }}", "2: template: unknown variable 'customer.nmae'"),
        ("{{ customer }}", "1: template: 'customer' is a group"),
        ("{{ tags }}", "1: template: 'tags' is a list"),
        ("{{ history.earlier | join }}", "1: template: 'history.earlier' is a list"),
        ("{{ score | safe }}", "1: template: unknown filter 'safe'"),
        ("{{ score.real }}", "1: template: unknown variable 'score.real'"),
        ("{{ comment.__class__ }}", "1: template: unknown variable 'comment.__class__'"),
        ("{{ comment[0] }}", "1: template: unknown variable 'comment.0'"),
        ("{{ range(9) }}", "1: template: 'call' is not allowed"),
        ("{{ comment.upper() }}", "1: template: 'call' is not allowed"),
        ("{{ score * 9 }}", "1: template: 'mul' is not allowed"),
        ("{{ 'x' ** 9 }}", "1: template: 'pow' is not allowed"),
        ("{{ [1, 2] }}", "1: template: 'list' is not allowed"),
        ("{% set x = 1 %}", "1: template: 'assign' is not allowed"),
        ("{% include 'x' %}", "1: template: 'include' is not allowed"),
        ("{% extends 'x' %}", "1: template: 'extends' is not allowed"),
        ("{% import 'x' as y %}", "1: template: 'import' is not allowed"),
        ("{% macro m() %}{% endmacro %}", "1: template: 'macro' is not allowed"),
        ("{% for x in comment %}{% endfor %}",
         "1: template: a for may only go over a list of facts"),
        ("{% for x in tags %}{% for y in tags %}{% endfor %}{% endfor %}",
         "1: template: a for may not stand inside another"),
        ("{% for x in tags %}{{ x.y }}{% endfor %}", "1: template: unknown variable 'x.y'"),
        ("{% for a in history.earlier %}{{ a.mail }}{% endfor %}",
         "1: template: unknown variable 'a.mail'"),
        ("{% for x in tags %}{% endfor %}{{ x }}", "1: template: unknown variable 'x'"),
        ("a\n\n{{ score", "3: template: unexpected end of template"),
        ("{% if score %}", "1: template: Unexpected end of template"),
        ("{{ 'a' is divisibleby 2 }}", "1: template: unknown test"),
    ],
)  # fmt: skip
def test_what_is_refused_when_it_is_loaded(
    vocabulary: Vocabulary, source: str, message: str
) -> None:
    assert remarks(vocabulary, source)[0].startswith(message)


def warnings(loaded: Loaded) -> list[str]:
    return [str(problem) for problem in loaded.problems if problem.severity == "warning"]


RULE = """\
rules:
  - id: x
    when: {{{when}}}
    then:
      - slack.message: {{channel: "#cx", text: "{text}"}}
"""


@pytest.mark.parametrize(
    ("when", "text", "warned"),
    [
        ("score: 3", "{{ score }}", []),
        ("segment: detractor", "{{ score }} {{ segment }}", []),
        ("comment: {mentions: [x]}", "{{ comment }} {{ score }}", ["score"]),
        ("score: 3", "{{ customer.name }}", ["customer.name"]),
        ("score: 3", "{{ customer.name | default('x') }}", []),
        ("score: 3", "{{ customer.name | upper | default('x') }}", ["customer.name"]),
        ("customer.name: {exists: true}", "{{ customer.name }}", []),
        ("customer.name: {exists: false}", "{{ customer.name }}", ["customer.name"]),
        ("customer.name: {not: Ana}", "{{ customer.name }}", ["customer.name"]),
        ("any: [{customer.name: Ana}]", "{{ customer.name }}", ["customer.name"]),
        ("all: [{customer.name: Ana}]", "{{ customer.name }}", []),
        ("score: 3", "{% if customer.name %}{{ customer.name }}{% endif %}", []),
        ("score: 3", "{% if customer.name and link %}{{ customer.name }}{% endif %}", []),
        ("score: 3", "{% if customer.name or link %}{{ link }}{% endif %}", ["link"]),
        ("score: 3", "{% if not link %}{{ link }}{% endif %}", ["link"]),
        ("score: 3", "{% if link %}{% else %}{{ link }}{% endif %}", ["link"]),
        ("score: 3", "{{ link if link is defined else '-' }}", []),
        ("score: 3", "{{ history.answers }} {{ survey }} {{ language }} {{ source }}", []),
        ("score: 3", "{{ history.previous_score }}", ["history.previous_score"]),
        ("score: 3", "{{ properties.x }} {{ properties.x }}", ["properties.x"]),
    ],
)
def test_what_can_be_empty_is_warned_about(
    load_rules: Callable[..., Loaded], when: str, text: str, warned: list[str]
) -> None:
    loaded = load_rules(RULE.format(when=when, text=text))
    assert loaded.ruleset
    expected = [
        f"rules.yaml:5:47: warning: template: {name} can be empty "
        f"(write {{{{ {name} | default('…') }}}})"
        for name in warned
    ]
    assert [each for each in warnings(loaded) if each.startswith("rules.yaml")] == expected


MAILING = """\
rules:
  - id: x
    when: {segment: promoter}
    then: [{email.thank_you: {template: thanks}}]
"""


def test_the_usual_text_of_a_kind_is_not_this_authors_to_mend(
    load_rules: Callable[..., Loaded],
) -> None:
    rules = "rules:\n  - {id: x, when: {survey: stars}, then: [{zendesk.ticket: {}}]}\n"
    assert load_rules(rules, {"templates/thank_you/en.txt": "Subject: a\n\nb\n"}).problems == ()


def test_mails_are_chosen_by_language(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    files = {
        f"templates/thanks/{name}.txt": f"Subject: {name}\n\nHello {{{{ score }}}}\n"
        for name in ("en", "pt", "pt-BR", "es")
    }
    files["templates/thanks/es.html"] = "<p>{{ comment | default('<>') }}</p>"
    rules = ruleset(MAILING, files)
    chosen = {}
    for language in ("en", "pt-BR", "pt_br", "pt-PT", "es-MX", "fr", "EN"):
        (intent,) = decide(rules, facts(score=9, language=language)).intents
        chosen[language] = intent.params["rendered"]["subject"]  # type: ignore[index]  # a map
    assert chosen == {
        "en": "en", "pt-BR": "pt-BR", "pt_br": "pt-BR", "pt-PT": "pt", "es-MX": "es",
        "fr": "en", "EN": "en",
    }  # fmt: skip
    (intent,) = decide(rules, facts(score=9, comment="<b>", language="es")).intents
    assert intent.params["rendered"] == {
        "subject": "es",
        "text": "Hello 9\n",
        "html": "<p>&lt;b&gt;</p>",
        "language": "es",
    }


def test_without_english_the_first_language_stands_in(
    load_rules: Callable[..., Loaded], facts: Callable[..., Facts]
) -> None:
    files = {
        "templates/thanks/it.txt": "Subject: a\n\nCiao\n",
        "templates/thanks/es.txt": "Subject: b\n\nHola\n",
    }
    loaded = load_rules(MAILING, files)
    assert (
        "templates/thanks/es.txt:1:1: warning: thanks has no en.txt (other languages get es)"
        in (warnings(loaded))
    )
    assert loaded.ruleset
    (intent,) = decide(loaded.ruleset, facts(score=9, language="fr")).intents
    assert intent.params["rendered"]["language"] == "es"  # type: ignore[index]  # a map


def test_a_subject_is_one_line(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    rules = ruleset(MAILING, {"templates/thanks/en.txt": "Subject: {{ comment }}\n\nx\n"})
    answer = facts(score=9, comment="Hi\r\nBcc: everybody@example.com")
    (intent,) = decide(rules, answer).intents
    subject = intent.params["rendered"]["subject"]  # type: ignore[index]  # a map
    assert subject == "Hi Bcc: everybody@example.com"


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("thanks/en.txt", "Hello\n\nx", "thanks/en.txt:1:1: the first line must be 'Subject: …'"),
        ("thanks/en.txt", "Subject:\n\nx", "thanks/en.txt:1:1: the first line must be "
         "'Subject: …'"),
        ("thanks/en.txt", "Subject: a\nx\n", "thanks/en.txt:2:1: the second line must be empty "
         "(the text begins in line 3)"),
        ("thanks/en.txt", "Subject: a\n\n", "thanks/en.txt:3:1: the text is missing"),
        ("thanks/en.txt", "Subject: {{ x }}\n\nb", "thanks/en.txt:1:1: template: unknown "
         "variable 'x'"),
        ("thanks/en.txt", "Subject: a\n\nb\n{{ x }}", "thanks/en.txt:4:1: template: unknown "
         "variable 'x'"),
        ("thanks/fr.html", "<p>", "thanks/fr.html:1:1: the plain text is missing "
         "(write templates/thanks/fr.txt too)"),
        ("thanks/en.html", "<p>\n{{ x }}", "thanks/en.html:2:1: template: unknown variable 'x'"),
        ("thanks/english.txt", "x", "thanks/english.txt:1:1: this is no place for a mail "
         "template (allowed: templates/NAME/LANGUAGE.txt and .html, such as "
         "templates/thanks/en.txt)"),
    ],
)  # fmt: skip
def test_a_wrong_mail_is_told_at_its_line(
    load_rules: Callable[..., Loaded], file: str, text: str, message: str
) -> None:
    files = {"templates/thanks/en.txt": "Subject: a\n\nb\n", f"templates/{file}": text}
    errors = [str(p) for p in load_rules("rules: []", files).problems if p.severity == "error"]
    assert [error.split(" (allowed: score")[0] for error in errors] == [f"templates/{message}"]


def test_what_can_be_empty_in_a_mail_is_judged_by_the_rules_that_send_it(
    load_rules: Callable[..., Loaded],
) -> None:
    text = "Subject: {{ score }}\n\nHello {{ customer.name }}\n{{ link }}\n"
    files = {"templates/thanks/en.txt": text, "templates/thanks/en.html": "{{ customer.name }}"}
    rules = MAILING.replace("segment: promoter", "segment: promoter, link: {exists: true}")
    assert [each.split(": template: ")[0] for each in warnings(load_rules(rules, files))] == [
        "templates/thanks/en.html:1:1: warning",
        "templates/thanks/en.txt:3:1: warning",
    ]
    more = (
        "  - {id: y, when: {link: {exists: true}}, then: [{email.thank_you: {template: thanks}}]}"
    )
    twice = rules + more
    assert [each.split(": template: ")[0] for each in warnings(load_rules(twice, files))] == [
        "templates/thanks/en.html:1:1: warning",
        "templates/thanks/en.txt:1:1: warning",
        "templates/thanks/en.txt:3:1: warning",
    ]
    any_score = MAILING.replace("segment: promoter", "survey: relationship")
    assert len(warnings(load_rules(any_score, files))) == 4
