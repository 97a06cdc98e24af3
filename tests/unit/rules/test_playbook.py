"""The rules and mails that are shipped, in the installation that is shipped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector import config
from connector.domain import Verdict
from connector.rules.decide import decide
from connector.rules.examples import facts_of
from connector.rules.files import read_directory
from connector.rules.lint import lint
from connector.rules.load import load
from connector.rules.model import Loaded, Ruleset, Vocabulary
from connector.rules.written import GivenText

SHIPPED = Path(__file__).parents[3] / "config"
LANGUAGES = ("en", "es", "it", "pt")


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return config.load(SHIPPED / "connector.yaml", {}, secrets=False).vocabulary()


@pytest.fixture(scope="module")
def loaded(words: Vocabulary) -> Loaded:
    return load(read_directory(SHIPPED / "rules.yaml", SHIPPED / "templates"), words)


@pytest.fixture(scope="module")
def playbook(loaded: Loaded) -> Ruleset:
    assert loaded.ruleset, "\n".join(map(str, loaded.problems))
    return loaded.ruleset


@pytest.fixture
def judged(playbook: Ruleset, words: Vocabulary) -> Callable[..., Verdict]:
    def decided(**given: Any) -> Verdict:
        return decide(playbook, facts_of(GivenText.model_validate(given), words))

    return decided


def test_it_has_no_problem_not_even_a_note(words: Vocabulary) -> None:
    text = read_directory(SHIPPED / "rules.yaml", SHIPPED / "templates")
    found = lint(text, words, datetime(2026, 11, 20, tzinfo=UTC))
    assert [str(problem) for problem in found] == []


def test_every_rule_has_examples_of_both_kinds(playbook: Ruleset) -> None:
    for rule in playbook.rules:
        assert {example.fires for example in rule.examples} == {True, False}, rule.id


def test_every_kind_of_action_is_used(playbook: Ruleset, words: Vocabulary) -> None:
    assert {action.kind for rule in playbook.rules for action in rule.then} == set(words.actions)


CASES = {
    "zendesk.ticket": [
        ({"score": 6}, "Support", "normal", 18),
        ({"score": 3}, "Customer Care", "high", 8),
        ({"score": 6, "history": {"detractor_answers": 1}}, "Customer Care", "high", 8),
        ({"score": 6, "comment": "Quiero mi reembolso"}, "Retention", "urgent", 4),
        ({"score": 6, "customer": {"plan": "enterprise"}}, "Retention", "urgent", 4),
    ]
}


@pytest.mark.parametrize(("given", "group", "priority", "hours"), CASES["zendesk.ticket"])
def test_detractors_get_one_ticket_by_severity(
    judged: Callable[..., Verdict], given: dict[str, Any], group: str, priority: str, hours: int
) -> None:
    (ticket,) = (i for i in judged(**given).intents if i.kind == "zendesk.ticket")
    assert (ticket.params["group"], ticket.params["priority"]) == (group, priority)
    assert ticket.respond_within is not None
    assert ticket.respond_within.total_seconds() == hours * 3600
    assert ticket.problem == ""


def test_an_alert_goes_out_once(judged: Callable[..., Verdict]) -> None:
    verdict = judged(score=0, comment="refund! cancel!", customer={"plan": "enterprise"})
    assert [i.rule_id for i in verdict.intents if i.kind == "slack.message"] == [
        "detractor-high-value"
    ]


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({"score": 9}, ["email.thank_you"]),
        ({"score": 9, "comment": "Lovely"}, ["hubspot.task", "email.thank_you"]),
        ({"score": 9, "customer": {"plan": "free"}}, ["salesforce.task", "email.thank_you"]),
        ({"score": 8}, ["email.thank_you"]),
        ({"score": 8, "customer": {"value": 60000}}, ["salesforce.task", "email.thank_you"]),
        ({"score": 8, "comment": "Call me"}, ["zendesk.ticket", "email.thank_you"]),
        ({"score": 9, "comment": "Send a quote"},
         ["salesforce.task", "hubspot.task", "email.thank_you"]),
        ({"comment": "No score"}, []),
        ({"score": 1, "survey": "checkout-rating"}, []),
        ({"score": 4, "survey": "programme-1-10"}, ["zendesk.ticket"]),
        ({"score": 5, "survey": "programme-1-10"}, ["email.thank_you"]),
    ],
)  # fmt: skip
def test_what_is_asked_for_each_kind_of_answer(
    judged: Callable[..., Verdict], given: dict[str, Any], kinds: list[str]
) -> None:
    assert [intent.kind for intent in judged(**given).intents] == kinds


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("score", "template"), [(9, "thank_you"), (7, "thank_you_passive")])
@pytest.mark.parametrize("name", ["<Ana>", None])
def test_mails_are_written_in_each_language(
    judged: Callable[..., Verdict], language: str, score: int, template: str, name: str | None
) -> None:
    (mail,) = judged(score=score, language=language, customer={"name": name}).intents
    assert (mail.params["template"], mail.problem) == (template, "")
    rendered = mail.params["rendered"]
    assert isinstance(rendered, dict)
    assert rendered["language"] == language
    assert str(score) in rendered["text"]
    assert f'<html lang="{language}">' in rendered["html"]
    assert ("<Ana>" in rendered["text"]) is (name is not None)
    assert ("&lt;Ana&gt;" in rendered["html"]) is (name is not None)
    assert "<Ana>" not in rendered["html"]


def test_each_mail_exists_in_each_language_as_text_and_html(playbook: Ruleset) -> None:
    for mail in playbook.mails.values():
        assert sorted(mail.languages) == sorted(LANGUAGES)
        assert all(parts.html for parts in mail.languages.values())
