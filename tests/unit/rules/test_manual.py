"""docs/rules.md says what is true: its samples run, and nothing is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent

import pytest

from connector import config
from connector.rules.fields import ALL_OPERATORS, ATTRIBUTES
from connector.rules.files import read_directory
from connector.rules.lint import lint
from connector.rules.mails import read_mails
from connector.rules.model import RulesetText, Vocabulary
from connector.rules.stems import LANGUAGES
from connector.rules.template_check import compile_template
from connector.rules.templates import FILTERS
from connector.rules.topic_file import TopicsText, read_topics
from connector.rules.written import DefaultsText, GivenText, HistoryText, RuleText

NOW = datetime(2026, 11, 20, tzinfo=UTC)
HERE = Path(__file__).parents[3]
MANUAL = (HERE / "docs" / "rules.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return config.load(HERE / "config" / "connector.yaml", {}, secrets=False).vocabulary()


@pytest.fixture(scope="module")
def problems(words: Vocabulary) -> Callable[[str], list[str]]:
    files = read_directory(HERE / "config" / "rules.yaml", HERE / "config" / "templates").files

    def found(rules: str) -> list[str]:
        found = lint(RulesetText({**files, "rules.yaml": rules}), words, NOW)
        return [str(p) for p in found if "no rule covers" not in p.message]  # a sample is a part

    return found


@pytest.mark.parametrize("sample", blocks("yaml"))
def test_a_sample_of_rules_runs(problems: Callable[[str], list[str]], sample: str) -> None:
    if sample.startswith("topics:"):
        _, found = read_topics(RulesetText({"topics.yaml": sample}))
        assert found == []
        return
    if sample.startswith("when:"):
        sample = (
            "rules:\n  - id: sample\n    name: S\n    owner: o\n"
            f"{indent(sample, '    ')}    then: [{{log: {{}}}}]\n"
        )
    if sample.startswith("- id:"):
        sample = f"rules:\n{indent(sample, '  ')}"
    if sample.startswith("escalation:"):
        sample += "rules: []\n"
    assert problems(sample) == []


@pytest.mark.parametrize("sample", blocks("jinja"))
def test_a_sample_of_a_template_compiles(words: Vocabulary, sample: str) -> None:
    template, remarks = compile_template(sample, words)
    assert remarks == ()
    assert template
    assert template.needs == {}


def test_the_sample_of_a_mail_is_one(words: Vocabulary) -> None:
    (sample,) = (text for text in blocks("text") if text.startswith("Subject:"))
    mails, found = read_mails(RulesetText({"templates/x/en.txt": sample}), words)
    assert found == []
    assert list(mails["x"].languages) == ["en"]


@pytest.mark.parametrize(
    "word",
    [
        *ALL_OPERATORS,
        *ATTRIBUTES,
        *FILTERS,
        *(name for name in RuleText.model_fields),
        *(name for name in DefaultsText.model_fields),
        *(name for name in GivenText.model_fields),
        *(name for name in HistoryText.model_fields),
        *(name for name in TopicsText.model_fields),
        *LANGUAGES,
    ],
)
def test_every_word_of_the_language_is_in_the_manual(word: str) -> None:
    assert re.search(rf"`(history\.|[a-z\s]*\b)?{word}\b", MANUAL)


def test_every_action_is_in_the_manual(words: Vocabulary) -> None:
    for kind in (*words.actions, "log"):
        assert f"| `{kind}` |" in MANUAL
