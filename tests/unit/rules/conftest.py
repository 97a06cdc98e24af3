"""A small installation for the rules to speak of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any, Literal

import pytest

from connector.domain import Facts, Survey
from connector.ports import Duration, Params, Template, TemplateName
from connector.rules.examples import facts_of
from connector.rules.lint import Seen, lint
from connector.rules.load import load
from connector.rules.model import ActionKind, Loaded, Ruleset, RulesetText, Vocabulary
from connector.rules.written import GivenText


class TicketParams(Params):
    subject: Template = "NPS {{ score }}"
    next_step: Template = ""
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    group: str = ""
    assignee: Template = ""
    tags: list[Template] = []
    respond_within: Duration | None = None
    fields: dict[str, Template] = {}


class TaskParams(Params):
    subject: Template = "Call"
    priority: Literal["High", "Normal", "Low"] = "Normal"
    respond_within: Duration | None = None


class MailParams(Params):
    template: TemplateName = "thank_you"
    reply_to: Template | None = None


class AlertParams(Params):
    channel: str
    text: Template


NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
VOCABULARY = Vocabulary(
    actions={
        "zendesk.ticket": ActionKind(TicketParams, opens_case=True, sinks=("support-desk",)),
        "salesforce.task": ActionKind(TaskParams, opens_case=True, sinks=("crm-eu", "crm-us")),
        "hubspot.task": ActionKind(TaskParams, opens_case=True),
        "email.thank_you": ActionKind(
            MailParams, to_customer=True, settle=timedelta(minutes=10), sinks=("mail",)
        ),
        "slack.message": ActionKind(AlertParams, sinks=("chat",), digest_by="channel"),
    },
    surveys={
        "relationship": Survey(
            id="relationship", name="Relationship NPS", brand="Acme", zone="Europe/Madrid"
        ),
        "partners": Survey(
            id="partners", low=1, high=10, promoter_from=8, passive_from=5, zone="America/New_York"
        ),
        "stars": Survey(id="stars", low=1, high=5, promoter_from=None, passive_from=None),
    },
    sources=("app", "shop"),
    attributes={"arr": "number", "vip": "flag"},
)
MAIL = {
    "templates/thank_you/en.txt": "Subject: Thanks for the {{ score }}\n\nHello!\n",
}


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return VOCABULARY


@pytest.fixture
def load_rules() -> Callable[..., Loaded]:
    """`rules.yaml` as text, and other files by name -> what loading it gives."""

    def loaded(rules: str, files: dict[str, str] | None = None) -> Loaded:
        texts = {**MAIL, **(files or {}), "rules.yaml": dedent(rules).lstrip("\n")}
        return load(RulesetText(texts), VOCABULARY)

    return loaded


@pytest.fixture
def ruleset(load_rules: Callable[..., Loaded]) -> Callable[..., Ruleset]:
    """The same for rules that have to be right."""

    def made(rules: str, files: dict[str, str] | None = None) -> Ruleset:
        loaded = load_rules(rules, files)
        assert loaded.ruleset, "\n".join(str(problem) for problem in loaded.problems)
        return loaded.ruleset

    return made


@pytest.fixture
def linted() -> Callable[..., list[str]]:
    """Rules -> every finding of `connector rules check` as text; `seen` as in `lint`."""

    def found(rules: str, files: dict[str, str] | None = None, **seen: Any) -> list[str]:
        texts = {**MAIL, **(files or {}), "rules.yaml": dedent(rules).lstrip("\n")}
        now = seen.pop("now", NOW)
        return [str(p) for p in lint(RulesetText(texts), VOCABULARY, now, Seen(**seen))]

    return found


@pytest.fixture
def facts() -> Callable[..., Facts]:
    """Facts of an answer to the first survey, from the words that examples use."""

    def made(**given: Any) -> Facts:
        return facts_of(GivenText.model_validate(given), VOCABULARY)

    return made
