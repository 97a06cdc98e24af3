"""No text is loaded twice by one process."""

from __future__ import annotations

from textwrap import dedent

import pytest

from connector.rules import kept
from connector.rules.kept import KeptRulesets
from connector.rules.model import RulesetText, Vocabulary


def text(id: str) -> RulesetText:
    rules = f"""
        rules:
          - {{id: {id}, when: {{score: 3}}, then: [{{log: {{}}}}]}}
    """
    return RulesetText({"rules.yaml": dedent(rules)})


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes of what was loaded in earnest."""
    done: list[str] = []
    load = kept.load

    def counted(text: RulesetText, vocabulary: Vocabulary) -> object:
        done.append(text.hash)
        return load(text, vocabulary)

    monkeypatch.setattr(kept, "load", counted)
    return done


def test_the_same_text_is_loaded_once(vocabulary: Vocabulary, loads: list[str]) -> None:
    rulesets = KeptRulesets(vocabulary)
    assert rulesets.load(text("a")) is rulesets.load(text("a"))
    assert rulesets.known(text("a").hash) is rulesets.load(text("a"))
    assert loads == [text("a").hash]


def test_switching_between_two_loads_neither_again(
    vocabulary: Vocabulary, loads: list[str]
) -> None:
    rulesets = KeptRulesets(vocabulary)
    for id in ("a", "b", "a", "b", "a"):
        rulesets.load(text(id))
    assert len(loads) == 2
    rulesets.load(text("c"))
    assert rulesets.known(text("b").hash) is None
    assert rulesets.known(text("a").hash)


def test_a_broken_text_is_remembered_with_its_problems(
    vocabulary: Vocabulary, loads: list[str]
) -> None:
    rulesets = KeptRulesets(vocabulary)
    broken = RulesetText({"rules.yaml": "rules: {}"})
    assert rulesets.load(broken).ruleset is None
    assert rulesets.load(broken).problems
    assert len(loads) == 1
